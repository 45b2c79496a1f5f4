//! Which version of the contract a project and its component are made for.

use std::path::Path;

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{PackageName, Resolve, WorldId, WorldKey};

use super::BuildError;
use crate::authoring::Project;

/// The contract's package.
const NAMESPACE: &str = "sendbox";
const NAME: &str = "connector";
/// The world that a connector lives in.
const WORLD: &str = "connector";
/// What a connector exports.
const SEND_MESSAGE: &str = "send-message";

/// The contract as a project has it.
pub(super) struct Contract {
    pub(super) resolve: Resolve,
    pub(super) world: WorldId,
}

impl Contract {
    /// Reads a project's folder of WIT.
    ///
    /// # Errors
    /// Where it is not the contract, or another version of it.
    pub(super) fn read(project: &Project) -> Result<Self, BuildError> {
        let folder = project.folder.join(&project.wit);
        let wrong = |words| BuildError::Wit(folder.clone(), words);
        let mut resolve = Resolve::default();
        let pushed = resolve.push_dir(&folder);
        let (package, _) = pushed.map_err(|error| wrong(format!("{error:#}")))?;
        if let Some(found) = resolve.packages.get(package) {
            check(&folder, &found.name)?;
        }
        let world = resolve.select_world(&[package], Some(WORLD));
        let world = world.map_err(|error| wrong(format!("{error:#}")))?;
        Ok(Self { resolve, world })
    }
}

/// Refuses a component that exports no `send-message`, or that of another version.
pub(super) fn check_component(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let none = |words: String| BuildError::NoConnector(path.to_owned(), words);
    let (resolve, world) = match decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => return Err(none("it holds WIT, and no code".into())),
        Err(error) => return Err(none(format!("{error:#}"))),
    };
    let world = resolve.worlds.get(world).into_iter();
    let interfaces =
        world
            .flat_map(|world| world.exports.keys())
            .filter_map(|export| match export {
                WorldKey::Interface(id) => resolve.interfaces.get(*id),
                WorldKey::Name(_) => None,
            });
    let mut packages = interfaces
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
