//! `sendbox operator-key …`: the server's own API keys.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::client::{Client, segment};
use super::{ConfigArgs, Output, ServerArgs, output};
use crate::server::make_operator_key;
use crate::time::Clock;

#[derive(Debug, Subcommand)]
pub(super) enum OperatorKeyCommand {
    /// List the operators' keys and those for metrics.
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make a key. Its text is shown only now.
    Create {
        #[command(flatten)]
        server: ServerArgs,
        /// Who has it, or what it is for.
        #[arg(long, default_value = "")]
        title: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "operator")]
        role: OperatorRole,
    },
    /// Revoke a key. The last operator's key that works stays.
    Revoke {
        #[command(flatten)]
        server: ServerArgs,
        /// The key's id.
        #[arg(value_name = "KEY")]
        id: String,
    },
    /// Make an operator's key on the server's machine, when all are lost. The server must be stopped.
    Recover {
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// What a key of the server may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OperatorRole {
    /// Everything.
    Operator,
    /// Read `/metrics`.
    Metrics,
}

pub(super) async fn run(command: OperatorKeyCommand, output: Output) -> anyhow::Result<ExitCode> {
    const PATH: &str = "/v1/operator-keys";
    let (server, method, path, body) = match command {
        OperatorKeyCommand::List { server } => (server, "GET", PATH.to_owned(), None),
        OperatorKeyCommand::Create {
            server,
            title,
            role,
        } => {
            let role = match role {
                OperatorRole::Operator => "operator",
                OperatorRole::Metrics => "metrics",
            };
            let body = json!({ "title": title, "role": role });
            (server, "POST", PATH.to_owned(), Some(body))
        }
        OperatorKeyCommand::Revoke { server, id } => {
            let path = format!("{PATH}/{id}", id = segment(&id));
            (server, "DELETE", path, None)
        }
        OperatorKeyCommand::Recover { config } => {
            let loaded = config.load()?;
            let key = make_operator_key(&loaded.config, Clock::System).await?;
            output::result(output, &json!({ "key": key.expose() }));
            return Ok(ExitCode::SUCCESS);
        }
    };
    let answer = Client::new(&server)
        .await?
        .call(method, &path, body.as_ref())
        .await?;
    output::result(output, &answer);
    Ok(ExitCode::SUCCESS)
}
