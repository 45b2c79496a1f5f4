//! `sendbox connector …`: for authors and operators.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use clap::Subcommand;

use super::client::Client;
use super::upload::upload;
use super::{Bundle, Output, ServerArgs, authoring, output};
use crate::authoring::{Language, settings_to_begin_with};
use crate::connector::{ConnectorRuntime, EngineConfig};
use crate::id::Digest;
use crate::replay::{ReplayCase, replay};
use crate::secret::DataKey;

mod check;
mod dev;
mod push;

#[derive(Debug, Subcommand)]
pub(super) enum ConnectorCommand {
    /// Write the project of a new connector, which builds at once.
    New {
        /// What it is written in.
        #[arg(long, value_enum)]
        lang: Language,
        /// Its name, and its folder's: a-z, 0-9 and '-', starting with a letter.
        name: String,
    },
    /// Build a project's component by its language's toolchain.
    Build {
        /// The folder with the connector.toml.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Look at a component as an upload would.
    Inspect {
        /// A component's file, or the id of a bundled connector.
        connector: String,
        /// Print settings to begin with instead: what its schema requires, with examples, for --settings of
        /// `integration put`.
        #[arg(long)]
        settings: bool,
    },
    /// Run a connector against recorded cases from standard input, without a network.
    Replay {
        /// A component's file, or the id of a bundled connector.
        connector: String,
        /// Compare with what each case expects; exits 1 at any difference.
        #[arg(long)]
        check: bool,
    },
    /// Find what an upload would refuse and what a send would need, and whether sends repeat themselves.
    Check(check::CheckArgs),
    /// Build a project at every change, replay its cases, and show the requests that would leave.
    Dev(dev::DevArgs),
    /// Upload a project's component, and say what an operator has to approve.
    Push(push::PushArgs),
    /// Upload a component to a server.
    Upload {
        #[command(flatten)]
        server: ServerArgs,
        /// A component's file, or the id of a bundled connector.
        connector: String,
    },
    /// List a server's connectors.
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
}

pub(super) async fn run(
    command: ConnectorCommand,
    output: Output,
    bundle: Bundle,
) -> anyhow::Result<ExitCode> {
    match command {
        ConnectorCommand::New { lang, name } => authoring::new(output, lang, &name)?,
        ConnectorCommand::Build { folder } => authoring::build_project(output, folder).await?,
        ConnectorCommand::Inspect {
            connector,
            settings,
        } => {
            let runtime = local_runtime()?;
            let inspection = runtime.inspect(component(&connector, bundle)?).await?;
            if settings {
                let begin = settings_to_begin_with(&inspection.info);
                output::line(&serde_json::to_string_pretty(&begin)?);
            } else {
                output::result(output, &serde_json::to_value(inspection)?);
            }
        }
        ConnectorCommand::Replay { connector, check } => {
            return run_cases(component(&connector, bundle)?, check).await;
        }
        ConnectorCommand::Check(args) => return check::run(args, output, bundle).await,
        ConnectorCommand::Dev(args) => return dev::run(args, output).await,
        ConnectorCommand::Push(args) => return push::run(args, output, bundle).await,
        ConnectorCommand::Upload { server, connector } => {
            let bytes = component(&connector, bundle)?;
            output::result(output, &upload(&Client::new(&server).await?, bytes).await?);
        }
        ConnectorCommand::List { server } => {
            output::result(
                output,
                &Client::new(&server)
                    .await?
                    .call("GET", "/v1/connectors", None)
                    .await?,
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The bytes of a bundled connector, or of a file.
pub(super) fn component(name: &str, bundle: Bundle) -> anyhow::Result<Bytes> {
    if let Some(bytes) = bundle.component(name) {
        return Ok(Bytes::from_static(bytes));
    }
    let bytes = std::fs::read(Path::new(name));
    bytes
        .map(Bytes::from)
        .with_context(|| format!("{name} is no bundled connector and no file that can be read"))
}

/// An engine that keeps nothing on disk.
fn local_runtime() -> anyhow::Result<ConnectorRuntime> {
    let config = EngineConfig {
        pool_slots: 16,
        ..EngineConfig::default()
    };
    // Nothing is kept, so nothing needs a key that outlives the process.
    Ok(ConnectorRuntime::new(
        &config,
        Arc::new(DataKey::generate()?),
    )?)
}

async fn run_cases(bytes: Bytes, compare: bool) -> anyhow::Result<ExitCode> {
    let runtime = local_runtime()?;
    runtime.inspect(bytes.clone()).await?;
    let connector = runtime.load(Digest::of(&bytes), bytes).await?;
    let (mut cases, mut different) = (0_u32, 0_u32);
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let case: ReplayCase = serde_json::from_str(&line)
            .with_context(|| format!("standard input, line {}", number + 1))?;
        let result = replay(&runtime, &connector, &case).await;
        cases += 1;
        if !compare {
            output::line(&serde_json::to_string(&result)?);
            continue;
        }
        let differences = crate::replay::check(&case, &result);
        different += u32::from(!differences.is_empty());
        for difference in differences {
            output::line(&format!("{}: {difference}", case.id));
        }
    }
    if compare {
        output::note(&format!("{cases} cases, {different} different"));
    }
    Ok(if different == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
