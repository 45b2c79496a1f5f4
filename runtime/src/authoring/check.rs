//! What `sendbox connector check` finds: what an upload would refuse, what a send would need, and whether a
//! runtime that was started at build time repeats itself.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;

use super::cases::{self, Case, CaseError};
use super::sources::{Sources, draws_in};
use super::{Project, ProjectError};
use crate::connector::{ConnectorRuntime, Inspection, UploadError, Used};

mod engine;
mod repeat;
mod shape;
mod traces;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// An upload refuses it, or a case goes wrong.
    Error,
    /// It works, and may not do what its author thinks.
    Warning,
    /// Nothing to do.
    Note,
}

/// One thing that was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// A stable word.
    pub code: &'static str,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Finding {
    fn new(level: Level, code: &'static str, found: impl Into<String>, remedy: &str) -> Self {
        Self {
            level,
            code,
            found: found.into(),
            remedy: remedy.to_owned(),
        }
    }
}

impl From<&UploadError> for Finding {
    fn from(error: &UploadError) -> Self {
        Self::new(
            Level::Error,
            error.code(),
            error.to_string(),
            &error.remedy(),
        )
    }
}

/// What came of a check.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// The component.
    pub component: PathBuf,
    /// What an upload would keep of it; none where it would be refused.
    pub inspection: Option<Inspection>,
    /// The most that its sends used; none where none was made.
    pub used: Option<Used>,
    /// In order of importance.
    pub findings: Vec<Finding>,
    /// What was shown to hold, in words.
    pub proven: Vec<String>,
    /// What was not, and why.
    pub not_proven: Vec<String>,
}

impl CheckReport {
    /// Whether there is anything that must be corrected.
    #[must_use]
    pub fn failed(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.level == Level::Error)
    }
}

/// What is checked.
#[derive(Debug)]
pub struct Subject {
    /// Where the component comes from, for people.
    pub component: PathBuf,
    /// The component.
    pub bytes: Bytes,
    /// Cases to replay.
    pub cases: Vec<Case>,
    /// The project it was built from.
    pub project: Option<Project>,
}

/// Why there is nothing to check.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Its cases.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The component.
    #[error("{0}: {1}; `sendbox connector build` makes it")]
    Component(PathBuf, std::io::Error),
}

impl Subject {
    /// A project's component as it was built last, with the project's cases.
    ///
    /// # Errors
    /// Where something cannot be read.
    pub fn of_project(folder: &Path) -> Result<Self, SubjectError> {
        let project = Project::read(folder)?;
        let component = project.component();
        let bytes = std::fs::read(&component);
        let bytes = bytes.map_err(|error| SubjectError::Component(component.clone(), error))?;
        let files = project.cases();
        let files = files.map_err(|error| CaseError::Unreadable(folder.join("cases"), error))?;
        Ok(Self {
            component,
            bytes: bytes.into(),
            cases: cases::read(&files)?,
            project: Some(project),
        })
    }

    /// Texts that a constant of the author's would stand in: the sources, else the component.
    fn literals(&self) -> Vec<u8> {
        match &self.project {
            Some(project) => {
                let texts = Sources::of(project).texts();
                let texts: Vec<_> = texts.into_iter().map(|(_, text)| text).collect();
                texts.join("\n").into_bytes()
            }
            None => self.bytes.to_vec(),
        }
    }

    /// Where the author draws random numbers.
    fn draws(&self) -> Vec<String> {
        let project = self.project.as_ref();
        project.map_or_else(Vec::new, |project| {
            draws_in(project, &Sources::of(project).texts())
        })
    }
}

/// Checks a component as an upload would, and runs its sends again and again.
pub async fn check(runtime: &ConnectorRuntime, subject: &Subject) -> CheckReport {
    let mut report = CheckReport {
        component: subject.component.clone(),
        inspection: None,
        used: None,
        findings: Vec::new(),
        proven: Vec::new(),
        not_proven: Vec::new(),
    };
    match runtime.examine(subject.bytes.clone()).await {
        Ok(inspection) => {
            report.findings.extend(shape::findings(&inspection));
            repeat::check(runtime, subject, &inspection, &mut report).await;
            report.inspection = Some(inspection);
        }
        Err(errors) => {
            report.findings.extend(errors.iter().map(Finding::from));
            let words = "anything about its sends: the component would be refused";
            report.not_proven.push(words.to_owned());
        }
    }
    report.findings.sort_by_key(|finding| finding.level as u8);
    report
}
