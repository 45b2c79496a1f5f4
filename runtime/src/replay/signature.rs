//! AWS Signature Version 4, verified as a receiver does: whatever headers it covers, so long as it is
//! the one that the secret makes of the request.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, read
//! 2026-11-21.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use serde_json::Value;

use super::result::ReplayedRequest;

/// How the header's value begins.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Headers that say who signed what, rather than what is asked for.
pub(super) const HEADERS: [&str; 2] = ["authorization", "x-amz-content-sha256"];

/// Whether an `authorization` is such a signature.
pub(super) fn is_signature(authorization: &str) -> bool {
    authorization.starts_with(ALGORITHM)
}

/// Whether the request is signed with one of the settings' texts. Which of them is the secret is the
/// connector's business.
pub(super) fn is_signed_with(request: &ReplayedRequest, settings: &Value) -> bool {
    let texts = settings.as_object().into_iter().flatten();
    texts
        .filter_map(|(_, value)| value.as_str())
        .any(|secret| expected(request, secret).is_some_and(|(expected, found)| expected == found))
}

/// The signature that the secret makes of the request, and the one that it bears.
fn expected(request: &ReplayedRequest, secret: &str) -> Option<(String, String)> {
    let authorization = header(request, "authorization")?.strip_prefix(ALGORITHM)?;
    let fields = authorization
        .split(',')
        .filter_map(|field| field.trim().split_once('='));
    let fields: BTreeMap<_, _> = fields.collect();
    let (_, scope) = fields.get("Credential")?.split_once('/')?;
    let body = hex(digest(&SHA256, &request.body).as_ref());
    let signed = fields.get("SignedHeaders")?;
    // Without the host a signature could be played to another one; a stated hash must be the body's.
    if !signed.split(';').any(|name| name == "host")
        || header(request, "x-amz-content-sha256").is_some_and(|stated| stated != body)
    {
        return None;
    }
    let path_and_query = request.url.splitn(4, '/').nth(3)?;
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    let mut canonical = format!("{}\n/{path}\n{query}\n", request.method);
    for name in signed.split(';') {
        writeln!(canonical, "{name}:{}", header(request, name)?).ok()?;
    }
    write!(canonical, "\n{signed}\n{body}").ok()?;
    let to_sign = format!(
        "{ALGORITHM}\n{}\n{scope}\n{}",
        header(request, "x-amz-date")?,
        hex(digest(&SHA256, canonical.as_bytes()).as_ref())
    );
    let key = scope
        .split('/')
        .fold(format!("AWS4{secret}").into_bytes(), |key, step| {
            mac(&key, step)
        });
    Some((
        hex(&mac(&key, &to_sign)),
        (*fields.get("Signature")?).to_owned(),
    ))
}

fn header<'r>(request: &'r ReplayedRequest, name: &str) -> Option<&'r str> {
    let mut headers = request.headers.iter();
    headers
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.trim())
}

fn mac(key: &[u8], data: &str) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), data.as_bytes())
        .as_ref()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    /// The `get-vanilla` case of AWS's published test suite for Signature Version 4.
    fn vanilla() -> ReplayedRequest {
        ReplayedRequest {
            method: "GET".into(),
            url: "https://example.amazonaws.com/".into(),
            headers: vec![
                ("host".into(), "example.amazonaws.com".into()),
                ("x-amz-date".into(), "20150830T123600Z".into()),
                (
                    "authorization".into(),
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders=host;x-amz-date, \
                     Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
                        .into(),
                ),
            ],
            body: Bytes::new(),
        }
    }

    #[test]
    fn a_published_signature_holds_for_its_request_and_its_secret_alone() {
        let settings =
            json!({"id": "AKIDEXAMPLE", "key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "n": 1});
        assert!(is_signed_with(&vanilla(), &settings));
        assert!(!is_signed_with(&vanilla(), &json!({"key": "another"})));
        for change in [
            |request: &mut ReplayedRequest| request.method = "POST".into(),
            |request: &mut ReplayedRequest| request.url.push('x'),
            |request: &mut ReplayedRequest| request.body = "x".into(),
            |request: &mut ReplayedRequest| request.headers[1].1 = "20150830T123601Z".into(),
            |request: &mut ReplayedRequest| {
                request
                    .headers
                    .push(("x-amz-content-sha256".into(), "x".into()));
            },
        ] {
            let mut changed = vanilla();
            change(&mut changed);
            assert!(!is_signed_with(&changed, &settings));
        }
    }
}
