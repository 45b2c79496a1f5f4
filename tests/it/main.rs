//! One binary for every test that needs more than one floor.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that cannot go on should say where"
)]

mod admission;
mod advisories;
mod alone;
mod answer_corpus;
mod api;
mod authoring;
mod backstop;
mod canaries;
mod checking;
mod client;
mod commands;
mod crash;
mod databases;
mod deliver;
mod deliver_mail;
mod deployments;
mod docs;
mod documents;
mod doors;
mod egress_connections;
mod egress_corpus;
mod egress_http;
mod egress_kit;
mod egress_limits;
mod egress_names;
mod egress_namespace;
mod egress_proxies;
mod egress_smtp;
mod egress_sources;
mod email_service;
mod failover;
mod fault_kit;
mod faults;
mod guest_corpus;
mod guest_memory;
mod guide;
mod harness;
mod hostcalls;
mod hostile;
mod kept_secrets;
mod keys;
mod languages;
mod logs;
mod mail_corpus;
mod mail_deviations;
mod mail_kit;
mod mail_servers;
mod problems;
mod process;
mod queues;
mod renewals;
mod replays;
mod restores;
mod routes;
mod sandbox;
mod secret_corpus;
mod secrets;
mod shares;
mod signing;
mod starts;
mod sweep;
mod sweep_mail;
mod templates;
mod test_sends;
mod tidy;
mod upload_corpus;
mod uploads;
mod watch;
