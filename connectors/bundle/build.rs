//! Builds every connector beside this folder, and lists the components for `include!`.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    match bundle() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn bundle() -> Result<(), Box<dyn std::error::Error>> {
    let connectors = connectors()?;
    let mut list = String::from("&[\n");
    for (id, component) in guest_build::components(&connectors)? {
        list.push_str(&format!("    ({id:?}, include_bytes!({component:?})),\n"));
    }
    list.push_str("]\n");
    let out_dir = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out_dir).join("bundled.rs"), list)?;
    Ok(())
}

/// The folders beside this one, in alphabetical order: each is a package of the same name.
fn connectors() -> io::Result<Vec<String>> {
    println!("cargo::rerun-if-changed=..");
    println!("cargo::rerun-if-changed=build.rs");
    let mut connectors = Vec::new();
    for entry in fs::read_dir("..")? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "bundle" && entry.path().join("Cargo.toml").is_file() {
            connectors.push(name);
        }
    }
    connectors.sort();
    Ok(connectors)
}
