//! Compiled components on disk, each with the host's MAC: nothing is mapped that this host did not write.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::error::ConnectorError;
use crate::id::Digest;
use crate::secret::{DataKey, write_private};

/// The folder of compiled components.
#[derive(Clone, Debug)]
pub(super) struct Artifacts {
    folder: PathBuf,
    key: Arc<DataKey>,
    /// Stands for engine version, target and configuration.
    compatibility: u64,
}

impl Artifacts {
    /// Opens `folder`, made private if it is new.
    pub(super) fn open(
        folder: &Path,
        key: Arc<DataKey>,
        engine: &Engine,
    ) -> Result<Self, ConnectorError> {
        make_private(folder).map_err(|error| {
            let folder = folder.display();
            ConnectorError::Engine(format!(
                "the folder of compiled components {folder}: {error}"
            ))
        })?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            folder: folder.to_owned(),
            key,
            compatibility: hasher.finish(),
        })
    }

    fn paths(&self, digest: Digest) -> (PathBuf, PathBuf) {
        let name = format!("{digest}-{:016x}", self.compatibility);
        (
            self.folder.join(format!("{name}.cwasm")),
            self.folder.join(format!("{name}.mac")),
        )
    }

    /// Deletes what is compiled of a component.
    pub(super) fn delete(&self, digest: Digest) {
        let (code_path, mac_path) = self.paths(digest);
        for path in [code_path, mac_path] {
            // A file that is not there needs no deleting, and one that stays is swept at the next start.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Deletes what is compiled of components other than `keep`, or for another engine. Blocks on the disk.
    pub(super) fn keep_only(&self, keep: &BTreeSet<Digest>) -> std::io::Result<()> {
        let kept: BTreeSet<PathBuf> = keep
            .iter()
            .flat_map(|digest| <[_; 2]>::from(self.paths(*digest)))
            .collect();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_ours = path
                .extension()
                .is_some_and(|end| end == "cwasm" || end == "mac");
            if is_ours && !kept.contains(&path) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn mac(&self, digest: Digest, code: &[u8]) -> [u8; 32] {
        self.key.mac(&[
            b"sendbox artifact v1",
            digest.as_bytes(),
            &self.compatibility.to_be_bytes(),
            code,
        ])
    }

    /// Keeps the compiled `code` of a component.
    pub(super) fn write(&self, digest: Digest, code: &[u8]) -> std::io::Result<()> {
        let (code_path, mac_path) = self.paths(digest);
        write_private(&code_path, code)?;
        write_private(&mac_path, &self.mac(digest, code))
    }

    /// The compiled component, if there is one that this host wrote with this engine.
    /// Blocks on the disk.
    pub(super) fn read(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let (code_path, mac_path) = self.paths(digest);
        let code = std::fs::read(&code_path).ok()?;
        let written = std::fs::read(&mac_path).ok()?;
        if !same(&written, &self.mac(digest, &code)) {
            tracing::warn!(%digest, "a compiled component does not match its MAC; compiling again");
            return None;
        }
        drop(code);
        map(engine, &code_path)
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    let (owner, own) = (
        std::fs::metadata(folder)?.uid(),
        rustix::process::geteuid().as_raw(),
    );
    if owner != own {
        let words = format!(
            "it belongs to the user {owner}, and the server runs as {own}: give it to that user, or remove it"
        );
        return Err(std::io::Error::other(words));
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

/// Maps an artifact whose MAC holds.
#[expect(
    unsafe_code,
    reason = "wasmtime maps compiled code by an unsafe function alone"
)]
fn map(engine: &Engine, path: &Path) -> Option<Component> {
    // SAFETY: the bytes of this file were written by `Engine::precompile_component` of this host,
    // because their MAC under the host's key held a moment ago. Between that check and the mapping,
    // and while the mapping lives, nobody else can change them: the folder has mode 0700 and belongs
    // to this process's user, and this process only ever replaces such a file as a whole by a
    // rename, which leaves the mapped one as it is. Whoever can write there as this user can
    // already replace the program itself.
    let loaded = unsafe { Component::deserialize_file(engine, path) };
    loaded
        .inspect_err(|error| tracing::warn!(%error, "a compiled component cannot be mapped; compiling again"))
        .ok()
}

/// Compares in constant time: the MAC must not be guessed byte by byte.
fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_another_user_is_not_taken() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("artifacts");
        make_private(&folder).unwrap();
        make_private(&folder).unwrap();
        // Only root gives folders away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(12_345), None).unwrap();
            let refused = make_private(&folder).unwrap_err().to_string();
            assert!(refused.contains("12345"), "{refused}");
        }
    }
}
