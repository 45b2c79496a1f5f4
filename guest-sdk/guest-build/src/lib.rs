//! Builds wasm components from a build script: one nested cargo call, in a target folder of its own.
//!
//! The folder is `guests` beside the outer profile's, shared by all build scripts of the workspace,
//! so that what connectors have in common compiles once. Cargo's own lock puts them in a queue.

mod depinfo;
mod error;
mod target;

pub use error::Error;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The target that connectors are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// Names a folder with a ready `<package>.wasm` for each package: nothing is built then.
pub const PREBUILT: &str = "SENDBOX_PREBUILT_CONNECTORS";

const PROFILE: &str = "guest";

/// A heap of 256 KiB from the start: a memory that grows during a send costs the host two changes of
/// page protection, about a fifth of the send's CPU. Pages that are not touched cost nothing.
///
/// A variable of cargo's, and its value.
pub const LINKER: (&str, &str) = (
    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
    "-Clink-arg=--initial-heap=262144",
);

/// Inherited variables that are meant for the outer build and would change, wrap or misplace
/// the nested one.
const FOREIGN: [&str; 14] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "RUSTDOCFLAGS",
    "CARGO_ENCODED_RUSTDOCFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_INCREMENTAL",
];

/// Prefixes of more such variables: of clippy, of `cargo llvm-cov`, and what cargo tells one
/// build script about its own package.
const FOREIGN_PREFIXES: [&str; 7] = [
    "CLIPPY_",
    "CARGO_LLVM_COV",
    "LLVM_PROFILE_FILE",
    "CARGO_CFG_",
    "CARGO_FEATURE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
];

/// Builds the packages of this workspace as components, and returns each package's name with the
/// path of its component, a copy in `OUT_DIR`.
///
/// For build scripts only. Prints what makes cargo run the script again: the sources, the
/// contract, the manifests and [`PREBUILT`].
///
/// # Errors
/// Where the target cannot be installed, the nested build fails or a prebuilt component is missing.
pub fn components<S: AsRef<str>>(packages: &[S]) -> Result<Vec<(String, PathBuf)>, Error> {
    let packages: Vec<&str> = packages.iter().map(AsRef::as_ref).collect();
    let out_dir = path_variable("OUT_DIR")?;
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let built = match env::var_os(PREBUILT) {
        Some(folder) => prebuilt(Path::new(&folder), &packages)?,
        None => build(&out_dir, &packages)?,
    };
    let mut components = Vec::with_capacity(built.len());
    for (package, component) in built {
        let copy = out_dir.join(format!("{package}.wasm"));
        replace(&component, &copy)?;
        components.push((package, copy));
    }
    Ok(components)
}

fn prebuilt(folder: &Path, packages: &[&str]) -> Result<Vec<(String, PathBuf)>, Error> {
    let component = |package: &&str| {
        let path = folder.join(format!("{package}.wasm"));
        println!("cargo::rerun-if-changed={}", path.display());
        if path.is_file() {
            Ok(((*package).to_owned(), path))
        } else {
            Err(Error::NotPrebuilt(path))
        }
    };
    packages.iter().map(component).collect()
}

fn build(out_dir: &Path, packages: &[&str]) -> Result<Vec<(String, PathBuf)>, Error> {
    let workspace = workspace_root()?;
    let guests = guests_dir(out_dir)?;
    target::ensure(&guests)?;

    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(&workspace)
        .args([
            "build",
            "--locked",
            "--profile",
            PROFILE,
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(&guests);
    for package in packages {
        cargo.args(["-p", package]);
    }
    for (name, _) in env::vars_os().filter(|(name, _)| is_foreign(name)) {
        cargo.env_remove(name);
    }
    cargo.env(LINKER.0, LINKER.1);
    let status = cargo.status().map_err(Error::Cargo)?;
    if !status.success() {
        return Err(Error::Build(packages.join(", ")));
    }

    let output = guests.join(TARGET).join(PROFILE);
    let mut inputs = depinfo::Inputs::new(&workspace);
    let mut built = Vec::with_capacity(packages.len());
    for package in packages {
        let file = output.join(package.replace('-', "_"));
        inputs.read(&file.with_extension("d"))?;
        built.push(((*package).to_owned(), file.with_extension("wasm")));
    }
    inputs.print();
    Ok(built)
}

fn is_foreign(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    FOREIGN.contains(&name.as_ref()) || FOREIGN_PREFIXES.iter().any(|p| name.starts_with(p))
}

/// The nearest folder above the package with a `Cargo.lock`.
fn workspace_root() -> Result<PathBuf, Error> {
    let package = path_variable("CARGO_MANIFEST_DIR")?;
    let root = package.ancestors().find(|p| p.join("Cargo.lock").is_file());
    root.map(Path::to_owned).ok_or(Error::NoWorkspace)
}

/// `<target>/guests` of `<target>/<profile>/build/<package>/out`.
fn guests_dir(out_dir: &Path) -> Result<PathBuf, Error> {
    let build = out_dir.ancestors().find(|p| p.ends_with("build"));
    let target = build.and_then(Path::parent).and_then(Path::parent);
    let target = target.ok_or_else(|| Error::OutDir(out_dir.to_owned()))?;
    Ok(target.join("guests"))
}

fn path_variable(name: &'static str) -> Result<PathBuf, Error> {
    env::var_os(name)
        .map(PathBuf::from)
        .ok_or(Error::NotABuildScript(name))
}

/// Copies the file unless the copy is the same already: its time stamp would cause a rebuild.
fn replace(from: &Path, to: &Path) -> Result<(), Error> {
    let component = fs::read(from).map_err(|e| Error::File(from.to_owned(), e))?;
    if fs::read(to).is_ok_and(|copy| copy == component) {
        return Ok(());
    }
    fs::write(to, component).map_err(|e| Error::File(to.to_owned(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nested_folder_lies_beside_the_profile_of_the_outer_build() {
        for (out_dir, expected) in [
            ("/t/debug/build/bundle-1a2b/out", "/t/guests"),
            ("/build/t/release/build/bundle-1a2b/out", "/build/t/guests"),
            (
                "/t/x86_64-unknown-linux-gnu/debug/build/b-1/out",
                "/t/x86_64-unknown-linux-gnu/guests",
            ),
        ] {
            assert_eq!(guests_dir(Path::new(out_dir)).unwrap(), Path::new(expected));
        }
        assert!(matches!(
            guests_dir(Path::new("/out")),
            Err(Error::OutDir(_))
        ));
    }

    #[test]
    fn flags_and_wrappers_of_the_outer_build_do_not_reach_the_nested_one() {
        for name in [
            "RUSTFLAGS",
            "RUSTC_WORKSPACE_WRAPPER",
            "CLIPPY_ARGS",
            "CARGO_PKG_NAME",
        ] {
            assert!(is_foreign(OsStr::new(name)), "{name}");
        }
        for name in [
            "PATH",
            "CARGO",
            "CARGO_HOME",
            "CARGO_MAKEFLAGS",
            "RUSTUP_TOOLCHAIN",
            "RUSTC",
        ] {
            assert!(!is_foreign(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_prebuilt_component_is_taken_by_its_packages_name() {
        let name = format!("guest-build-taken-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("some-guest.wasm"), b"\0asm").unwrap();
        let taken = prebuilt(&folder, &["some-guest"]).unwrap();
        assert_eq!(
            taken,
            [("some-guest".to_owned(), folder.join("some-guest.wasm"))]
        );
        let missing = prebuilt(&folder, &["some-guest", "other"]).unwrap_err();
        assert!(missing.to_string().contains("other.wasm"));
        fs::remove_dir_all(folder).unwrap();
    }
}
