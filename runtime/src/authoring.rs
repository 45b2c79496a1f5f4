//! What a connector's author uses on their own machine: new projects, and their builds.

mod build;
mod language;
mod project;
mod scaffold;

pub use build::{BuildError, Built, build};
pub use language::Language;
pub use project::{MANIFEST, Project, ProjectError};
pub use scaffold::{ScaffoldError, scaffold};
