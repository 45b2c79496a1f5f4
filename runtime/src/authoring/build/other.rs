//! A language without an SDK: its compiler is called by the project's own script, and its core module made into a
//! component here.

use std::fs;
use std::io;

use wasmparser::{Encoding, Parser, Payload};

use super::contract::Contract;
use super::{BuildError, component, toolchain};
use crate::authoring::Project;

/// Where C's bindings of the contract lie, from the project's folder.
const BINDINGS: &str = "build/bindings";

/// What the script leaves, from the project's folder.
const MODULE: &str = "build/core.wasm";

/// What a custom section's name starts with that says which world a module is made for.
const WORLD: &str = "component-type";

/// Runs the project's entry with `sh`. What it leaves may be a core module, or a component already.
pub(super) fn build(project: &Project, contract: &mut Contract) -> Result<Vec<u8>, BuildError> {
    let bindings = project.folder.join(BINDINGS);
    let generator = wit_bindgen_c::Opts::default().build();
    component::write_glue(contract, generator, &bindings)?;

    let path = project.folder.join(MODULE);
    let failed = |error| BuildError::File(path.clone(), error);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut command = toolchain::command(project, "sh");
    toolchain::run("the project's script", command.arg(&project.entry))?;
    let mut module = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let missing = "it must leave a core module or a component in build/core.wasm";
            return Err(BuildError::Nothing("the project's script", missing));
        }
        read => read.map_err(failed)?,
    };
    match kind(&module)? {
        Kind::Component => return Ok(module),
        Kind::Module { with_world: true } => {}
        Kind::Module { with_world: false } => component::embed(contract, &mut module)?,
    }
    component::encode(&module)
}

enum Kind {
    Module { with_world: bool },
    Component,
}

fn kind(bytes: &[u8]) -> Result<Kind, BuildError> {
    let mut with_world = false;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| BuildError::Component(error.to_string()))? {
            Payload::Version {
                encoding: Encoding::Component,
                ..
            } => return Ok(Kind::Component),
            Payload::CustomSection(section) => with_world |= section.name().starts_with(WORLD),
            _ => {}
        }
    }
    Ok(Kind::Module { with_world })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(text: &str) -> Option<bool> {
        match kind(&wat::parse_str(text).unwrap()).unwrap() {
            Kind::Component => None,
            Kind::Module { with_world } => Some(with_world),
        }
    }

    #[test]
    fn a_module_is_told_from_one_that_says_its_world_and_from_a_component() {
        assert_eq!(world("(module)"), Some(false));
        let section = r#"(module (@custom "component-type:connector" "x"))"#;
        assert_eq!(world(section), Some(true));
        let component = r#"(component (core module (@custom "component-type" "x")))"#;
        assert_eq!(world(component), None);
        assert!(kind(b"no module").is_err());
    }
}
