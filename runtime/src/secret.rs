//! Secrets in memory, and sealed at rest.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

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
    /// The key is no 32 bytes in 64 hexadecimal digits.
    #[error("the sealing key must be 64 hexadecimal digits (32 bytes)")]
    Key,
    /// The key file cannot be read or made.
    #[error("the sealing key file: {0}")]
    File(#[from] std::io::Error),
    /// Made with another key, for another place, or changed since.
    #[error("sealed data does not open with this key")]
    Open,
    /// The random source failed.
    #[error("no randomness to seal with")]
    Random,
}

/// The host's key: seals data at rest (AES-256-GCM) and authenticates what the host itself wrote (HMAC-SHA-256).
pub struct SealingKey {
    seal: LessSafeKey,
    mac: hmac::Key,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

impl SealingKey {
    /// A key of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`SealError::Key`] for any other text.
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        if text.len() != 64 || !text.is_ascii() {
            return Err(SealError::Key);
        }
        let mut bytes = Zeroizing::new([0_u8; 32]);
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| SealError::Key)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| SealError::Key)?;
        }
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SealError> {
        // Two keys from one: a sealing key must never double as a MAC key.
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let seal = hmac::sign(&root, b"sendbox seal v1");
        let mac = hmac::sign(&root, b"sendbox mac v1");
        let seal = UnboundKey::new(&AES_256_GCM, seal.as_ref()).map_err(|_| SealError::Key)?;
        Ok(Self {
            seal: LessSafeKey::new(seal),
            mac: hmac::Key::new(hmac::HMAC_SHA256, mac.as_ref()),
        })
    }

    /// A new key that lasts as long as the process.
    ///
    /// # Errors
    /// [`SealError::Random`] when the machine has no randomness.
    pub fn generate() -> Result<Self, SealError> {
        let bytes = random_key()?;
        Self::from_bytes(&bytes)
    }

    /// Reads the key from a file, and makes the file (mode 0600) with a new key where there is none.
    ///
    /// # Errors
    /// [`SealError::File`] and [`SealError::Key`].
    pub fn load_or_create(path: &Path) -> Result<Self, SealError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::from_hex(&Zeroizing::new(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let bytes = random_key()?;
                let text: Zeroizing<String> =
                    Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect());
                write_private(path, text.as_bytes())?;
                Self::from_bytes(&bytes)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Seals `plain` for one place: it opens only with the same `place`, such as `tenant/acme/integration/mail`.
    ///
    /// # Errors
    /// [`SealError::Random`] when the machine has no randomness.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0_u8; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let mut body = plain.to_vec();
        self.seal
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut body,
            )
            .map_err(|_| SealError::Random)?;
        Ok([nonce.as_slice(), &body].concat())
    }

    /// Opens what [`SealingKey::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError::Open`] for anything else.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, body) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealError::Open)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain = self
            .seal
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(place.as_bytes()),
                &mut body,
            )
            .map_err(|_| SealError::Open)?
            .len();
        body.truncate(plain);
        Ok(body)
    }

    /// HMAC-SHA-256 of `parts`, each preceded by its length so that no two lists collide.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.mac);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

fn random_key() -> Result<Zeroizing<[u8; 32]>, SealError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| SealError::Random)?;
    Ok(bytes)
}

/// Writes a file that only its owner can read, and that appears whole or not at all.
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
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_only_for_its_place_and_unchanged() {
        let key = SealingKey::from_hex(&"ab".repeat(32)).unwrap();
        let sealed = key.seal("tenant/a", b"token").unwrap();
        assert_eq!(key.open("tenant/a", &sealed).unwrap().as_slice(), b"token");
        assert!(key.open("tenant/b", &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(key.open("tenant/a", &changed).is_err());
        assert!(key.open("tenant/a", &sealed[..5]).is_err());
        assert!(!sealed.windows(5).any(|window| window == b"token"));
    }

    #[test]
    fn the_key_file_is_private_and_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let sealed = SealingKey::load_or_create(&path)
            .unwrap()
            .seal("x", b"y")
            .unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            SealingKey::load_or_create(&path)
                .unwrap()
                .open("x", &sealed)
                .unwrap()
                .as_slice(),
            b"y"
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", Secret::new("hunter2".into())).contains("hunter2"));
    }
}
