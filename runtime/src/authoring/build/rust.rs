//! Rust: cargo, for a target whose output is a component already.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::{BuildError, toolchain};
use crate::authoring::Project;

const CARGO: &str = "cargo";

/// Variables that are meant for what else the author builds, and would displace the linker's flags.
const FOREIGN: [&str; 2] = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"];

/// Builds the project's package.
pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let (Some(cargo), Some(rustc)) = (
        toolchain::find(project, CARGO),
        toolchain::find(project, "rustc"),
    ) else {
        return Err(BuildError::Missing {
            tool: "cargo, the build tool of Rust,",
            install: "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh",
        });
    };
    ensure_target(project, rustc)?;
    let mut command = toolchain::command(project, cargo);
    command
        .args(["build", "--release", "--target", guest_build::TARGET])
        .arg("--message-format=json-render-diagnostics")
        .env(guest_build::LINKER.0, guest_build::LINKER.1);
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    let output = toolchain::ask(&mut command)?;
    if !output.status.success() {
        return Err(BuildError::Failed(CARGO));
    }
    let manifest = project.folder.join("Cargo.toml");
    let messages = String::from_utf8_lossy(&output.stdout);
    let component = component(&messages, &manifest).ok_or(BuildError::Nothing(
        CARGO,
        "the package needs `crate-type = [\"cdylib\"]` under `[lib]` of its Cargo.toml",
    ))?;
    fs::read(&component).map_err(|error| BuildError::File(component, error))
}

/// Whether the compiler of the project's folder has the target's standard library.
fn ensure_target(project: &Project, rustc: PathBuf) -> Result<(), BuildError> {
    let mut command = toolchain::command(project, rustc);
    command.args(["--print=target-libdir", "--target", guest_build::TARGET]);
    let output = toolchain::ask(&mut command)?;
    if !output.status.success() {
        return Err(BuildError::Failed("rustc"));
    }
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // The folder may exist and be empty: rustup leaves it behind when it removes a target.
    let mut files = fs::read_dir(folder).into_iter().flatten().flatten();
    if files.any(|file| file.file_name().to_string_lossy().starts_with("libstd-")) {
        return Ok(());
    }
    Err(BuildError::Missing {
        tool: "Rust's standard library for wasm32-wasip2",
        install: "rustup target add wasm32-wasip2",
    })
}

/// A message of cargo's about something that it has built.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    filenames: Vec<PathBuf>,
}

/// The WebAssembly file that cargo has built of this package.
fn component(messages: &str, manifest: &PathBuf) -> Option<PathBuf> {
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let own = artifacts.filter(|artifact| artifact.manifest_path == *manifest);
    let mut files = own.flat_map(|artifact| artifact.filenames);
    files.find(|file| file.extension().is_some_and(|kind| kind == "wasm"))
}
