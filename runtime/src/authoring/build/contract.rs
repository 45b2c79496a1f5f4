//! Which version of the contract a project and its component are made for.

use std::path::Path;

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{PackageName, Resolve, WorldKey};

use super::BuildError;

/// The contract's package.
const NAMESPACE: &str = "sendbox";
const NAME: &str = "connector";
/// What a connector exports.
const SEND_MESSAGE: &str = "send-message";

/// Refuses a folder of WIT that is none of the contract, or another version of it.
pub(super) fn check_wit(folder: &Path) -> Result<(), BuildError> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir(folder)
        .map_err(|error| BuildError::Wit(folder.to_owned(), format!("{error:#}")))?;
    let found = resolve.packages.get(package).map(|package| &package.name);
    found.map_or(Ok(()), |found| check(folder, found))
}

/// Refuses a component that exports no `send-message`, or that of another version.
pub(super) fn check_component(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let none = |words: String| BuildError::NoConnector(path.to_owned(), words);
    let (resolve, world) = match decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => return Err(none("it holds WIT, and no code".into())),
        Err(error) => return Err(none(format!("{error:#}"))),
    };
    let exports = resolve
        .worlds
        .get(world)
        .into_iter()
        .flat_map(|world| world.exports.keys());
    let mut packages = exports
        .filter_map(|export| match export {
            WorldKey::Interface(id) => resolve.interfaces.get(*id),
            WorldKey::Name(_) => None,
        })
        .filter(|interface| interface.name.as_deref() == Some(SEND_MESSAGE))
        .filter_map(|interface| resolve.packages.get(interface.package?))
        .map(|package| &package.name);
    match packages.find(|name| name.namespace == NAMESPACE && name.name == NAME) {
        Some(found) => check(path, found),
        None => Err(none(format!(
            "it does not export {NAMESPACE}:{NAME}/{SEND_MESSAGE}"
        ))),
    }
}

fn check(what: &Path, found: &PackageName) -> Result<(), BuildError> {
    let (found, expected) = (found.to_string(), ours());
    if found == expected {
        return Ok(());
    }
    Err(BuildError::Contract {
        what: what.to_owned(),
        found,
        expected: expected.to_owned(),
    })
}

/// This program's contract, as its WIT names it.
fn ours() -> &'static str {
    let texts = sdk_bundle::contract().filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok());
    let mut names = texts.filter_map(|text| text.strip_prefix("package ")?.split(';').next());
    names.next().unwrap_or_default()
}
