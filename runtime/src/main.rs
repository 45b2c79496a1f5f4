//! The `sendbox` binary: server and client.

use std::process::ExitCode;

use clap::Parser;
use sendbox::cli::{Cli, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(Cli::parse(), connector_bundle::component)
}
