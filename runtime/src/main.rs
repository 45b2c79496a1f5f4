//! The `sendbox` binary: server and client.

use std::process::ExitCode;

use clap::Parser;
use sendbox::cli::{Bundle, Cli, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let bundle = Bundle {
        components: connector_bundle::BUNDLED,
        email_service: connector_bundle::EMAIL_SERVICE,
    };
    run(Cli::parse(), bundle)
}
