//! Builds a project's component by its language's toolchain.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::{Language, Project};
use crate::connector::SnapshotError;
use crate::id::Digest;
use contract::Contract;

mod c;
mod component;
mod contract;
mod go;
mod js;
mod other;
mod python;
mod rust;
mod toolchain;

/// A built component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Where it lies.
    pub path: PathBuf,
    /// Its bytes.
    pub size: usize,
    /// The digest that names it everywhere.
    pub digest: Digest,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A part of the toolchain is not on this machine.
    #[error("{tool} is missing. Install it from the project's folder with\n\n    {install}\n")]
    Missing {
        /// What was looked for.
        tool: &'static str,
        /// A command that installs it.
        install: &'static str,
    },
    /// A tool cannot be started.
    #[error("cannot run {0}: {1}")]
    Run(PathBuf, io::Error),
    /// A tool has said what is wrong, and ended without a component.
    #[error("{0} failed: its messages stand above")]
    Failed(&'static str),
    /// A tool has failed, with these words for the author.
    #[error("{0} failed:\n{1}")]
    Said(&'static str, String),
    /// A tool ended well and left nothing.
    #[error("{0} made no component: {1}")]
    Nothing(&'static str, &'static str),
    /// The contract's WIT of the project cannot be read.
    #[error("{0}: {1}")]
    Wit(PathBuf, String),
    /// No bindings can be made of the contract.
    #[error("cannot write the contract's bindings: {0}")]
    Bindings(String),
    /// No component can be made of the module.
    #[error("cannot make a component of what the compiler wrote: {0}")]
    Component(String),
    /// The compiled module does not start.
    #[error(transparent)]
    Start(#[from] SnapshotError),
    /// The project or its component is made for another version of the contract.
    #[error(
        "{what} is made for {found}, and this sendbox speaks {expected}: take `wit` and `sdk` of a project that this \
         sendbox writes (`sendbox connector new`), or build with the sendbox that wrote this one"
    )]
    Contract {
        /// The folder or the component.
        what: PathBuf,
        /// Its contract.
        found: String,
        /// This program's.
        expected: String,
    },
    /// No connector.
    #[error("{0} is no connector: {1}")]
    NoConnector(PathBuf, String),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
}

/// Builds a project, and writes its component where its manifest says.
///
/// The toolchain's own messages go to standard error as they come. Blocks until it has ended.
///
/// # Errors
/// Where a tool is missing or fails, and where what it made is no connector for this program's
/// contract.
pub fn build(project: &Project) -> Result<Built, BuildError> {
    let mut contract = Contract::read(project)?;
    let component = match project.language {
        Language::Rust => rust::build(project)?,
        Language::Js => js::build(project)?,
        Language::Python => python::build(project)?,
        Language::Go => go::build(project, &mut contract)?,
        Language::C => c::build(project, &mut contract)?,
        Language::Other => other::build(project, &mut contract)?,
    };
    let path = project.component();
    contract::check_component(&path, &component)?;
    let failed = |error| BuildError::File(path.clone(), error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(&path, &component).map_err(failed)?;
    Ok(Built {
        size: component.len(),
        digest: Digest::of(&component),
        path,
    })
}
