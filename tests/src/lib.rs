//! What tests need around the runtime: a DNS server, peers and certificates on loopback, hostile
//! guests, and the shared cases.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails ends its test"
)]

pub mod canary;
pub mod cases;
pub mod certificates;
pub mod deviant;
pub mod dns;
pub mod exim;
pub mod guests;
pub mod history;
pub mod mail_folder;
pub mod mail_peer;
pub mod network;
pub mod peer;
pub mod postfix;
pub mod proxy;
pub mod repository;
