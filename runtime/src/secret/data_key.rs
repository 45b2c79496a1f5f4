//! Data keys: what seals records (AES-256-GCM) and authenticates what the host itself wrote (HMAC-SHA-256).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::{KEY_BYTES, KeyBytes, SealError, random_key};

/// The generation of a data key that was never renewed.
pub const FIRST: i64 = 1;

/// What authenticates for one owner. It stays when what seals is renewed: MACs are compared, not opened.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The key of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()))
    }

    /// The bytes of the MAC key that belongs to a first generation.
    #[must_use]
    pub fn bytes_of(first: &[u8; KEY_BYTES]) -> KeyBytes {
        // Two keys from one: a key that seals must never double as a MAC key.
        let mac = hmac::sign(&root(first), b"sendbox mac v1");
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(mac.as_ref());
        bytes
    }

    /// HMAC-SHA-256 of `parts`, each preceded by its length so that no two lists collide.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

/// What seals, from one renewal to the next.
#[derive(Clone)]
struct Generation {
    number: i64,
    seal: Arc<LessSafeKey>,
}

impl Generation {
    fn of(number: i64, bytes: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        Ok(Self {
            number,
            seal: Arc::new(cipher(&root(bytes), b"sendbox seal v1")?),
        })
    }
}

/// A key that seals for one owner: the newest of its generations seals, each opens what it sealed. Stored only
/// wrapped by a sealing key.
pub struct DataKey {
    mac: MacKey,
    newest: Generation,
    earlier: Vec<Generation>,
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

    /// The key of 32 bytes: its first generation, from which its MAC key follows.
    ///
    /// # Errors
    /// [`SealError::Key`] where the cipher refuses the bytes.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        Self::new(MacKey::of(&MacKey::bytes_of(bytes)), FIRST, bytes)
    }

    /// The key with one generation.
    ///
    /// # Errors
    /// [`SealError::Key`] where the cipher refuses the bytes.
    pub fn new(mac: MacKey, generation: i64, bytes: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        Ok(Self {
            mac,
            newest: Generation::of(generation, bytes)?,
            earlier: Vec::new(),
        })
    }

    /// The same key, which opens what an earlier generation sealed, too.
    ///
    /// # Errors
    /// As [`DataKey::new`].
    pub fn opening(mut self, generation: i64, bytes: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        self.earlier.push(Generation::of(generation, bytes)?);
        Ok(self)
    }

    /// The same key, which opens all that `before` does, too.
    #[must_use]
    pub fn opening_all_of(mut self, before: &Self) -> Self {
        for generation in [&before.newest].into_iter().chain(&before.earlier) {
            let known = |known: &Generation| known.number == generation.number;
            if !known(&self.newest) && !self.earlier.iter().any(known) {
                self.earlier.push(generation.clone());
            }
        }
        self
    }

    /// The generation that seals.
    #[must_use]
    pub const fn generation(&self) -> i64 {
        self.newest.number
    }

    /// Seals `plain` for one place: it opens only with the same `place`, such as `tenant/acme/integration/mail`.
    ///
    /// # Errors
    /// [`SealError::Random`] when the machine has no randomness.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        seal(&self.newest.seal, place, plain)
    }

    /// Opens what [`DataKey::seal`] of any of its generations made for the same place.
    ///
    /// # Errors
    /// [`SealError::Open`] for anything else.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut earlier = self.earlier.iter();
        open(&self.newest.seal, place, sealed).or_else(|error| {
            earlier
                .find_map(|key| open(&key.seal, place, sealed).ok())
                .ok_or(error)
        })
    }

    /// Seals with the newest generation what any of them sealed.
    ///
    /// # Errors
    /// As [`DataKey::open`] and [`DataKey::seal`].
    pub fn seal_anew(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal(place, &self.open(place, sealed)?)
    }

    /// What authenticates.
    #[must_use]
    pub const fn mac_key(&self) -> &MacKey {
        &self.mac
    }

    /// [`MacKey::mac`] of the owner's MAC key.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.mac.mac(parts)
    }
}

fn root(bytes: &[u8; KEY_BYTES]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice())
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

    #[test]
    fn a_key_with_generations_seals_with_the_newest_and_opens_all() {
        let bytes = [random_key().unwrap(), random_key().unwrap()];
        let mac = || MacKey::of(&MacKey::bytes_of(&bytes[0]));
        let first = DataKey::new(mac(), 1, &bytes[0]).unwrap();
        let second = DataKey::new(mac(), 2, &bytes[1]).unwrap();
        let (old, new) = (
            first.seal("x", b"1").unwrap(),
            second.seal("x", b"2").unwrap(),
        );
        assert!(second.open("x", &old).is_err() && first.open("x", &new).is_err());
        let both = second.opening_all_of(&first).opening_all_of(&first);
        assert_eq!((both.generation(), both.earlier.len()), (2, 1));
        assert_eq!(both.open("x", &old).unwrap().as_slice(), b"1");
        assert_eq!(both.open("x", &new).unwrap().as_slice(), b"2");
        assert!(first.open("x", &both.seal("x", b"3").unwrap()).is_err());
        assert_eq!(both.mac(&[b"a"]), first.mac(&[b"a"]));
    }
}
