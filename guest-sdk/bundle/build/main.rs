//! Lists the contract, the SDKs and their templates for `include!`.

mod rust;
mod walk;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

/// Folders of an SDK that no project gets a copy of.
const NOT_SDK: [&str; 4] = ["template", "examples", "tests", "testdata"];

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
    for language in ["rust", "js", "python", "go", "c"] {
        let sdk = root.join("guest-sdk").join(language);
        if !sdk.join("template").is_dir() {
            continue;
        }
        for path in walk::files(&sdk)? {
            let first = path.split('/').next().unwrap_or_default();
            if first == "template" {
                files.push((format!("{language}/{path}"), sdk.join(&path)));
            } else if !NOT_SDK.contains(&first) && !path.ends_with("_test.go") {
                files.push((format!("{language}/sdk/{path}"), sdk.join(&path)));
            }
        }
    }
    rust::stand_alone(&root, &out, &mut files)?;
    files.sort();
    fs::write(out.join("files.rs"), source(&files))?;
    Ok(())
}

fn source(files: &[(String, PathBuf)]) -> String {
    let rows = files.iter().map(|(path, file)| row(path, file));
    format!("&[\n{}]\n", rows.collect::<String>())
}

fn row(path: &str, file: &Path) -> String {
    format!("    ({path:?}, include_bytes!({file:?})),\n")
}
