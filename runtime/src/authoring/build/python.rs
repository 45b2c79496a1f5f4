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

/// Why a project has no such module.
const OLD_SDK: &str = "`sdk` is older than this sendbox, or not whole: take that of a project that this sendbox writes \
    (`sendbox connector new`)";

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
        .args(["--quiet", "-w", &world, "-d"])
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
    let module = project.sdk.join("sendbox_link/world.py");
    if !project.folder.join(module).is_file() {
        return Err(BuildError::Said(WORLD, OLD_SDK.to_owned()));
    }
    let mut command = of_sdk(project, python, WORLD);
    let ended = toolchain::ask(command.arg(&project.entry))?;
    if !ended.status.success() {
        return Err(BuildError::Failed(WORLD));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
}

/// Has the SDK link the component's fourteen core modules into one: a send costs a third less for it. What it cannot
/// link it leaves as it is, and says so.
fn link(project: &Project, python: &Path) -> Result<(), BuildError> {
    let mut command = of_sdk(project, python, LINK);
    toolchain::run(LINK, command.arg(project.component()))
}

/// A module of the SDK's, run as a program. It starts in the project's folder, and imports nothing from there: a file
/// of the author's may have the name of one of the standard library's.
fn of_sdk(project: &Project, python: &Path, module: &str) -> Command {
    let mut command = toolchain::command(project, python);
    command
        .args(["-m", module])
        .env("PYTHONPATH", &project.sdk)
        .env("PYTHONSAFEPATH", "1")
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
    use std::path::Path;

    use super::{authors_part, toolchain, world};
    use crate::authoring::{Language, Project};

    /// A project of these files, with the repository's SDK.
    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let project = Project {
            folder: folder.path().to_owned(),
            language: Language::Python,
            entry: "connector.py".into(),
            output: "build/connector.wasm".into(),
            wit: "wit".into(),
            sdk: Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/python"),
        };
        (folder, project)
    }

    #[test]
    fn no_module_of_the_projects_runs_while_its_world_is_found() {
        let own = "raise SystemExit('ran')";
        let files = [
            ("connector.py", ""),
            ("opcode.py", own),
            ("traceback.py", own),
        ];
        let (_folder, project) = project(&files);
        let Some(python) = toolchain::find(&project, "python3") else {
            println!("skipped: python3 is not installed");
            return;
        };
        let world = world(&project, &python).unwrap();
        assert_eq!(world, "sendbox:python/connector@0.1.0");
    }

    #[test]
    fn a_project_with_an_older_sdk_is_told_where_this_one_is() {
        let (folder, mut project) = project(&[]);
        project.sdk = folder.path().join("sdk");
        let told = world(&project, Path::new("python3")).unwrap_err();
        assert!(told.to_string().contains("connector new"), "{told}");
    }

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
