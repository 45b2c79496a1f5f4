//! Lists the contract, the SDKs and their templates for `include!`.

mod rust;
mod walk;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

/// Each language's folder here, and what of it is the SDK that a project gets a copy of. Tests,
/// examples and what builds them stay here.
const SDKS: [(&str, &[&str]); 6] = [
    ("rust", &["Cargo.toml", "src/"]),
    ("js", &["sdk/"]),
    (
        "python",
        &["README.md", "sendbox_guest/", "sendbox_link/", "world/"],
    ),
    ("go", GO),
    ("c", &["include/", "src/", "testing/", "wasm/"]),
    ("other", &[]),
];

/// A Go module is its whole folder.
const GO: &[&str] = &[""];
const NOT_GO: [&str; 4] = ["examples/", "tests/", "go.work", "README.md"];

fn main() -> ExitCode {
    match list() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let root = fs::canonicalize("../..")?;
    let mut files = Vec::new();
    for path in walk::files(&root.join("wit"))? {
        files.push((format!("wit/{path}"), root.join("wit").join(path)));
    }
    for (language, parts) in SDKS {
        let folder = root.join("guest-sdk").join(language);
        if !folder.join("template").is_dir() {
            // What is not there yet is looked for again at every build.
            println!("cargo::rerun-if-changed={}/template", folder.display());
            continue;
        }
        for path in walk::files(&folder)? {
            let file = folder.join(&path);
            if path.starts_with("template/") {
                files.push((format!("{language}/{path}"), file));
            } else if parts.iter().any(|part| path.starts_with(part)) && !stays(language, &path) {
                // What is called so already is not put into one more folder of the name.
                let path = path.strip_prefix("sdk/").unwrap_or(&path);
                files.push((format!("{language}/sdk/{path}"), file));
            }
        }
    }
    rust::stand_alone(&root, &out, &mut files)?;
    files.sort();
    fs::write(out.join("files.rs"), source(&files))?;
    Ok(())
}

/// Whether a file of an SDK's folder is of no use in a project.
fn stays(language: &str, path: &str) -> bool {
    language == "go"
        && (path.ends_with("_test.go") || NOT_GO.iter().any(|part| path.starts_with(part)))
}

fn source(files: &[(String, PathBuf)]) -> String {
    let rows = files.iter().map(|(path, file)| row(path, file));
    format!("&[\n{}]\n", rows.collect::<String>())
}

fn row(path: &str, file: &Path) -> String {
    format!("    ({path:?}, include_bytes!({file:?})),\n")
}
