//! The files of a folder that belong to the repository, without asking git: a source archive has none.

use std::fs;
use std::io;
use std::path::Path;

/// What toolchains leave behind.
const OUTPUT: [&str; 6] = [
    "build",
    "dist",
    "node_modules",
    "target",
    "venv",
    "__pycache__",
];

/// The files below a folder, by path from there with `/` between names. Tells cargo of each.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    add(folder, "", &mut found)?;
    found.sort();
    Ok(found)
}

/// Whether nothing in the folder was left out.
fn add(folder: &Path, prefix: &str, found: &mut Vec<String>) -> io::Result<bool> {
    let (mut whole, begin) = (true, found.len());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if is_output(&name) {
            whole = false;
        } else if entry.file_type()?.is_dir() {
            whole &= add(&entry.path(), &format!("{path}/"), found)?;
        } else {
            println!("cargo::rerun-if-changed={}", entry.path().display());
            found.push(path);
        }
    }
    // Cargo looks at all that is in a folder: at one with output in it, after every build.
    if whole && found.len() > begin {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    Ok(whole)
}

fn is_output(name: &str) -> bool {
    let ending = [".wasm", ".egg-info"];
    name.starts_with('.')
        || OUTPUT.contains(&name)
        || ending.iter().any(|ending| name.ends_with(ending))
}
