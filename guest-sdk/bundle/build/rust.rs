//! The Rust SDK outside this workspace: what it inherits here must be written out there.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// The SDK's package.
const PACKAGE: &str = "sendbox-guest";

/// Where the SDK's bindings find the contract: in this repository, and in a project.
const CONTRACT: [&str; 2] = ["path: \"../../wit\"", "path: \"../wit\""];

/// Puts the files that differ in a project in the place of the repository's, and adds a lock file.
pub(crate) fn stand_alone(
    root: &Path,
    out: &Path,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), Box<dyn Error>> {
    for name in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(name).display());
    }
    let sdk = root.join("guest-sdk/rust");
    let read = |path: PathBuf| fs::read_to_string(path);
    let workspace: Table = read(root.join("Cargo.toml"))?.parse()?;
    let package: Table = read(sdk.join("Cargo.toml"))?.parse()?;
    let manifest = manifest(package, &workspace).ok_or("Cargo.toml of guest-sdk/rust: a field")?;
    let lock: Table = read(root.join("Cargo.lock"))?.parse()?;
    let lock = lock_file(&lock, &manifest).ok_or("Cargo.lock: a field")?;

    let [here, there] = CONTRACT;
    let wasm = read(sdk.join("src/wasm.rs"))?;
    if wasm.matches(here).count() != 1 {
        return Err(format!("guest-sdk/rust/src/wasm.rs does not say {here} once").into());
    }
    for (path, text) in [
        ("rust/sdk/Cargo.toml", toml::to_string(&manifest)?),
        ("rust/sdk/src/wasm.rs", wasm.replace(here, there)),
        ("rust/template/Cargo.lock", toml::to_string(&lock)?),
    ] {
        let made = out.join(path.replace('/', "-"));
        fs::write(&made, text)?;
        files.retain(|(known, _)| known != path);
        files.push((path.to_owned(), made));
    }
    Ok(())
}

/// The package's manifest without what only this workspace has.
fn manifest(mut package: Table, workspace: &Table) -> Option<Table> {
    let workspace = workspace.get("workspace")?.as_table()?;
    package.remove("lints");
    package.remove("dev-dependencies");
    inherit(package.get_mut("package")?, workspace.get("package")?)?;
    let shared = workspace.get("dependencies")?;
    inherit(package.get_mut("dependencies")?, shared)?;
    let targets = package.get_mut("target")?.as_table_mut()?;
    for (_, target) in targets.iter_mut() {
        inherit(target.get_mut("dependencies")?, shared)?;
    }
    Some(package)
}

/// Replaces `workspace = true` by what the workspace says, and keeps what is said besides.
fn inherit(table: &mut Value, workspace: &Value) -> Option<()> {
    for (name, value) in table.as_table_mut()?.iter_mut() {
        let Some(own) = value.as_table().filter(|own| own.contains_key("workspace")) else {
            continue;
        };
        let mut merged = match workspace.get(name)? {
            Value::Table(shared) => shared.clone(),
            scalar if own.len() == 1 => {
                *value = scalar.clone();
                continue;
            }
            version => Table::from_iter([("version".to_owned(), version.clone())]),
        };
        for (key, said) in own.iter().filter(|(key, _)| *key != "workspace") {
            match (merged.get_mut(key), said) {
                (Some(Value::Array(shared)), Value::Array(own)) => shared.extend(own.clone()),
                _ => drop(merged.insert(key.clone(), said.clone())),
            }
        }
        *value = Value::Table(merged);
    }
    Some(())
}

/// This workspace's locked versions of all that the SDK needs, for a project that needs nothing
/// else. Cargo drops what a project turns out not to use.
fn lock_file(lock: &Table, manifest: &Table) -> Option<Table> {
    let rows = lock.get("package")?.as_array()?;
    let mut by_name: BTreeMap<&str, Vec<&Table>> = BTreeMap::new();
    for row in rows.iter().filter_map(Value::as_table) {
        by_name
            .entry(row.get("name")?.as_str()?)
            .or_default()
            .push(row);
    }
    let mut sdk = (*by_name.get(PACKAGE)?.first()?).clone();
    let used = dependencies(manifest);
    if let Some(Value::Array(locked)) = sdk.get_mut("dependencies") {
        let name = |row: &Value| Some(row.as_str()?.split(' ').next()?.to_owned());
        locked.retain(|row| name(row).is_some_and(|name| used.contains(&name)));
    }
    let project = [
        ("name", Value::from("{{name}}")),
        ("version", Value::from("0.1.0")),
        (
            "dependencies",
            Value::from(vec![PACKAGE.to_owned(), "serde".to_owned()]),
        ),
    ];
    let project = project.map(|(key, value)| (key.to_owned(), value));

    let mut packages = vec![Value::Table(Table::from_iter(project))];
    let (mut seen, mut open) = (BTreeSet::new(), vec![&sdk]);
    while let Some(package) = open.pop() {
        packages.push(Value::Table(package.clone()));
        let needs = package.get("dependencies").and_then(Value::as_array);
        for need in needs.into_iter().flatten().filter_map(Value::as_str) {
            // `name`, or `name version` where there is more than one.
            let (name, version) = need.split_once(' ').unwrap_or((need, ""));
            let mut known = by_name.get(name)?.iter();
            let row = known.find(|row| {
                version.is_empty() || row.get("version").and_then(Value::as_str) == Some(version)
            })?;
            if seen.insert((name, row.get("version")?.as_str()?)) {
                open.push(row);
            }
        }
    }
    Some(Table::from_iter([
        ("version".to_owned(), lock.get("version")?.clone()),
        ("package".to_owned(), Value::Array(packages)),
    ]))
}

/// The names of all dependencies, whatever they are for.
fn dependencies(manifest: &Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values());
    let tables = targets.filter_map(|target| target.get("dependencies"));
    let tables = tables.chain(manifest.get("dependencies"));
    tables
        .filter_map(Value::as_table)
        .flat_map(Table::keys)
        .cloned()
        .collect()
}
