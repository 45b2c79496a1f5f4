//! A language without an SDK: its compiler is called by the project's own script, and its core module made into a
//! component here.

use std::fs;
use std::io;

use super::contract::Contract;
use super::{BuildError, component, toolchain};
use crate::authoring::Project;

/// Where C's bindings of the contract lie, from the project's folder.
const BINDINGS: &str = "build/bindings";

/// What the script leaves, from the project's folder.
const MODULE: &str = "build/core.wasm";

/// What a component begins with, and no core module (Component Model, Binary.md).
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

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
    if module.starts_with(COMPONENT) {
        return Ok(module);
    }
    if !says_its_world(&module)? {
        component::embed(contract, &mut module)?;
    }
    component::encode(&module)
}

/// Whether a section of the module's says which world it is made for, as C's bindings have it.
fn says_its_world(module: &[u8]) -> Result<bool, BuildError> {
    let (stripped, _) = wit_component::metadata::decode(module)
        .map_err(|error| BuildError::Component(format!("{error:#}")))?;
    Ok(stripped.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_told_from_a_module_and_a_module_from_bytes() {
        let module = wat::parse_str("(module)").unwrap();
        assert!(!module.starts_with(COMPONENT) && !says_its_world(&module).unwrap());
        assert!(
            wat::parse_str("(component)")
                .unwrap()
                .starts_with(COMPONENT)
        );
        assert!(says_its_world(b"no module").is_err());
    }
}
