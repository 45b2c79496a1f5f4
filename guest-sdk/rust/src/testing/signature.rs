//! Verifies a signed request as its provider would: recomputed from the published specification and
//! the bytes on the wire, with nothing of the signing code.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::Request;

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Checks the signature of an AWS Signature V4, TC3-HMAC-SHA256 or Alibaba Cloud RPC request.
///
/// # Errors
/// In words, where there is no signature or another one.
pub fn verify(request: &Request, secret: &str) -> Result<(), String> {
    let mut headers = request.headers.iter();
    let authorization = headers.find(|(name, _)| name == "authorization");
    let (expected, found) = match authorization.and_then(|(_, value)| value.split_once(' ')) {
        Some(("AWS4-HMAC-SHA256", rest)) => {
            let time = header(request, "x-amz-date");
            let body = sha256(&request.body);
            if header(request, "x-amz-content-sha256") != body {
                return Err("x-amz-content-sha256 is not the body's".into());
            }
            in_header(request, rest, "AWS4", time, secret)
        }
        Some(("TC3-HMAC-SHA256", rest)) => {
            let time = header(request, "x-tc-timestamp");
            in_header(request, rest, "TC3", time, secret)
        }
        Some((other, _)) => return Err(format!("signed by {other}")),
        None => in_form(&String::from_utf8_lossy(&request.body), secret),
    };
    if expected == found {
        Ok(())
    } else {
        Err(format!("signature: expected {expected}, got {found}"))
    }
}

/// What `authorization` must say and says, after its algorithm: `Credential`, `SignedHeaders`, `Signature`.
fn in_header(
    request: &Request,
    authorization: &str,
    family: &str,
    time: &str,
    secret: &str,
) -> (String, String) {
    let fields = authorization.split(", ").filter_map(|f| f.split_once('='));
    let fields: BTreeMap<_, _> = fields.collect();
    let (_, scope) = fields["Credential"].split_once('/').unwrap();
    let url = request.url.strip_prefix("https://").unwrap();
    let (host, path) = url.split_once('/').unwrap();
    let signed = fields["SignedHeaders"];
    let lines: String = signed
        .split(';')
        .map(|name| match name {
            "host" => format!("host:{host}\n"),
            _ => format!("{name}:{}\n", header(request, name)),
        })
        .collect();
    let hash = sha256(&request.body);
    let canonical = format!("{}\n/{path}\n\n{lines}\n{signed}\n{hash}", request.method);
    let hash = sha256(canonical.as_bytes());
    let to_sign = format!("{family}-HMAC-SHA256\n{time}\n{scope}\n{hash}");
    let key = scope
        .split('/')
        .fold(format!("{family}{secret}").into_bytes(), |key, step| {
            mac::<Hmac<Sha256>>(&key, step.as_bytes())
        });
    let expected = digits(&mac::<Hmac<Sha256>>(&key, to_sign.as_bytes()));
    (expected, fields["Signature"].to_owned())
}

/// The `Signature` that a form must have and has.
fn in_form(body: &str, secret: &str) -> (String, String) {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    let mut fields: BTreeMap<_, _> = pairs.map(|(n, v)| (decode(n), decode(v))).collect();
    let found = fields.remove("Signature").unwrap_or_default();
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let query: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    let to_sign = format!("POST&{}&{}", encode("/"), encode(&query.join("&")));
    let key = format!("{secret}&");
    let expected = mac::<Hmac<sha1::Sha1>>(key.as_bytes(), to_sign.as_bytes());
    (STANDARD.encode(expected), found)
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    let mut headers = request.headers.iter();
    headers.find(|(known, _)| known == name).unwrap().1.trim()
}

fn sha256(bytes: &[u8]) -> String {
    digits(&Sha256::digest(bytes))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac<M: KeyInit + Mac>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.chain_update(data).finalize().into_bytes().to_vec()
}
