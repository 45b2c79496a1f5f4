//! An author's rounds: build, replay the cases against a stand-in for the provider, show what would leave, and
//! wait for the next change.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::cases::{self, Case, CaseError};
use super::show::show;
use super::sources::Sources;
use super::{Project, build, sample};
use crate::connector::{ConnectorRuntime, UploadError};
use crate::id::Digest;
use crate::replay::replay;

/// How often the sources are looked at.
const EVERY: Duration = Duration::from_millis(300);

/// What came of one round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Round {
    /// Whether it was built and accepted, and each case did what it says.
    pub well: bool,
    /// All of it, for people.
    pub lines: Vec<String>,
}

impl Round {
    fn ended(line: String) -> Self {
        Self {
            well: false,
            lines: vec![line],
        }
    }
}

/// Builds a project and shows what its cases do.
pub async fn round(runtime: &ConnectorRuntime, project: &Project) -> Round {
    let of = project.clone();
    match tokio::task::spawn_blocking(move || build(&of)).await {
        Ok(Ok(_)) => rehearse(runtime, project).await,
        Ok(Err(error)) => Round::ended(format!("not built: {error}")),
        Err(error) => Round::ended(format!("not built: {error}")),
    }
}

/// Shows what the cases of a project do that is built.
pub async fn rehearse(runtime: &ConnectorRuntime, project: &Project) -> Round {
    let path = project.component();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) => return Round::ended(format!("{}: {error}", path.display())),
    };
    if let Err(errors) = runtime.examine(bytes.clone()).await {
        let lines = errors.iter().flat_map(refused).collect();
        return Round { well: false, lines };
    }
    let connector = match runtime.load(Digest::of(&bytes), bytes).await {
        Ok(connector) => connector,
        Err(error) => return Round::ended(error.to_string()),
    };
    let mut cases = match read(project) {
        Ok(cases) => cases,
        Err(error) => return Round::ended(error.to_string()),
    };
    let mut round = Round {
        well: true,
        lines: Vec::new(),
    };
    if cases.is_empty() {
        let made_up = sample::case(&connector.info, &connector.schema);
        cases.extend(made_up.and_then(|case| Case::parse(&case).ok()));
        round.lines.push(
            "no case in the folder cases: this one is made up from the settings schema".to_owned(),
        );
    }
    for case in &cases {
        let shown = show(
            &connector,
            case,
            &replay(runtime, &connector, &case.replay).await,
        );
        round.well &= shown.well;
        round.lines.extend(shown.lines);
    }
    round
}

fn refused(error: &UploadError) -> [String; 2] {
    [
        format!("refused   {error}"),
        format!("  fix     {}", error.remedy()),
    ]
}

fn read(project: &Project) -> Result<Vec<Case>, CaseError> {
    let files = project.cases();
    let files =
        files.map_err(|error| CaseError::Unreadable(project.folder.join("cases"), error))?;
    cases::read(&files)
}

/// Waits until a source of the project is another than `before`, and names it.
pub async fn changed(project: &Project, before: &Sources) -> PathBuf {
    let mut turn = tokio::time::interval(EVERY);
    loop {
        turn.tick().await;
        if let Some(path) = Sources::of(project).changed_since(before) {
            return path.to_owned();
        }
    }
}
