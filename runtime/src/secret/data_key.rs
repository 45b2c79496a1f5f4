//! Data keys: what seals records (AES-256-GCM) and authenticates what the host itself wrote (HMAC-SHA-256).

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::{KEY_BYTES, SealError, random_key};

/// A key that seals for one owner. Stored only wrapped by a sealing key.
pub struct DataKey {
    seal: LessSafeKey,
    mac: hmac::Key,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl DataKey {
    /// A new key that lasts as long as the process.
    ///
    /// # Errors
    /// [`SealError::Random`] when the machine has no randomness.
    pub fn generate() -> Result<Self, SealError> {
        Self::from_bytes(&*random_key()?)
    }

    /// The key of 32 bytes.
    ///
    /// # Errors
    /// [`SealError::Key`] where the cipher refuses it.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        // Two keys from one: a key that seals must never double as a MAC key.
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let mac = hmac::sign(&root, b"sendbox mac v1");
        Ok(Self {
            seal: cipher(&root, b"sendbox seal v1")?,
            mac: hmac::Key::new(hmac::HMAC_SHA256, mac.as_ref()),
        })
    }

    /// Seals `plain` for one place: it opens only with the same `place`, such as `tenant/acme/integration/mail`.
    ///
    /// # Errors
    /// [`SealError::Random`] when the machine has no randomness.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        seal(&self.seal, place, plain)
    }

    /// Opens what [`DataKey::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError::Open`] for anything else.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(&self.seal, place, sealed)
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

/// The cipher of one purpose.
pub(super) fn cipher(root: &hmac::Key, purpose: &[u8]) -> Result<LessSafeKey, SealError> {
    let key = hmac::sign(root, purpose);
    let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| SealError::Key)?;
    Ok(LessSafeKey::new(key))
}

pub(super) fn seal(key: &LessSafeKey, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0_u8; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| SealError::Random)?;
    let mut body = plain.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(place.as_bytes()),
        &mut body,
    )
    .map_err(|_| SealError::Random)?;
    Ok([nonce.as_slice(), &body].concat())
}

pub(super) fn open(
    key: &LessSafeKey,
    place: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, body) = sealed
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(SealError::Open)?;
    let mut body = Zeroizing::new(body.to_vec());
    let plain = key
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_only_for_its_place_and_unchanged() {
        let key = DataKey::generate().unwrap();
        let sealed = key.seal("tenant/a", b"token").unwrap();
        assert_eq!(key.open("tenant/a", &sealed).unwrap().as_slice(), b"token");
        assert!(key.open("tenant/b", &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(key.open("tenant/a", &changed).is_err());
        assert!(key.open("tenant/a", &sealed[..5]).is_err());
        assert!(!sealed.windows(5).any(|window| window == b"token"));
    }
}
