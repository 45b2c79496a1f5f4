//! Secrets in memory, and sealed at rest: sealing keys wrap data keys, data keys seal.

use std::fmt;
use std::path::Path;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

mod data_key;
mod key_ring;
mod ledger;

pub use data_key::{DataKey, FIRST, MacKey};
pub use key_ring::{KeyId, KeyRing, WrappedKey};
pub use ledger::{Ended, Entry, Ledger, LedgerError};

/// A secret text. It has no `Display`, its `Debug` shows nothing, and its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself. Every call is a place to review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a seal could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A key is no 32 bytes in 64 hexadecimal digits, or there is none.
    #[error("a sealing key must be 64 hexadecimal digits (32 bytes), each on a line of its own")]
    Key,
    /// The key file cannot be read or made.
    #[error("the sealing key file: {0}")]
    File(#[from] std::io::Error),
    /// The keys come from elsewhere: only who gave them can change them.
    #[error(
        "the sealing keys do not come from a file: add the new one at the end of SENDBOX_SEALING_KEY and restart"
    )]
    NoFile,
    /// The key file holds other keys than the ones in use.
    #[error("the sealing key file was changed since the start: restart with it first")]
    FileChanged,
    /// The key file is gone.
    #[error("the sealing key file is gone since the start: put it back first")]
    FileGone,
    /// Made with another key, for another place, or changed since.
    #[error("sealed data does not open with this key")]
    Open,
    /// The random source failed.
    #[error("no randomness to seal with")]
    Random,
}

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// The bytes of a key, wiped on drop.
pub type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

fn random_key() -> Result<KeyBytes, SealError> {
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| SealError::Random)?;
    Ok(bytes)
}

/// Writes a file that only its owner can read, and that appears whole or not at all, also after a power cut.
///
/// # Errors
/// Those of the file system.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = path.with_extension(format!("new-{}", uuid::Uuid::new_v4().simple()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|parent| *parent != Path::new(""));
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", Secret::new("hunter2".into())).contains("hunter2"));
    }
}
