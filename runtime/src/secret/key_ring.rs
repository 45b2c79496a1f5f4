//! Sealing keys: they wrap the data keys, and nothing else. Each has an id; the last of a ring is the current one.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::hmac;
use serde::Serialize;
use zeroize::Zeroizing;

use super::data_key::{cipher, open, seal};
use super::{DataKey, KEY_BYTES, KeyBytes, MacKey, SealError, random_key, write_private};

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 12;

/// A sealing key's name: it follows from the key and tells nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// The id as text: 12 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id that was written down; whether there is such a key is another question.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key as it is stored.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    /// The sealing key that opens it.
    pub by: KeyId,
    /// The sealed key.
    pub bytes: Vec<u8>,
}

/// One key that wraps.
struct SealingKey {
    id: KeyId,
    wrap: LessSafeKey,
    bytes: KeyBytes,
}

impl SealingKey {
    fn of(bytes: KeyBytes) -> Result<Self, SealError> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice());
        let mut id = hex(hmac::sign(&root, b"sendbox key id v1").as_ref());
        id.truncate(ID_DIGITS);
        Ok(Self {
            id: KeyId(std::mem::take(&mut *id)),
            wrap: cipher(&root, b"sendbox wrap v1")?,
            bytes,
        })
    }

    fn from_hex(text: &str) -> Result<Self, SealError> {
        if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
            return Err(SealError::Key);
        }
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| SealError::Key)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| SealError::Key)?;
        }
        Self::of(bytes)
    }
}

/// The sealing keys of a host. The last of the list is the current one: it wraps what is wrapped anew.
pub struct KeyRing {
    earlier: Vec<SealingKey>,
    current: SealingKey,
    /// Where they are kept; none: where the host cannot write.
    file: Option<PathBuf>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl KeyRing {
    /// Keys of 64 hexadecimal digits each, parted by white space.
    ///
    /// # Errors
    /// [`SealError::Key`] for any other text.
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        let keys = text.split_ascii_whitespace().map(SealingKey::from_hex);
        let mut earlier: Vec<_> = keys.collect::<Result<_, _>>()?;
        Ok(Self {
            current: earlier.pop().ok_or(SealError::Key)?,
            earlier,
            file: None,
        })
    }

    /// Reads the keys from a file, one a line, and makes the file (mode 0600) with a new key where there is none.
    ///
    /// # Errors
    /// [`SealError::File`] and [`SealError::Key`].
    pub fn load_or_create(path: &Path) -> Result<Self, SealError> {
        match Self::load(path) {
            Err(SealError::File(error)) if error.kind() == ErrorKind::NotFound => {
                let new = Self {
                    earlier: Vec::new(),
                    current: SealingKey::of(random_key()?)?,
                    file: Some(path.to_owned()),
                };
                new.write(path)?;
                Ok(new)
            }
            read => read,
        }
    }

    /// Reads the keys from a file, one a line.
    ///
    /// # Errors
    /// [`SealError::File`] and [`SealError::Key`].
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        Ok(Self {
            file: Some(path.to_owned()),
            ..Self::from_hex(&text)?
        })
    }

    /// The file that the keys are kept in, if they are kept in one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The keys' ids, the current one last.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys().map(|key| &key.id)
    }

    /// The id of the key that wraps what is wrapped anew.
    #[must_use]
    pub const fn current(&self) -> &KeyId {
        &self.current.id
    }

    /// A new key for a place such as `tenant/acme`, and what to store of it.
    ///
    /// # Errors
    /// [`SealError::Random`] when the machine has no randomness.
    pub fn new_key(&self, place: &str) -> Result<(KeyBytes, WrappedKey), SealError> {
        let bytes = random_key()?;
        let wrapped = self.wrap(place, &bytes)?;
        Ok((bytes, wrapped))
    }

    /// What to store of a key. It opens only for the same place.
    ///
    /// # Errors
    /// [`SealError::Random`] when the machine has no randomness.
    pub fn wrap(&self, place: &str, bytes: &KeyBytes) -> Result<WrappedKey, SealError> {
        Ok(WrappedKey {
            by: self.current.id.clone(),
            bytes: seal(&self.current.wrap, place, bytes.as_slice())?,
        })
    }

    /// The key that was wrapped for this place.
    ///
    /// # Errors
    /// [`SealError::Open`] where it was wrapped by a key that is not here, or for another place.
    pub fn unwrap(&self, place: &str, wrapped: &WrappedKey) -> Result<KeyBytes, SealError> {
        let key = self.keys().find(|key| key.id == wrapped.by);
        let plain = open(&key.ok_or(SealError::Open)?.wrap, place, &wrapped.bytes)?;
        let bytes: [u8; KEY_BYTES] = plain.as_slice().try_into().map_err(|_| SealError::Open)?;
        Ok(Zeroizing::new(bytes))
    }

    /// The same key, wrapped by the current sealing key.
    ///
    /// # Errors
    /// As [`KeyRing::unwrap`].
    pub fn rewrap(&self, place: &str, wrapped: &WrappedKey) -> Result<WrappedKey, SealError> {
        self.wrap(place, &self.unwrap(place, wrapped)?)
    }

    /// The first key that seals records itself, as the one key did before there were data keys: it opens
    /// `check`, which was sealed for `place`. Answers it as a data key, with the bytes of its MAC key.
    ///
    /// # Errors
    /// [`SealError::Open`] where none opens it.
    pub fn from_before(&self, place: &str, check: &[u8]) -> Result<(DataKey, KeyBytes), SealError> {
        for key in self.keys() {
            let before = DataKey::from_bytes(&key.bytes)?;
            if before.open(place, check).is_ok() {
                return Ok((before, MacKey::bytes_of(&key.bytes)));
            }
        }
        Err(SealError::Open)
    }

    /// The ring with a new current key, on disk before this returns.
    ///
    /// # Errors
    /// [`SealError::NoFile`], [`SealError::FileChanged`] and [`SealError::File`].
    pub fn rotated(&self) -> Result<Self, SealError> {
        let new = SealingKey::of(random_key()?)?;
        self.rewritten(|ring| {
            let old = std::mem::replace(&mut ring.current, new);
            ring.earlier.push(old);
        })
    }

    /// The ring without an earlier key, on disk before this returns.
    ///
    /// # Errors
    /// As [`KeyRing::rotated`].
    pub fn without(&self, id: &KeyId) -> Result<Self, SealError> {
        self.rewritten(|ring| ring.earlier.retain(|key| key.id != *id))
    }

    fn rewritten(&self, change: impl FnOnce(&mut Self)) -> Result<Self, SealError> {
        let path = self.file.as_deref().ok_or(SealError::NoFile)?;
        let mut ring = match Self::load(path) {
            // A new key in its place would open nothing.
            Err(SealError::File(error)) if error.kind() == ErrorKind::NotFound => {
                return Err(SealError::FileGone);
            }
            read => read?,
        };
        // Who has edited the file meant something by it.
        if !ring.ids().eq(self.ids()) {
            return Err(SealError::FileChanged);
        }
        change(&mut ring);
        ring.write(path)?;
        Ok(ring)
    }

    fn keys(&self) -> impl Iterator<Item = &SealingKey> {
        self.earlier.iter().chain([&self.current])
    }

    fn write(&self, path: &Path) -> Result<(), SealError> {
        let length = self.keys().count() * (2 * KEY_BYTES + 1);
        let mut text = Zeroizing::new(String::with_capacity(length));
        for key in self.keys() {
            text.push_str(&hex(key.bytes.as_slice()));
            text.push('\n');
        }
        Ok(write_private(path, text.as_bytes())?)
    }
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(ring: &KeyRing, wrapped: &WrappedKey) -> bool {
        ring.unwrap("tenant/a", wrapped).is_ok()
    }

    #[test]
    fn the_key_file_is_private_and_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let (_, wrapped) = KeyRing::load_or_create(&path)
            .unwrap()
            .new_key("tenant/a")
            .unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(opens(&KeyRing::load_or_create(&path).unwrap(), &wrapped));
    }

    #[test]
    fn a_rotated_ring_opens_what_was_and_wraps_with_the_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let first = KeyRing::load_or_create(&path).unwrap();
        let (key, old) = first.new_key("tenant/a").unwrap();
        let both = first.rotated().unwrap();
        let new = both.rewrap("tenant/a", &old).unwrap();
        assert!(opens(&both, &old) && opens(&both, &new) && !opens(&first, &new));
        let last = both.without(first.current()).unwrap();
        assert!(opens(&last, &new) && !opens(&last, &old));
        assert!(last.unwrap("tenant/b", &new).is_err(), "another owner");
        let again = KeyRing::load_or_create(&path).unwrap();
        assert_eq!(again.unwrap("tenant/a", &new).unwrap(), key);
        assert_eq!(format!("{again:?}"), format!("{last:?}"));
    }

    #[test]
    fn keys_that_the_host_cannot_write_and_files_that_were_edited_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let ring = KeyRing::load_or_create(&path).unwrap();
        std::fs::write(&path, "ab".repeat(32)).unwrap();
        assert!(matches!(ring.rotated(), Err(SealError::FileChanged)));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(ring.rotated(), Err(SealError::FileGone)));
        let current = ring.current().clone();
        assert!(matches!(ring.without(&current), Err(SealError::FileGone)));
        assert!(!path.exists(), "a key that opens nothing was made");
        let elsewhere = KeyRing::from_hex(&"ab".repeat(32)).unwrap();
        assert!(matches!(elsewhere.rotated(), Err(SealError::NoFile)));
        for wrong in ["", "ab", &"zz".repeat(32), &"ä".repeat(32)] {
            assert!(matches!(KeyRing::from_hex(wrong), Err(SealError::Key)));
        }
    }
}
