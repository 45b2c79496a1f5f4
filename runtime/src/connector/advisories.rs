//! Known advisories, and whether this build's engine may run connectors that strangers wrote.

use std::collections::BTreeSet;

use semver::Version;
use serde::Deserialize;

use super::error::UploadError;
use crate::id::Digest;

/// The engine that is compiled in: wasmtime's crates of one release bear one version.
pub const ENGINE_VERSION: &str = wasmtime_environ::VERSION;

/// The crate whose advisories decide about uploads.
const ENGINE: &str = "wasmtime";

const TABLE: &str = include_str!("advisories.toml");

/// How bad an advisory is for a host of hostile guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Of little use to anybody.
    Low,
    /// Costs the host time or memory, or ends it.
    Moderate,
    /// Reads or breaks what is not the guest's, under conditions.
    High,
    /// A way out of the sandbox.
    Critical,
}

/// One advisory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advisory {
    /// As the advisory database names it.
    pub id: String,
    /// The crate.
    pub package: String,
    /// Every lower version counts as affected.
    pub fixed: Version,
    /// How bad it is.
    pub severity: Severity,
    /// In a few words.
    pub what: String,
}

/// The table of advisories.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advisories {
    /// The day on which somebody last compared it with the databases, such as `2026-11-21`.
    pub checked: String,
    /// Its rows.
    #[serde(rename = "advisory")]
    pub rows: Vec<Advisory>,
}

/// Why a text is no table of advisories.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoriesError {
    /// No TOML, or a row lacks something.
    #[error("advisories.toml: {0}")]
    Syntax(#[from] toml::de::Error),
    /// `checked` is no day.
    #[error("advisories.toml: checked must be a day such as 2026-11-21, and is '{0}'")]
    Day(String),
    /// Two rows with one id.
    #[error("advisories.toml: {0} stands in it twice")]
    Twice(String),
    /// A row without words.
    #[error("advisories.toml: {0} says nothing")]
    Empty(String),
}

impl Advisories {
    /// The table that is compiled in.
    ///
    /// # Errors
    /// As [`Advisories::parse`]; a test keeps it from being released.
    pub fn ours() -> Result<Self, AdvisoriesError> {
        Self::parse(TABLE)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`AdvisoriesError`] names the row that is wrong.
    pub fn parse(text: &str) -> Result<Self, AdvisoriesError> {
        let table: Self = toml::from_str(text)?;
        let midnight = format!("{}T00:00:00Z", table.checked);
        if table.checked.len() != 10 || humantime::parse_rfc3339(&midnight).is_err() {
            return Err(AdvisoriesError::Day(table.checked));
        }
        let mut seen = BTreeSet::new();
        for row in &table.rows {
            if !seen.insert(&row.id) {
                return Err(AdvisoriesError::Twice(row.id.clone()));
            }
            if row.package.is_empty() || row.what.is_empty() {
                return Err(AdvisoriesError::Empty(row.id.clone()));
            }
        }
        Ok(table)
    }

    /// The rows that a version of a package is affected by.
    pub fn affecting<'t>(
        &'t self,
        package: &'t str,
        version: &'t Version,
    ) -> impl Iterator<Item = &'t Advisory> {
        self.rows
            .iter()
            .filter(move |row| row.package == package && *version < row.fixed)
    }
}

/// Whose components this build's engine may run.
#[derive(Debug)]
pub(super) enum Trust {
    /// Everybody's.
    Everyone,
    /// Only those that come with the program: the engine has a known way out of the sandbox.
    BuiltIn {
        advisory: String,
        built_in: BTreeSet<Digest>,
    },
}

impl Trust {
    /// Judges an engine's version by a table.
    pub(super) fn in_engine(
        version: &Version,
        table: &Advisories,
        built_in: &BTreeSet<Digest>,
    ) -> Self {
        let mut known = table.affecting(ENGINE, version);
        let Some(worst) = known.find(|row| row.severity == Severity::Critical) else {
            return Self::Everyone;
        };
        tracing::error!(
            engine = %version, advisory = worst.id, fixed = %worst.fixed,
            "the engine has a known way out of the sandbox: only built-in connectors are run; update this server"
        );
        Self::BuiltIn {
            advisory: worst.id.clone(),
            built_in: built_in.clone(),
        }
    }

    /// Whether a component may be run.
    pub(super) fn admits(&self, digest: Digest) -> Result<(), UploadError> {
        match self {
            Self::BuiltIn { advisory, built_in } if !built_in.contains(&digest) => {
                Err(UploadError::UnsafeEngine {
                    advisory: advisory.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(engine: &str) -> Trust {
        let built_in = BTreeSet::from([Digest::of(b"built in")]);
        let table = Advisories::ours().unwrap();
        Trust::in_engine(&engine.parse().unwrap(), &table, &built_in)
    }

    #[test]
    fn an_engine_with_a_known_way_out_runs_built_in_connectors_only() {
        let (built_in, uploaded) = (Digest::of(b"built in"), Digest::of(b"a stranger's"));
        for affected in ["47.0.2", "48.0.0", "48.0.4"] {
            let trust = trust(affected);
            assert_eq!(trust.admits(built_in), Ok(()), "{affected}");
            let refused = trust.admits(uploaded).unwrap_err();
            assert_eq!(refused.code(), "upload.engine-unsafe");
            assert!(
                refused.to_string().contains("GHSA-32h6-97mm-8q3c"),
                "{refused}"
            );
        }
        for fixed in ["48.0.5", ENGINE_VERSION, "49.0.0"] {
            assert_eq!(trust(fixed).admits(uploaded), Ok(()), "{fixed}");
        }
    }

    #[test]
    fn a_malformed_table_is_refused_with_its_row() {
        let table = |day: &str, rows: &str| {
            let rows = rows.replace(
                "ROW",
                "[[advisory]]\npackage = \"p\"\nfixed = \"1.0.0\"\nseverity = \"high\"\nwhat = \"w\"\n",
            );
            Advisories::parse(&format!("checked = \"{day}\"\n{rows}"))
        };
        assert!(table("2026-11-21", "ROWid = \"A\"").is_ok());
        for (day, rows, words) in [
            ("2026-13-21", "ROWid = \"A\"", "2026-13-21"),
            ("2026-11-21", "ROWid = \"A\"\nROWid = \"A\"", "A stands"),
            ("2026-11-21", "ROWid = \"A\"\nlink = \"x\"", "link"),
            ("2026-11-21", "ROW", "id"),
            ("2026-11-21", "", "advisory"),
        ] {
            let error = table(day, rows).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let row = "[[advisory]]\nid = \"A\"\npackage = \"p\"\nfixed = \"1.0\"\nseverity = \"high\"\nwhat = \"w\"";
        assert!(table("2026-11-21", row).is_err(), "1.0 is no version");
        let row = row.replace("1.0", "1.0.0").replace("high", "awful");
        assert!(table("2026-11-21", &row).is_err());
    }
}
