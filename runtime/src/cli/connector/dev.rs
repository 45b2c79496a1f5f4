//! `sendbox connector dev`: the requests that would leave, at every change of a project's sources.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::local_runtime;
use crate::authoring::{Project, Round, Sources, changed, round};
use crate::cli::{Output, output};

#[derive(Debug, Args)]
pub(in crate::cli) struct DevArgs {
    /// The project's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Build and replay one time; exits 1 if anything went wrong.
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(args: DevArgs, output: Output) -> anyhow::Result<ExitCode> {
    let runtime = local_runtime()?;
    loop {
        let project = Project::read(&args.folder)?;
        let before = Sources::of(&project);
        let round = round(&runtime, &project).await;
        print(output, &round)?;
        if args.once {
            return Ok(match round.well {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            });
        }
        output::note("waiting for a change; Ctrl-C ends");
        let path = changed(&project, &before).await;
        output::note(&format!("{} changed", path.display()));
    }
}

fn print(output: Output, round: &Round) -> anyhow::Result<()> {
    match output {
        Output::Json => output::line(&serde_json::to_string(round)?),
        Output::Text => round.lines.iter().for_each(|line| output::line(line)),
    }
    Ok(())
}
