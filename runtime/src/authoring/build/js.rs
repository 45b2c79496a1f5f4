//! JavaScript and TypeScript: Node.js runs the SDK's own script, whose packages npm has installed.

use super::{BuildError, toolchain};
use crate::authoring::Project;

/// The oldest Node.js that the toolchain runs on.
const NODE: u32 = 20;

/// Exit status of the SDK's script where a package is missing.
const NOT_INSTALLED: i32 = 3;

/// Runs the SDK's script, which writes the component.
pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let node = toolchain::find(project, "node").filter(|node| {
        let version = toolchain::version(project, node, &["--version"]);
        let version = version.as_deref().and_then(toolchain::major_minor);
        version.is_some_and(|(major, _)| major >= NODE)
    });
    let node = node.ok_or(BuildError::Missing {
        tool: "Node.js 20 or later",
        install: "apt-get install nodejs npm    # or as https://nodejs.org/en/download says",
    })?;
    let output = project.component();
    let mut command = toolchain::command(project, node);
    command
        .arg(project.sdk.join("build.js"))
        .arg(&project.entry)
        .arg(&output)
        .arg(&project.wit);
    let status = command
        .status()
        .map_err(|error| BuildError::Run("node".into(), error))?;
    match status.code() {
        Some(0) => std::fs::read(&output).map_err(|error| BuildError::File(output, error)),
        Some(NOT_INSTALLED) => Err(BuildError::Missing {
            tool: "a package of package.json",
            install: "npm ci",
        }),
        _ => Err(BuildError::Failed("node")),
    }
}
