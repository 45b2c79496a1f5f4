//! Signatures that providers ask for, made with keys that a component never sees.
//!
//! In a component a [`Key`] is a handle of the host's; natively, where no host is, it is made of
//! the text that it is given, so that a connector's tests see the signature of their own secret.

mod jwt;
mod key;
mod rpc;
mod sigv4;
mod tc3;

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

pub use jwt::jwt;
pub use key::{Algorithm, Key, SignError};
pub use rpc::rpc;
pub use sigv4::{Scope, sigv4};
pub use tc3::tc3;

use crate::failure::Failure;
use crate::http::Request;

/// A provider's access key, as settings hold it under Logto's names.
#[derive(Clone, Copy)]
pub struct AccessKey<'a> {
    /// `accessKeyId`.
    pub id: &'a str,
    /// `accessKeySecret`: a placeholder, in a component.
    pub secret: &'a str,
}

impl<'a> AccessKey<'a> {
    /// A key of its two parts.
    #[must_use]
    pub const fn new(id: &'a str, secret: &'a str) -> Self {
        Self { id, secret }
    }

    /// The key `prefix` + secret + `suffix`.
    fn key(&self, prefix: &str, suffix: &str) -> Result<Key, Failure> {
        if self.secret.is_empty() {
            return Err(Failure::invalid_settings("accessKeySecret", "is empty"));
        }
        Ok(Key::from_secret(prefix, self.secret, suffix)?)
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        Self::invalid_settings("accessKeySecret", &error.to_string())
    }
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Host and path of a request's URL, which has no query.
fn host_and_path(request: &Request) -> (&str, &str) {
    let rest = request.url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

/// The canonical request that AWS and Tencent Cloud hash, and the names of its signed headers.
///
/// `names` are in alphabetical order; each is `host` or stands in the request.
fn canonical(request: &Request, names: &[&str]) -> (String, String) {
    let (host, path) = host_and_path(request);
    let mut text = format!("{}\n{path}\n\n", request.method);
    for name in names {
        let mut headers = request.headers.iter();
        let value = match headers.find(|(known, _)| known == name) {
            Some((_, value)) => value.trim(),
            None => host,
        };
        let _ = writeln!(text, "{name}:{value}");
    }
    let signed = names.join(";");
    let _ = write!(text, "\n{signed}\n{}", sha256_hex(&request.body));
    (text, signed)
}
