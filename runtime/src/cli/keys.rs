//! `sendbox keys …`: the server's sealing keys and data keys.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::{Output, ServerArgs, output};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Show the sealing keys, which is current, and how many data keys each wraps; and the data keys, with generation
    /// and age.
    Show {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make a new sealing key the current one and wrap every data key with it.
    Rotate {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Renew every data key: seal everything anew, and delete what sealed it before.
    Renew {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Remove an earlier sealing key that wraps nothing any more.
    Remove {
        #[command(flatten)]
        server: ServerArgs,
        /// The key's id.
        #[arg(value_name = "KEY")]
        id: String,
    },
}

const DATA_KEYS: &str = "/v1/data-keys";

pub(super) async fn run(command: KeysCommand, output: Output) -> anyhow::Result<ExitCode> {
    const PATH: &str = "/v1/sealing-keys";
    let (server, method, path) = match command {
        KeysCommand::Show { server } => {
            output::result(output, &show(&Client::new(&server).await?, PATH).await?);
            return Ok(ExitCode::SUCCESS);
        }
        KeysCommand::Renew { server } => (server, "POST", format!("{DATA_KEYS}/renew")),
        KeysCommand::Rotate { server } => (server, "POST", format!("{PATH}/rotate")),
        KeysCommand::Remove { server, id } => {
            (server, "DELETE", format!("{PATH}/{id}", id = segment(&id)))
        }
    };
    let answer = Client::new(&server)
        .await?
        .call(method, &path, None)
        .await?;
    output::result(output, &answer);
    Ok(ExitCode::SUCCESS)
}

/// The sealing keys, and the first data keys.
async fn show(client: &Client, sealing_keys: &str) -> anyhow::Result<Value> {
    Ok(json!({
        "sealing_keys": client.call("GET", sealing_keys, None).await?,
        "data_keys": client.call("GET", DATA_KEYS, None).await?,
    }))
}
