//! Finds and runs the programs of a toolchain.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::BuildError;
use crate::authoring::Project;

/// Every file of the program's name, the best first: of the project's virtual environment, of the one
/// that is active, of the variable `PATH`.
pub(super) fn all(project: &Project, program: &str) -> Vec<PathBuf> {
    let own = project.folder.join(".venv/bin");
    let active = env::var_os("VIRTUAL_ENV").map(|folder| Path::new(&folder).join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [own]
        .into_iter()
        .chain(active)
        .chain(env::split_paths(&path));
    folders
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(program))
        .filter(|path| path.is_file())
        .collect()
}

/// The best file of the program's name.
pub(super) fn find(project: &Project, program: &str) -> Option<PathBuf> {
    all(project, program).into_iter().next()
}

/// A command that starts in the project's folder, reads nothing, and says what it says on standard
/// error: results alone go to standard output.
pub(super) fn command(project: &Project, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(&project.folder)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .stderr(Stdio::inherit());
    command
}

/// Runs a command to its end.
pub(super) fn run(tool: &'static str, command: &mut Command) -> Result<(), BuildError> {
    let status = command.status().map_err(|error| cannot(command, error))?;
    if status.success() {
        Ok(())
    } else {
        Err(BuildError::Failed(tool))
    }
}

/// Runs a command to its end, and returns what it says on standard output.
pub(super) fn ask(command: &mut Command) -> Result<Output, BuildError> {
    command.stdout(Stdio::piped());
    let child = command.spawn();
    let output = child.and_then(std::process::Child::wait_with_output);
    output.map_err(|error| cannot(command, error))
}

/// The version that a program says of itself; nothing where it cannot.
pub(super) fn version(project: &Project, program: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = command(project, program);
    let output = ask(command.args(arguments).stderr(Stdio::null())).ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The first two numbers of a version, behind whatever stands before the first digit.
pub(super) fn major_minor(version: &str) -> Option<(u32, u32)> {
    let digits = version.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = version
        .get(digits..)?
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn cannot(command: &Command, error: io::Error) -> BuildError {
    BuildError::Run(command.get_program().into(), error)
}

#[cfg(test)]
mod tests {
    use super::major_minor;

    #[test]
    fn a_version_is_read_out_of_what_a_program_says() {
        for (said, version) in [
            ("v20.20.2", Some((20, 20))),
            ("go version go1.27.3 linux/amd64", Some((1, 27))),
            ("0.17.0", Some((0, 17))),
            ("seventeen", None),
        ] {
            assert_eq!(major_minor(said), version, "{said}");
        }
    }
}
