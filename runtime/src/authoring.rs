//! What a connector's author uses on their own machine: new projects, and their builds.

mod approval;
mod build;
mod cases;
mod check;
mod dev;
mod language;
mod project;
mod sample;
mod scaffold;
mod show;
mod sources;

pub use approval::Approval;
pub use build::{BuildError, Built, build};
pub use cases::{Case, CaseError, read as read_cases};
pub use check::{CheckReport, Finding, Level, Subject, SubjectError, check};
pub use dev::{Round, changed, rehearse, round};
pub use language::Language;
pub use project::{MANIFEST, Project, ProjectError};
pub use sample::settings_to_begin_with;
pub use scaffold::{ScaffoldError, scaffold};
pub use sources::Sources;
