//! `sendbox connector new` and `build`: for authors, on their own machine.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Output, output};
use crate::authoring::{Language, Project, build, scaffold};

/// Writes a project into the working folder.
pub(super) fn new(output: Output, language: Language, name: &str) -> anyhow::Result<()> {
    let folder = scaffold(language, name, Path::new(""))?;
    output::result(output, &json!({ "folder": folder, "language": language }));
    output::note(&format!(
        "next: sendbox connector build {}",
        folder.display()
    ));
    Ok(())
}

/// Builds the project in a folder.
pub(super) async fn build_project(output: Output, folder: PathBuf) -> anyhow::Result<()> {
    let project = Project::read(&folder)?;
    let built = tokio::task::spawn_blocking(move || build(&project)).await??;
    let shown = json!({ "component": built.path, "size": built.size, "digest": built.digest });
    output::result(output, &shown);
    Ok(())
}
