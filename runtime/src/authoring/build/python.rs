//! Python: componentize-py, from the project's virtual environment or the `PATH`.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{BuildError, toolchain};
use crate::authoring::Project;

const TOOL: &str = "componentize-py";

/// The version that the SDK is made for: what it generates changes from one to the next.
const VERSION: &str = "0.25.1";

/// The SDK's module that says which of its worlds is a connector's.
const WORLD: &str = "sendbox_link.world";

/// The SDK's module that links a component.
const LINK: &str = "sendbox_link";

/// Variables that would put packages of the author's machine into the component.
const FOREIGN: [&str; 2] = ["PYTHONPATH", "VIRTUAL_ENV"];

/// Runs the tool, which writes the component.
pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let tool = toolchain::all(project, TOOL).into_iter().find(|tool| {
        let version = toolchain::version(project, tool, &["--version"]);
        version.is_some_and(|version| version.ends_with(VERSION))
    });
    let tool = tool.ok_or(BuildError::Missing {
        tool: "componentize-py 0.25.1",
        install: "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
    })?;
    let python = toolchain::find(project, "python3").ok_or(BuildError::Missing {
        tool: "Python 3.11 or later",
        install: "apt-get install python3 python3-venv",
    })?;
    let world = world(project, &python)?;
    let output = project.component();
    let failed = |error| BuildError::File(output.clone(), error);
    if let Some(parent) = output.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    let module = project.entry.with_extension("");
    let mut command = toolchain::command(project, tool);
    command
        .args(["--quiet", "-w", world.trim(), "-d"])
        .arg(&project.wit)
        .arg("-d")
        .arg(project.sdk.join("world"))
        .args(["componentize", "-p", ".", "-p"])
        .arg(&project.sdk)
        .arg(module)
        .arg("-o")
        .arg(&output)
        .stderr(Stdio::piped());
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    let ended = toolchain::ask(&mut command)?;
    let said = String::from_utf8_lossy(&ended.stderr);
    if !ended.status.success() {
        return Err(BuildError::Said(TOOL, authors_part(&said)));
    }
    link(project, &python)?;
    std::fs::read(&output).map_err(failed)
}

/// The SDK's world in place of the contract's own: a Python component imports all of its world, and the host takes
/// what it imports for what its connector uses.
fn world(project: &Project, python: &Path) -> Result<String, BuildError> {
    let mut command = of_sdk(project, python, WORLD);
    let ended = toolchain::ask(command.arg(&project.entry))?;
    if !ended.status.success() {
        return Err(BuildError::Failed(WORLD));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// Has the SDK link the component's fourteen core modules into one: a send costs a third less for it. What it cannot
/// link it leaves as it is, and says so.
fn link(project: &Project, python: &Path) -> Result<(), BuildError> {
    let mut command = of_sdk(project, python, LINK);
    toolchain::run(LINK, command.arg(project.component()))
}

/// A module of the SDK's, run as a program.
fn of_sdk(project: &Project, python: &Path, module: &str) -> Command {
    let mut command = toolchain::command(project, python);
    command
        .args(["-m", module])
        .env("PYTHONPATH", &project.sdk)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The traceback of the author's code, without the tool's own around it.
fn authors_part(said: &str) -> String {
    let said = said.split("Stack backtrace:").next().unwrap_or_default();
    let traceback = said.rsplit_once("AssertionError: ").map(|(_, rest)| rest);
    let traceback = traceback.map(|rest| rest.split("\nCaused by:").next().unwrap_or(rest));
    // The tool sees the project's folder under this name.
    let own = traceback.unwrap_or(said).replace("\"/0/", "\"");
    own.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::authors_part;

    #[test]
    fn of_the_tools_words_only_those_about_the_authors_code_are_shown() {
        let said = "Caused by:\n    AssertionError: Traceback (most recent call last):\n  File \"/0/connector.py\"\n\n\nCaused by:\n    ValueError\n\nStack backtrace:\n   0: main\n";
        assert_eq!(
            authors_part(said),
            "Traceback (most recent call last):\n  File \"connector.py\""
        );
        assert_eq!(authors_part("error: no such world"), "error: no such world");
    }
}
