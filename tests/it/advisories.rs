//! What is locked, held against the table of advisories.

use sendbox::connector::{Advisories, Advisory, ENGINE_VERSION, Severity};
use serde::Deserialize;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: semver::Version,
}

fn lock() -> Lock {
    toml::from_str(include_str!("../../Cargo.lock")).unwrap()
}

/// Package, version and advisory of all that is affected.
fn affected<'t>(lock: &'t Lock, table: &'t Advisories) -> Vec<(&'t Package, &'t Advisory)> {
    let rows = |package: &'t Package| {
        let rows = table.affecting(&package.name, &package.version);
        rows.map(move |row| (package, row))
    };
    lock.package.iter().flat_map(rows).collect()
}

#[test]
fn no_locked_version_is_affected_by_a_known_advisory() {
    let table = Advisories::ours().unwrap();
    let lock = lock();
    let words: Vec<_> = affected(&lock, &table)
        .into_iter()
        .map(|(package, row)| {
            format!(
                "{} {}: {} ({})",
                package.name, package.version, row.id, row.what
            )
        })
        .collect();
    assert!(words.is_empty(), "{words:#?}");
    for package in ["wasmtime", "wasmtime-wasi", "wasmtime-wasi-http", "rustls"] {
        assert!(
            lock.package.iter().any(|locked| locked.name == package),
            "{package} is locked under this name"
        );
        assert!(
            table.rows.iter().any(|row| row.package == package),
            "{package}"
        );
    }
}

#[test]
fn an_older_version_in_the_lock_is_found() {
    let table = Advisories::ours().unwrap();
    let mut lock = lock();
    for package in &mut lock.package {
        if package.name == "wasmtime" {
            package.version = "48.0.0".parse().unwrap();
        }
    }
    let found = affected(&lock, &table);
    assert!(
        found
            .iter()
            .any(|(_, row)| row.severity == Severity::Critical)
    );
    assert!(found.iter().all(|(package, _)| package.name == "wasmtime"));
}

#[test]
fn the_engine_that_is_judged_is_the_one_that_is_locked() {
    let lock = lock();
    let mut locked = lock
        .package
        .iter()
        .filter(|package| package.name == "wasmtime");
    assert_eq!(locked.next().unwrap().version.to_string(), ENGINE_VERSION);
    assert!(locked.next().is_none(), "one engine");
}
