//! What a connector's author uses on their own machine: projects in any of the supported languages.

mod language;
mod project;

pub use language::Language;
pub use project::{MANIFEST, Project, ProjectError};
