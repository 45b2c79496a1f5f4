//! `sendbox connector check`: what to correct before an upload, one finding a line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{component, local_runtime};
use crate::authoring::{CheckReport, Level, Subject, check, read_cases};
use crate::cli::{Bundle, Output, output};
use crate::connector::Inspection;

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// A project's folder, a component's file, or the id of a bundled connector.
    #[arg(default_value = ".")]
    connector: String,
    /// More cases to replay, one JSON object a line; a project has its own in the folder `cases`.
    #[arg(long)]
    cases: Vec<PathBuf>,
}

pub(super) async fn run(
    args: CheckArgs,
    output: Output,
    bundle: Bundle,
) -> anyhow::Result<ExitCode> {
    let mut subject = subject(&args.connector, bundle)?;
    subject.cases.extend(read_cases(&args.cases)?);
    let report = check(&local_runtime()?, &subject).await;
    match output {
        Output::Json => output::line(&serde_json::to_string(&report)?),
        Output::Text => print(&report),
    }
    Ok(match report.failed() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn subject(connector: &str, bundle: Bundle) -> anyhow::Result<Subject> {
    let path = Path::new(connector);
    if path.is_dir() {
        return Ok(Subject::of_project(path)?);
    }
    Ok(Subject {
        component: path.to_owned(),
        bytes: component(connector, bundle)?,
        cases: Vec::new(),
        project: None,
    })
}

fn print(report: &CheckReport) {
    output::line(&report.component.display().to_string());
    if let Some(inspection) = &report.inspection {
        about(inspection);
    }
    if let Some(used) = report.used {
        output::line(&format!(
            "used        at most {} KiB of memory, {} table elements and {} ms of CPU in a send",
            used.memory >> 10,
            used.table_elements,
            used.cpu_ms
        ));
    }
    for finding in &report.findings {
        let level = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        output::line(&format!(
            "{level:<11} {}: {}; fix: {}",
            finding.code,
            finding.found.replace('\n', " | "),
            finding.remedy
        ));
    }
    for words in &report.proven {
        output::line(&format!("proven      {words}"));
    }
    for words in &report.not_proven {
        output::line(&format!("not proven  {words}"));
    }
    let count = |level| {
        report
            .findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    output::note(&format!(
        "{} errors, {} warnings",
        count(Level::Error),
        count(Level::Warning)
    ));
}

fn about(inspection: &Inspection) {
    let (info, needs) = (&inspection.info, &inspection.needs);
    output::line(&format!(
        "connector   {} {}, {} KiB, sha256 {}",
        info.id,
        info.version,
        inspection.size.div_ceil(1 << 10),
        inspection.digest
    ));
    output::line(&format!(
        "needs       {} KiB of memory in {}, {} table elements in {}, {} core instances; compiled in {} ms",
        needs.memory_bytes >> 10,
        needs.memories,
        needs.table_elements,
        needs.tables,
        needs.core_instances,
        inspection.compile_ms
    ));
}
