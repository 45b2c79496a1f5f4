//! What component tools do elsewhere: bindings of the contract, and a component of a core module.

use std::fs;
use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::BuildError;
use super::contract::Contract;

/// Writes a language's bindings of the contract into `folder`, which holds nothing else afterwards.
/// A file that is there already stays untouched: compilers look at its time.
pub(super) fn write_glue(
    contract: &mut Contract,
    mut generator: Box<dyn WorldGenerator>,
    folder: &Path,
) -> Result<(), BuildError> {
    let mut files = Files::default();
    generator
        .generate(&mut contract.resolve, contract.world, &mut files)
        .map_err(|error| BuildError::Bindings(format!("{error:#}")))?;
    for (name, bytes) in files.iter() {
        update(&folder.join(name), bytes)?;
    }
    Ok(())
}

/// Writes a file that is not the same already.
pub(super) fn update(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    if fs::read(path).is_ok_and(|known| known == bytes) {
        return Ok(());
    }
    let failed = |error| BuildError::File(path.to_owned(), error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, bytes).map_err(failed)
}

/// Says in a core module which world it is made for; C's bindings have done so already.
pub(super) fn embed(contract: &Contract, module: &mut Vec<u8>) -> Result<(), BuildError> {
    embed_component_metadata(
        module,
        &contract.resolve,
        contract.world,
        StringEncoding::UTF8,
    )
    .map_err(|error| BuildError::Component(format!("{error:#}")))
}

/// A component of a core module that speaks WASI's first preview.
pub(super) fn encode(module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let encoder = ComponentEncoder::default().validate(true).module(module);
    let encoder = encoder.and_then(|encoder| {
        encoder.adapter(
            WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        )
    });
    encoder
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| BuildError::Component(format!("{error:#}")))
}
