//! Why there are no components, each with its remedy in one line.

use std::io;
use std::path::PathBuf;

/// Why there are no components.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Called outside a build script: cargo's variable is not set.
    #[error("{0} is not set: components are built in a build script, by cargo")]
    NotABuildScript(&'static str),
    /// No `Cargo.lock` above the package.
    #[error("no Cargo.lock above this package")]
    NoWorkspace,
    /// `OUT_DIR` does not look like cargo's.
    #[error("cannot tell the target folder from OUT_DIR {0}")]
    OutDir(PathBuf),
    /// A folder of prebuilt components lacks one.
    #[error("{0} is missing: add it, or unset SENDBOX_PREBUILT_CONNECTORS to build it")]
    NotPrebuilt(PathBuf),
    /// The compiler cannot be asked for its targets.
    #[error("cannot run rustc: {0}")]
    Rustc(io::Error),
    /// The target is missing and could not be installed.
    #[error(
        "the wasm32-wasip2 target is not installed ({0}): run `rustup target add wasm32-wasip2`"
    )]
    NoTarget(String),
    /// The nested cargo cannot be run.
    #[error("cannot run cargo: {0}")]
    Cargo(io::Error),
    /// The nested build failed; cargo has said why.
    #[error("cannot build {0} for wasm32-wasip2: see cargo's messages above")]
    Build(String),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
}
