//! A key: the host's in a component, plain bytes natively.

use std::fmt;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-1 (RFC 2104).
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// RSA PKCS #1 v1.5 with SHA-256 (RFC 8017); the secret is a private key in PEM. Natively only in tests
    /// (the feature `testing`).
    RsaSha256,
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignError {
    /// The host, or this build, does not sign this way.
    NotSupported,
    /// The secret is unknown, or the connector's `secret_grants` do not ask to sign with it.
    Denied,
    /// The secret is no key of the algorithm, in words.
    InvalidKey(String),
    /// Over the limit of signatures a send.
    Limit,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str("this host does not sign"),
            Self::Denied => f.write_str("the host does not sign with it"),
            Self::InvalidKey(words) => f.write_str(words),
            Self::Limit => f.write_str("over the limit of signatures"),
        }
    }
}

impl std::error::Error for SignError {}

/// A key made of a secret. Every [`derive`](Self::derive) and [`sign`](Self::sign) is one of the 16 a
/// send has.
pub struct Key(inner::Key);

impl Key {
    /// The key `prefix` + secret + `suffix`; `secret` is a setting of the connector's, as it is.
    ///
    /// # Errors
    /// [`SignError::Denied`] where the secret may not sign.
    pub fn from_secret(prefix: &str, secret: &str, suffix: &str) -> Result<Self, SignError> {
        inner::from_secret(prefix, secret, suffix).map(Self)
    }

    /// HMAC-SHA-256 of `data` under this key, as a new key.
    ///
    /// # Errors
    /// [`SignError::Limit`].
    pub fn derive(&self, data: &[u8]) -> Result<Self, SignError> {
        inner::derive(&self.0, data).map(Self)
    }

    /// The signature's bytes.
    ///
    /// # Errors
    /// [`SignError::InvalidKey`] and [`SignError::Limit`].
    pub fn sign(&self, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SignError> {
        inner::sign(&self.0, algorithm, data)
    }
}

#[cfg(target_family = "wasm")]
mod inner {
    use super::{Algorithm, SignError};
    use crate::wasm::sendbox::connector::signing;

    pub(super) type Key = signing::Key;

    pub(super) fn from_secret(prefix: &str, secret: &str, suffix: &str) -> Result<Key, SignError> {
        Key::from_secret(prefix, secret, suffix).map_err(error)
    }

    pub(super) fn derive(key: &Key, data: &[u8]) -> Result<Key, SignError> {
        key.derive(data).map_err(error)
    }

    pub(super) fn sign(key: &Key, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SignError> {
        let algorithm = match algorithm {
            Algorithm::HmacSha1 => signing::Algorithm::HmacSha1,
            Algorithm::HmacSha256 => signing::Algorithm::HmacSha256,
            Algorithm::RsaSha256 => signing::Algorithm::RsaSha256,
        };
        key.sign(algorithm, data).map_err(error)
    }

    fn error(error: signing::SigningError) -> SignError {
        match error {
            signing::SigningError::NotSupported => SignError::NotSupported,
            signing::SigningError::Denied => SignError::Denied,
            signing::SigningError::InvalidKey(words) => SignError::InvalidKey(words),
            signing::SigningError::Limit => SignError::Limit,
        }
    }
}

#[cfg(not(target_family = "wasm"))]
mod inner {
    use hmac::{Hmac, KeyInit, Mac};

    use super::{Algorithm, SignError};

    pub(super) type Key = Vec<u8>;

    pub(super) fn from_secret(prefix: &str, secret: &str, suffix: &str) -> Result<Key, SignError> {
        Ok([prefix, secret, suffix].concat().into_bytes())
    }

    pub(super) fn derive(key: &Key, data: &[u8]) -> Result<Key, SignError> {
        sign(key, Algorithm::HmacSha256, data)
    }

    pub(super) fn sign(key: &Key, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SignError> {
        match algorithm {
            Algorithm::HmacSha1 => mac::<Hmac<sha1::Sha1>>(key, data),
            Algorithm::HmacSha256 => mac::<Hmac<sha2::Sha256>>(key, data),
            Algorithm::RsaSha256 => rsa(key, data),
        }
    }

    #[cfg(not(feature = "testing"))]
    fn rsa(_: &[u8], _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError::NotSupported)
    }

    #[cfg(feature = "testing")]
    fn rsa(pem: &[u8], data: &[u8]) -> Result<Vec<u8>, SignError> {
        use aws_lc_rs::{rand, rsa, signature};
        use base64::Engine as _;

        let invalid = || SignError::InvalidKey("is no private key in PEM".to_owned());
        let pem = std::str::from_utf8(pem).map_err(|_| invalid())?;
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        let der = base64::engine::general_purpose::STANDARD.decode(lines.collect::<String>());
        let key = rsa::KeyPair::from_pkcs8(&der.map_err(|_| invalid())?);
        let key = key.map_err(|_| invalid())?;
        let mut bytes = vec![0; key.public_modulus_len()];
        let random = rand::SystemRandom::new();
        key.sign(&signature::RSA_PKCS1_SHA256, &random, data, &mut bytes)
            .map_err(|_| invalid())?;
        Ok(bytes)
    }

    fn mac<M: KeyInit + Mac>(key: &Key, data: &[u8]) -> Result<Vec<u8>, SignError> {
        let mac = <M as KeyInit>::new_from_slice(key);
        let mac = mac.map_err(|error| SignError::InvalidKey(error.to_string()))?;
        Ok(mac.chain_update(data).finalize().into_bytes().to_vec())
    }
}
