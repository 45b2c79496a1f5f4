//! The `signing` import: keys made of secrets that the guest never sees.
//!
//! A key is bytes behind a handle. What leaves the host is a signature, or a handle of another key; at each
//! step of a chain a key does one of the two, because what HMAC-SHA-256 signs is also what it derives.

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::bindings::signing::{self, Algorithm, SigningError};
use super::state::State;
use crate::limits::Limit;

/// What may stand before a secret, and after it: bytes. Protocols put a short word there.
const AFFIX_MAX: usize = 256;

/// Bytes of an RSA modulus. Time to sign grows with its third power, and the guest's clock stands still.
const RSA_MODULUS_MAX: usize = 4096 / 8;

/// A key that a guest holds by its handle. It has no `Debug`, and its memory is wiped on drop.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct SigningKey {
    bytes: Zeroizing<Vec<u8>>,
    /// How many derivations away the key is that signs.
    derivations: u32,
}

impl SigningKey {
    /// The parts, one after another.
    fn of(parts: &[&str], derivations: u32) -> Self {
        // Of the whole length at once: a vector that grows leaves its bytes behind.
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        parts
            .iter()
            .for_each(|part| bytes.extend_from_slice(part.as_bytes()));
        Self {
            bytes: Zeroizing::new(bytes),
            derivations,
        }
    }

    fn derive(&self, data: &[u8]) -> Result<Self, SigningError> {
        let derivations = self.derivations.checked_sub(1);
        Ok(Self {
            derivations: derivations.ok_or(SigningError::Denied)?,
            bytes: self.hmac(HMAC_SHA256, data)?,
        })
    }

    fn sign(&self, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SigningError> {
        if self.derivations > 0 {
            return Err(SigningError::Denied);
        }
        let signature = match algorithm {
            Algorithm::HmacSha1 => self.hmac(HMAC_SHA1_FOR_LEGACY_USE_ONLY, data),
            Algorithm::HmacSha256 => self.hmac(HMAC_SHA256, data),
            Algorithm::RsaSha256 => self.rsa(data),
        };
        signature.map(|mut bytes| std::mem::take(&mut *bytes))
    }

    fn hmac(
        &self,
        algorithm: hmac::Algorithm,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SigningError> {
        let mut out = Zeroizing::new(vec![0; algorithm.tag_len()]);
        hmac::sign_to_buffer(&hmac::Key::new(algorithm, &self.bytes), data, &mut out)
            .map_err(|_| invalid("the key cannot be used"))?;
        Ok(out)
    }

    /// PKCS #1 v1.5 with SHA-256 (RFC 8017, 8.2).
    fn rsa(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, SigningError> {
        let key = if let Some(der) = self.pem("PRIVATE KEY") {
            KeyPair::from_pkcs8(&der)
        } else if let Some(der) = self.pem("RSA PRIVATE KEY") {
            KeyPair::from_der(&der)
        } else {
            return Err(invalid("no RSA private key in PEM (PKCS #8 or PKCS #1)"));
        };
        let key = key.map_err(|_| invalid("not a valid RSA key of at least 2048 bits"))?;
        if key.public_modulus_len() > RSA_MODULUS_MAX {
            return Err(invalid("an RSA key of more than 4096 bits"));
        }
        let mut out = Zeroizing::new(vec![0; key.public_modulus_len()]);
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut out)
            .map_err(|_| invalid("the key cannot be used"))?;
        Ok(out)
    }

    /// The bytes of the first block of that label (RFC 7468).
    fn pem(&self, label: &str) -> Option<Zeroizing<Vec<u8>>> {
        let text = str::from_utf8(&self.bytes).ok()?;
        let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
        let (body, _) = rest.split_once("-----END ")?;
        let mut digits = Zeroizing::new(Vec::with_capacity(body.len()));
        digits.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        STANDARD.decode(&*digits).ok().map(Zeroizing::new)
    }
}

fn invalid(words: &str) -> SigningError {
    SigningError::InvalidKey(words.to_owned())
}

impl State {
    /// Takes one of the send's signatures and derivations.
    fn spend_signature(&mut self) -> Result<(), SigningError> {
        let Some(left) = self.signatures_left.checked_sub(1) else {
            self.log.met(Limit::Signatures);
            return Err(SigningError::Limit);
        };
        self.signatures_left = left;
        Ok(())
    }
}

impl State {
    /// Tells the connector's author what a denial at this step means.
    fn explained(&self, error: SigningError) -> SigningError {
        if matches!(error, SigningError::Denied) {
            let words = "signing: a key derives or signs; the secret's x-derivations says how often it derives first";
            self.log.add("warn", words);
        }
        error
    }
}

impl signing::Host for State {}

impl signing::HostKey for State {
    fn from_secret(
        &mut self,
        prefix: String,
        secret: String,
        suffix: String,
    ) -> wasmtime::Result<Result<Resource<SigningKey>, SigningError>> {
        self.granted("sendbox:connector/signing")?;
        if prefix.len().max(suffix.len()) > AFFIX_MAX {
            return Ok(Err(invalid("prefix or suffix is too long")));
        }
        let Some((secret, derivations)) = self.placeholders.key_material(&secret) else {
            return Ok(Err(SigningError::Denied));
        };
        let key = SigningKey::of(&[&prefix, secret.expose(), &suffix], derivations);
        Ok(Ok(self.table.push(key)?))
    }

    fn derive(
        &mut self,
        key: Resource<SigningKey>,
        data: Vec<u8>,
    ) -> wasmtime::Result<Result<Resource<SigningKey>, SigningError>> {
        let spent = self.spend_signature();
        let key = self.table.get(&key)?;
        match spent.and_then(|()| key.derive(&data)) {
            Ok(derived) => Ok(Ok(self.table.push(derived)?)),
            Err(error) => Ok(Err(self.explained(error))),
        }
    }

    fn sign(
        &mut self,
        key: Resource<SigningKey>,
        algorithm: Algorithm,
        data: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, SigningError>> {
        let spent = self.spend_signature();
        let key = self.table.get(&key)?;
        let signed = spent.and_then(|()| key.sign(algorithm, &data));
        Ok(signed.map_err(|error| self.explained(error)))
    }

    fn drop(&mut self, key: Resource<SigningKey>) -> wasmtime::Result<()> {
        self.table.delete(key)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn key(text: &str) -> SigningKey {
        SigningKey::of(&[text], 0)
    }

    #[test]
    fn hmac_is_that_of_the_rfcs() {
        // RFC 2202, case 2, and RFC 4231, case 2.
        let data = b"what do ya want for nothing?";
        let sign = |algorithm| hex(&key("Jefe").sign(algorithm, data).unwrap());
        assert_eq!(
            sign(Algorithm::HmacSha1),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(Algorithm::HmacSha256), expected);
        let derived = SigningKey::of(&["Jefe"], 1).derive(data).unwrap();
        assert_eq!(hex(&derived.bytes), expected);
    }

    #[test]
    fn a_chain_of_keys_is_that_of_signature_version_4() {
        // The example of the "derive a signing key" page of the AWS general reference.
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let mut key = SigningKey::of(&["AWS4", secret, ""], 4);
        for step in ["20120215", "us-east-1", "iam", "aws4_request"] {
            key = key.derive(step.as_bytes()).unwrap();
        }
        let expected = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d";
        assert_eq!(hex(&key.bytes), expected);
        assert!(key.sign(Algorithm::HmacSha256, b"data").is_ok());
    }

    #[test]
    fn a_key_derives_or_signs_and_never_both() {
        let denied = |result: Result<(), SigningError>| matches!(result, Err(SigningError::Denied));
        let first = SigningKey::of(&["secret"], 2);
        let second = first.derive(b"day").unwrap();
        for key in [&first, &second] {
            for algorithm in [
                Algorithm::HmacSha1,
                Algorithm::HmacSha256,
                Algorithm::RsaSha256,
            ] {
                assert!(denied(key.sign(algorithm, b"day").map(drop)));
            }
        }
        let last = second.derive(b"request").unwrap();
        assert!(denied(last.derive(b"more").map(drop)));
        assert!(last.sign(Algorithm::HmacSha256, b"data").is_ok());
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let body = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn rsa_signs_with_either_kind_of_pem() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        // PKCS #8 of an RSA key is 26 bytes of version and algorithm before the PKCS #1 key.
        let pkcs1 = &pkcs8.as_ref()[26..];
        for text in [
            pem("PRIVATE KEY", pkcs8.as_ref()),
            pem("RSA PRIVATE KEY", pkcs1),
        ] {
            let signature = key(&text).sign(Algorithm::RsaSha256, b"claims").unwrap();
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key());
            public.verify(b"claims", &signature).unwrap();
        }
    }

    #[test]
    fn what_is_no_rsa_key_is_refused_in_words() {
        for (text, words) in [
            ("hunter2".to_owned(), "PEM"),
            (pem("PRIVATE KEY", b"x"), "2048"),
            (pem("EC PRIVATE KEY", b"x"), "no RSA private key"),
        ] {
            match key(&text).sign(Algorithm::RsaSha256, b"claims") {
                Err(SigningError::InvalidKey(said)) => assert!(said.contains(words), "{said}"),
                other => panic!("{:?}", other.map(|_| ())),
            }
        }
    }
}
