//! The sources of a project: what a build reads, without what builds and package managers write.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Language, Project};

/// Folders that tools write. A hidden folder is one, too.
const WRITTEN: [&str; 8] = [
    "build",
    "target",
    "node_modules",
    "venv",
    "bindings",
    "dist",
    "__pycache__",
    "vendor",
];
/// Files that are looked at.
const FILES_MAX: usize = 5_000;
/// Bytes of a source file that is read as text.
const BYTES_MAX: u64 = 1 << 20;

/// The state of a project's sources: changed when any of them has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(Vec<(PathBuf, Option<SystemTime>, u64)>);

impl Sources {
    /// Looks at every source below a project's folder.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        let output = project.component();
        let mut files = Vec::new();
        let mut folders = vec![project.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let (path, kind) = (entry.path(), entry.file_type());
                if name.starts_with('.') || path == output || files.len() >= FILES_MAX {
                    continue;
                }
                match kind {
                    Ok(kind) if kind.is_dir() && WRITTEN.contains(&name.as_ref()) => {}
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() => {
                        let about = entry.metadata().ok();
                        let changed = about.as_ref().and_then(|about| about.modified().ok());
                        files.push((path, changed, about.map_or(0, |about| about.len())));
                    }
                    _ => {}
                }
            }
        }
        files.sort();
        Self(files)
    }

    /// The first file that differs from `before`, for people.
    #[must_use]
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> Option<&'a Path> {
        let known = |file: &&(PathBuf, Option<SystemTime>, u64)| before.0.contains(file);
        let new = self.0.iter().find(|file| !known(file));
        let gone = before
            .0
            .iter()
            .find(|(path, ..)| !self.0.iter().any(|(other, ..)| path == other));
        new.or(gone).map(|(path, ..)| path.as_path())
    }

    /// The texts of all of them.
    #[must_use]
    pub fn texts(&self) -> Vec<(PathBuf, String)> {
        let small = self.0.iter().filter(|(.., size)| *size <= BYTES_MAX);
        let read = |path: &PathBuf| Some((path.clone(), std::fs::read_to_string(path).ok()?));
        small.filter_map(|(path, ..)| read(path)).collect()
    }
}

/// How each language's standard library draws random numbers.
const fn draws(language: Language) -> &'static [&'static str] {
    match language {
        Language::Js => &["Math.random(", "randomUUID(", "getRandomValues("],
        Language::Python => &["random.", "uuid.uuid4(", "secrets.token", "os.urandom("],
        Language::Go => &["rand.", "uuid.New"],
        Language::C => &["rand(", "getentropy(", "arc4random"],
        Language::Rust => &["rand::", "getrandom", "Uuid::new_v4("],
        // Nobody knows its words: what the sends draw is all that is looked at.
        Language::Other => &[],
    }
}

/// Where the author's own sources draw random numbers: `src/connector.js:12: Math.random(`.
pub(super) fn draws_in(project: &Project, texts: &[(PathBuf, String)]) -> Vec<String> {
    let (sdk, wit) = (
        project.folder.join(&project.sdk),
        project.folder.join(&project.wit),
    );
    let extensions: &[&str] = match project.language {
        Language::Js => &["js", "mjs", "ts"],
        Language::Python => &["py"],
        Language::Go => &["go"],
        Language::C => &["c", "cc", "cpp", "h"],
        Language::Rust => &["rs"],
        Language::Other => &[],
    };
    let mut found = Vec::new();
    for (path, text) in texts {
        let kind = path.extension().and_then(|kind| kind.to_str());
        let own = !path.starts_with(&sdk) && !path.starts_with(&wit);
        if !own || !kind.is_some_and(|kind| extensions.contains(&kind)) {
            continue;
        }
        let name = path.strip_prefix(&project.folder).unwrap_or(path).display();
        for (index, line) in text.lines().enumerate() {
            let mut words = draws(project.language).iter();
            if let Some(word) = words.find(|word| line.contains(**word)) {
                found.push(format!("{name}:{}: {word}", index + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(folder: &Path) -> Project {
        let manifest = "language = \"js\"\nentry = \"src/a.js\"\noutput = \"build/a.wasm\"\n";
        std::fs::write(folder.join("connector.toml"), manifest).unwrap();
        for name in ["src", "build", "node_modules", "sdk"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        std::fs::write(folder.join("src/a.js"), "// one\nlet id = Math.random();\n").unwrap();
        std::fs::write(folder.join("sdk/b.js"), "Math.random();\n").unwrap();
        std::fs::write(folder.join("build/a.wasm"), "x").unwrap();
        std::fs::write(folder.join("node_modules/c.js"), "x").unwrap();
        Project::read(folder).unwrap()
    }

    #[test]
    fn only_what_an_author_writes_counts_as_changed() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        let before = Sources::of(&project);
        std::fs::write(folder.path().join("build/a.wasm"), "another").unwrap();
        std::fs::write(folder.path().join("node_modules/c.js"), "another").unwrap();
        assert_eq!(Sources::of(&project).changed_since(&before), None);
        let source = project.folder.join("src/a.js");
        std::fs::write(&source, "// one more line\n").unwrap();
        let after = Sources::of(&project);
        assert_eq!(after.changed_since(&before), Some(source.as_path()));
    }

    #[test]
    fn random_numbers_of_the_author_are_found_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        let texts = Sources::of(&project).texts();
        assert_eq!(draws_in(&project, &texts), ["src/a.js:2: Math.random("]);
    }
}
