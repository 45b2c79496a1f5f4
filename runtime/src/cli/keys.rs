//! `sendbox keys …`: the server's sealing keys.

use std::process::ExitCode;

use clap::Subcommand;

use super::client::{Client, segment};
use super::{Output, ServerArgs, output};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Show the sealing keys: which is current, and how many data keys each wraps.
    Show {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make a new sealing key the current one and wrap every data key with it.
    Rotate {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Remove an earlier sealing key that wraps nothing any more.
    Remove {
        #[command(flatten)]
        server: ServerArgs,
        /// The key's id.
        key: String,
    },
}

pub(super) async fn run(command: KeysCommand, output: Output) -> anyhow::Result<ExitCode> {
    const PATH: &str = "/v1/sealing-keys";
    let (server, method, path) = match command {
        KeysCommand::Show { server } => (server, "GET", PATH.to_owned()),
        KeysCommand::Rotate { server } => (server, "POST", format!("{PATH}/rotate")),
        KeysCommand::Remove { server, key } => (
            server,
            "DELETE",
            format!("{PATH}/{key}", key = segment(&key)),
        ),
    };
    let answer = Client::new(&server)?.call(method, &path, None).await?;
    output::result(output, &answer);
    Ok(ExitCode::SUCCESS)
}
