//! The runtime, proven through its public surface. One binary: every test links the engine once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a helper that fails ends its test"
)]

mod egress_corpus;
mod egress_http;
mod egress_kit;
mod egress_limits;
