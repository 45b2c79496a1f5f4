//! Every connector folder is in the bundle, as a component of bounded size.

use connector_bundle::{BUNDLED, component};

/// The first eight bytes of a component (layer 1), not of a core module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// 300 KiB.
const LIMIT: usize = 300 * 1024;

#[test]
fn every_connector_is_a_small_component() {
    for (id, bytes) in BUNDLED {
        assert!(bytes.starts_with(COMPONENT), "{id}");
        assert!(bytes.len() < LIMIT, "{id}: {} bytes", bytes.len());
        println!("{id}: {} bytes", bytes.len());
    }
}

#[test]
fn every_folder_is_found_by_its_name_and_has_a_wire_test() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name != "bundle" && path.join("Cargo.toml").is_file() {
            assert!(component(name).is_some(), "{name} is not bundled");
            assert!(
                path.join("tests/wire.rs").is_file(),
                "{name} has no tests/wire.rs"
            );
        }
    }
    assert!(component("no-such-connector").is_none());
}
