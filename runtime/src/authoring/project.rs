//! A connector's project: a folder with a `connector.toml`.

use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::Language;

/// Name of the file that makes a folder a project.
pub const MANIFEST: &str = "connector.toml";

/// A connector's project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// What it is written in.
    pub language: Language,
    /// What the toolchain starts from, within the folder.
    pub entry: PathBuf,
    /// The component that a build writes, within the folder.
    pub output: PathBuf,
    /// Folder of the contract's WIT, from the project's folder: `wit` unless the manifest says so.
    pub wit: PathBuf,
    /// Folder of the SDK's sources, from the project's folder: `sdk` unless the manifest says so.
    pub sdk: PathBuf,
}

/// Why a folder is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is no `connector.toml`, or it cannot be read.
    #[error(
        "{0}: {1}: name a connector's folder, or make one with `sendbox connector new --lang <language> <name>`"
    )]
    Unreadable(PathBuf, io::Error),
    /// It is not TOML, lacks a field or has one that nobody knows.
    #[error("{0}: {1}")]
    Malformed(PathBuf, toml::de::Error),
    /// A path leads out of the folder.
    #[error(
        "{manifest}: `{key}` is {value:?}: it must be a path within the connector's folder, such as {example:?}"
    )]
    Outside {
        /// The manifest.
        manifest: PathBuf,
        /// The field.
        key: &'static str,
        /// What it says.
        value: PathBuf,
        /// What it could say.
        example: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    language: Language,
    entry: PathBuf,
    output: PathBuf,
    #[serde(default = "wit")]
    wit: PathBuf,
    #[serde(default = "sdk")]
    sdk: PathBuf,
}

fn wit() -> PathBuf {
    "wit".into()
}

fn sdk() -> PathBuf {
    "sdk".into()
}

impl Project {
    /// Reads a folder's `connector.toml`.
    ///
    /// # Errors
    /// Where it is missing, malformed, or builds into another folder.
    pub fn read(folder: &Path) -> Result<Self, ProjectError> {
        let path = folder.join(MANIFEST);
        let unreadable = |error| ProjectError::Unreadable(path.clone(), error);
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let folder = std::path::absolute(folder).map_err(unreadable)?;
        let manifest: Manifest =
            toml::from_str(&text).map_err(|error| ProjectError::Malformed(path.clone(), error))?;
        for (key, value, example) in [
            ("entry", &manifest.entry, "src/connector.js"),
            ("output", &manifest.output, "build/connector.wasm"),
        ] {
            if !is_within(value) {
                return Err(ProjectError::Outside {
                    manifest: path,
                    key,
                    value: value.clone(),
                    example,
                });
            }
        }
        Ok(Self {
            folder,
            language: manifest.language,
            entry: manifest.entry,
            output: manifest.output,
            wit: manifest.wit,
            sdk: manifest.sdk,
        })
    }

    /// The component's path.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        self.folder.join(&self.output)
    }

    /// The golden cases: the `.jsonl` files of the folder `cases`, by name.
    ///
    /// # Errors
    /// Where the folder cannot be read; one that is missing has no cases.
    pub fn cases(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(self.folder.join("cases")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut cases = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind == "jsonl") {
                cases.push(path);
            }
        }
        cases.sort();
        Ok(cases)
    }
}

/// Whether a path names something below the folder that it starts from, or the folder itself.
fn is_within(path: &Path) -> bool {
    let inward = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    path != Path::new("") && path.components().all(inward)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(manifest: &str) -> (tempfile::TempDir, Result<Project, ProjectError>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(MANIFEST), manifest).unwrap();
        let project = Project::read(folder.path());
        (folder, project)
    }

    #[test]
    fn a_manifest_says_language_entry_and_output() {
        let text = "language = \"js\"\nentry = \"src/connector.js\"\noutput = \"build/x.wasm\"\n";
        let (folder, project) = project(text);
        let project = project.unwrap();
        assert_eq!(project.language, Language::Js);
        assert_eq!(project.component(), folder.path().join("build/x.wasm"));
        assert_eq!(project.wit, Path::new("wit"));
        assert_eq!(project.cases().unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_path_out_of_the_folder_is_refused_by_its_key() {
        for value in ["/x.wasm", "../x.wasm", "build/../../x.wasm", ""] {
            let text = format!("language = \"c\"\nentry = \"a.c\"\noutput = {value:?}\n");
            let words = project(&text).1.unwrap_err().to_string();
            assert!(words.contains("`output`"), "{words}");
        }
    }

    #[test]
    fn a_folder_without_a_manifest_is_told_how_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let words = Project::read(folder.path()).unwrap_err().to_string();
        assert!(words.contains("connector new --lang"), "{words}");
    }

    #[test]
    fn an_unknown_language_is_answered_with_those_there_are() {
        let words = project("language = \"cobol\"\nentry = \"a\"\noutput = \"b\"\n").1;
        let words = words.unwrap_err().to_string();
        for language in Language::ALL {
            assert!(words.contains(language.name()), "{words}");
        }
    }
}
