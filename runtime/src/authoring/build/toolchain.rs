//! Finds and runs the programs of a toolchain.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::BuildError;

/// The program's path, by the variable `PATH`.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// A command that starts in `folder`, reads nothing, and says what it says on standard error: results
/// alone go to standard output.
pub(super) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .stderr(Stdio::inherit());
    command
}

/// Runs a command to its end, whatever it says being said to the author.
pub(super) fn run(tool: &'static str, command: &mut Command) -> Result<(), BuildError> {
    let status = command.status().map_err(|error| cannot(command, error))?;
    if status.success() {
        Ok(())
    } else {
        Err(BuildError::Failed(tool))
    }
}

/// What a command says on standard output.
pub(super) fn ask(command: &mut Command) -> Result<Output, BuildError> {
    command.stdout(Stdio::piped());
    let child = command.spawn();
    let output = child.and_then(std::process::Child::wait_with_output);
    output.map_err(|error| cannot(command, error))
}

fn cannot(command: &Command, error: io::Error) -> BuildError {
    BuildError::Run(command.get_program().into(), error)
}
