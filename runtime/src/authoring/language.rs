//! The languages that projects are written in.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A language of a project: one that has an SDK under `guest-sdk/` and a toolchain that `connector build` runs, or
/// any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust.
    Rust,
    /// JavaScript and TypeScript.
    Js,
    /// Python.
    Python,
    /// Go.
    Go,
    /// C and C++.
    C,
    /// One that has no SDK: a script of the project's runs its compiler.
    Other,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Rust,
        Self::Js,
        Self::Python,
        Self::Go,
        Self::C,
        Self::Other,
    ];

    /// Its name on the command line, in `connector.toml` and of its folder under `guest-sdk/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
            Self::Go => "go",
            Self::C => "c",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
