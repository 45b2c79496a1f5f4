//! What a built component was made of, from the `.d` files that cargo leaves beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// Files and folders whose change asks for a new build.
pub(crate) struct Inputs(BTreeSet<PathBuf>);

impl Inputs {
    /// What every component depends on: the contract, the lock file and the build profile.
    pub(crate) fn new(workspace: &Path) -> Self {
        let common = ["wit", "Cargo.lock", "Cargo.toml"];
        Self(common.iter().map(|name| workspace.join(name)).collect())
    }

    /// Adds a component's sources, and the manifest of each package that they belong to.
    pub(crate) fn read(&mut self, file: &Path) -> Result<(), Error> {
        let text = fs::read_to_string(file).map_err(|e| Error::File(file.to_owned(), e))?;
        for source in sources(&text) {
            let manifests = source.ancestors().skip(1).map(|p| p.join("Cargo.toml"));
            self.0.extend(manifests.into_iter().find(|m| m.is_file()));
            self.0.insert(source);
        }
        Ok(())
    }

    /// Tells cargo.
    pub(crate) fn print(&self) {
        for input in &self.0 {
            println!("cargo::rerun-if-changed={}", input.display());
        }
    }
}

/// The paths behind the colon of each rule; a space within a path is written `\ `.
fn sources(text: &str) -> Vec<PathBuf> {
    const SPACE: char = '\0';
    let rules = text.lines().filter_map(|line| line.split_once(": "));
    let paths = rules.flat_map(|(_, paths)| {
        let escaped = paths.replace("\\ ", &SPACE.to_string());
        let paths = escaped.split_whitespace();
        paths
            .map(|path| PathBuf::from(path.replace(SPACE, " ")))
            .collect::<Vec<_>>()
    });
    paths.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_with_their_spaces() {
        let text = "/t/guest/a.wasm: /w/a\\ b/src/lib.rs /w/wit/http.wit\n\n/t/x.d:\n";
        assert_eq!(
            sources(text),
            [
                PathBuf::from("/w/a b/src/lib.rs"),
                PathBuf::from("/w/wit/http.wit")
            ]
        );
    }

    #[test]
    fn the_manifest_of_each_source_counts_as_well() {
        let root = std::env::temp_dir().join(format!("guest-build-rule-{}", std::process::id()));
        let source = root.join("guest/src/lib.rs");
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, "").unwrap();
        fs::write(root.join("guest/Cargo.toml"), "").unwrap();
        let rule = root.join("guest.d");
        fs::write(&rule, format!("x.wasm: {}", source.display())).unwrap();

        let mut inputs = Inputs::new(&root);
        inputs.read(&rule).unwrap();
        assert!(inputs.0.contains(&source));
        assert!(inputs.0.contains(&root.join("guest/Cargo.toml")));
        assert!(inputs.0.contains(&root.join("wit")));
        fs::remove_dir_all(root).unwrap();
    }
}
