//! The repository's text as the checks see it.

use std::fs;

use sendbox_tests::repository::root;

/// A text file of the repository, or a made-up one.
pub(super) struct File {
    /// From the repository's root.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Below `runtime/src/`, the path from there.
    pub(super) fn in_runtime(&self) -> Option<&str> {
        self.path
            .strip_prefix("runtime/src/")
            .filter(|_| self.is_rust())
    }

    /// Whether the whole file is a test's.
    pub(super) fn is_test(&self) -> bool {
        let folder = |name| {
            self.path.starts_with(&format!("{name}/")) || self.path.contains(&format!("/{name}/"))
        };
        folder("tests") || folder("benches") || self.path.ends_with("tests.rs")
    }

    /// The text before the tests at the end of the file.
    pub(super) fn without_tests(&self) -> &str {
        let end = self
            .text
            .find("\n#[cfg(test)]")
            .map_or(self.text.len(), |at| at + 1);
        &self.text[..end]
    }

    /// The tests at the end of the file, or all of a test's file.
    pub(super) fn tests(&self) -> &str {
        if self.is_test() {
            &self.text
        } else {
            &self.text[self.without_tests().len()..]
        }
    }

    /// Lines with their numbers, comments left out.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Every text file of the repository; build output and hidden folders aside.
pub(super) fn repository() -> Vec<File> {
    let (root, mut files) = (root(), Vec::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let hidden = name.starts_with('.') && ![".ci", ".gitignore"].contains(&name.as_str());
            if hidden || ["target", "node_modules", "sendbox-data"].contains(&name.as_str()) {
                continue;
            }
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The check finds something in each broken file alone, and nothing in the repository.
pub(super) fn holds(check: impl Fn(&[File]) -> Vec<String>, broken: &[(&str, &str)]) {
    for (path, text) in broken {
        let file = File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        assert!(
            !check(&[file]).is_empty(),
            "the check is blind to {path}: {text}"
        );
    }
    let found = check(&repository());
    assert!(
        found.is_empty(),
        "{} found:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// The names of the folders in a folder; none where it does not exist.
pub(super) fn folders(parent: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(parent))
        .into_iter()
        .flatten()
        .map(Result::unwrap);
    let mut names: Vec<_> = entries
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
