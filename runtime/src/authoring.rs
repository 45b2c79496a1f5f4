//! What a connector's author uses on their own machine: projects in any of the supported languages.

mod approval;
mod cases;
mod check;
mod language;
mod project;
mod show;
mod sources;

pub use approval::Approval;
pub use cases::{Case, CaseError, read as read_cases};
pub use check::{CheckReport, Finding, Level, Subject, SubjectError, check};
pub use language::Language;
pub use project::{MANIFEST, Project, ProjectError};
pub use show::{Shown, show};
pub use sources::{Sources, draws_in};
