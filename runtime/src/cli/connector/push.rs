//! `sendbox connector push`: uploads a project's component and says what an operator has to approve.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use serde::Deserialize;

use super::component;
use crate::about::ConnectorInfo;
use crate::authoring::{Approval, Project};
use crate::cli::client::Client;
use crate::cli::upload::upload;
use crate::cli::{Bundle, Output, ServerArgs, output};
use crate::connector::{Needs, Power};
use crate::id::Digest;

#[derive(Debug, Args)]
pub(in crate::cli) struct PushArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A project's folder, a component's file, or the id of a bundled connector.
    #[arg(default_value = ".")]
    connector: String,
}

/// The server's word about an upload.
#[derive(Deserialize)]
struct Uploaded {
    digest: Digest,
    size: u64,
    info: ConnectorInfo,
    class: String,
    powers: Vec<Power>,
    #[serde(flatten)]
    needs: Needs,
}

pub(super) async fn run(
    args: PushArgs,
    output: Output,
    bundle: Bundle,
) -> anyhow::Result<ExitCode> {
    let path = Path::new(&args.connector);
    let bytes = match path.is_dir() {
        true => {
            let component = Project::read(path)?.component();
            let bytes = std::fs::read(&component).map(Bytes::from);
            bytes.with_context(|| {
                let component = component.display();
                format!("{component} cannot be read: `sendbox connector build` makes it")
            })?
        }
        false => component(&args.connector, bundle)?,
    };
    let answer = upload(&Client::new(&args.server).await?, bytes).await?;
    let uploaded: Uploaded =
        serde_json::from_value(answer).context("the server's answer is not understood")?;
    let approval = Approval::of(
        &uploaded.info,
        uploaded.digest,
        uploaded.size,
        uploaded.class,
        uploaded.powers,
        uploaded.needs,
    );
    match output {
        Output::Json => output::line(&serde_json::to_string(&approval)?),
        Output::Text => {
            output::line(
                "uploaded; an operator approves it by naming its digest in an integration:",
            );
            for line in approval.lines() {
                output::line(&line);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
