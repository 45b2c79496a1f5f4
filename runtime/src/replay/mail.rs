//! Mail as a replay shows and compares it: the envelope, decoded headers, the decoded text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::egress::CapturedMail;

/// Headers that every mailer writes in its own way.
const MAILERS_OWN: [&str; 3] = ["message-id", "content-transfer-encoding", "mime-version"];

/// One session with a recorded mail server.
#[derive(Clone, Serialize)]
pub struct ReplayedMail {
    /// After `EHLO`.
    pub name: String,
    /// Reverse path in its brackets, without parameters.
    pub mail_from: Option<String>,
    /// Forward paths in their brackets.
    pub rcpt_to: Vec<String>,
    /// Decoded, in order; none where no message was handed over.
    pub headers: Vec<(String, String)>,
    /// The decoded body.
    pub text: Option<String>,
}

impl fmt::Debug for ReplayedMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names recipients and holds codes.
        f.debug_struct("ReplayedMail")
            .field("recipients", &self.rcpt_to.len())
            .finish_non_exhaustive()
    }
}

impl From<&CapturedMail> for ReplayedMail {
    fn from(mail: &CapturedMail) -> Self {
        let data = mail.data.as_deref().map(String::from_utf8_lossy);
        let parts = data.as_deref().and_then(|data| data.split_once("\r\n\r\n"));
        let headers = parts.map_or_else(Vec::new, |(head, _)| headers(head));
        let encoding = value(&headers, "content-transfer-encoding").map(str::to_ascii_lowercase);
        Self {
            name: mail.name.clone(),
            mail_from: mail.mail_from.as_deref().map(bare),
            rcpt_to: mail.rcpt_to.iter().map(|path| bare(path)).collect(),
            text: parts.map(|(_, body)| decoded(body, encoding.as_deref())),
            headers,
        }
    }
}

/// A path without the parameters behind it.
fn bare(path: &str) -> String {
    path.rsplit_once('>')
        .map_or_else(|| path.to_owned(), |(path, _)| format!("{path}>"))
}

fn value<'h>(headers: &'h [(String, String)], wanted: &str) -> Option<&'h str> {
    let mut headers = headers.iter();
    let found = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value.as_str())
}

fn headers(head: &str) -> Vec<(String, String)> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let lines = unfolded.split("\r\n");
    let parted = lines.filter_map(|line| line.split_once(':'));
    parted
        .map(|(name, value)| (name.to_owned(), words(value.trim())))
        .collect()
}

/// Decodes encoded words (RFC 2047); the blanks between two of them are no part of the text.
fn words(value: &str) -> String {
    let mut out = String::new();
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find("=?") {
        let (before, found) = rest.split_at(at);
        let Some((word, after)) = encoded_word(found) else {
            break;
        };
        if bytes.is_empty() || !before.trim().is_empty() {
            out.push_str(&String::from_utf8_lossy(&std::mem::take(&mut bytes)));
            out.push_str(before);
        }
        bytes.extend(word);
        rest = after;
    }
    out.push_str(&String::from_utf8_lossy(&bytes));
    out.push_str(rest);
    out
}

/// The bytes of the encoded word that the text begins with, and what follows it.
fn encoded_word(text: &str) -> Option<(Vec<u8>, &str)> {
    let (_, text) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, text) = text.split_once('?')?;
    let (content, after) = text.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(content).ok()?,
        _ => quoted(&content.replace('_', " ")),
    };
    Some((bytes, after))
}

/// Quoted-printable without its line ends (RFC 2045, 6.7).
fn quoted(text: &str) -> Vec<u8> {
    let escaped = text.replace('%', "%25").replace('=', "%");
    percent_decode_str(&escaped).collect()
}

fn decoded(body: &str, encoding: Option<&str>) -> String {
    let bytes = match encoding {
        Some("base64") => STANDARD
            .decode(body.replace(['\r', '\n'], ""))
            .unwrap_or_default(),
        Some("quoted-printable") => quoted(&body.replace("=\r\n", "")),
        _ => body.as_bytes().to_vec(),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A session that a case expects.
#[derive(Debug, Deserialize)]
pub(super) struct ExpectedMail {
    envelope: ExpectedEnvelope,
    mime: Option<ExpectedMime>,
}

#[derive(Debug, Deserialize)]
struct ExpectedEnvelope {
    mail_from: Option<String>,
    rcpt_to: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ExpectedMime {
    headers: Vec<(String, String)>,
    text: Option<String>,
}

impl ExpectedMail {
    /// How a session differs, for people to read.
    pub(super) fn differences(&self, mail: &ReplayedMail) -> Vec<String> {
        let mut out = Vec::new();
        let mut differ = |what: &str, expected: String, got: String| {
            if expected != got {
                out.push(format!("{what}: expected {expected}, got {got}"));
            }
        };
        let expected_from = self.envelope.mail_from.as_deref().map(bare);
        differ(
            "mail from",
            format!("{expected_from:?}"),
            format!("{:?}", mail.mail_from),
        );
        differ(
            "rcpt to",
            format!("{:?}", self.envelope.rcpt_to),
            format!("{:?}", mail.rcpt_to),
        );
        if let Some(mime) = &self.mime {
            differ(
                "headers",
                comparable(&mime.headers),
                comparable(&mail.headers),
            );
            let text = |text: &Option<String>| text.as_deref().map(same_text);
            differ(
                "text",
                format!("{:?}", text(&mime.text)),
                format!("{:?}", text(&mail.text)),
            );
        }
        out
    }
}

/// A text's lines, however they and the last of them end.
fn same_text(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end().to_owned()
}

/// Headers that a reader sees, sorted; a mailbox without a name stands bare, a number has no zero
/// before it, and spaces count once.
fn comparable(headers: &[(String, String)]) -> String {
    let seen = headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let value = match name.as_str() {
            "date" => value.replace(", 0", ", "),
            "content-type" => value.replace('"', ""),
            "from" | "to" | "reply-to" => value.replace('"', ""),
            _ => value.clone(),
        };
        let address = value.strip_prefix('<').and_then(|v| v.strip_suffix('>'));
        let value = address.map(str::to_owned).unwrap_or(value);
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        (!MAILERS_OWN.contains(&name.as_str())).then(|| format!("{name}: {value}"))
    });
    let mut seen: Vec<_> = seen.collect();
    seen.sort();
    seen.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_bodies_are_decoded() {
        let data = "Subject: =?utf-8?Q?W=C3=B6?=\r\n =?utf-8?B?cmxk?= 1_2\r\nFrom: <a@b.test>\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n100% =C3=BC=\r\n!\r\n";
        let mail = CapturedMail {
            mail_from: Some("<a@b.test> SMTPUTF8".to_owned()),
            data: Some(data.into()),
            ..CapturedMail::default()
        };
        let mail = ReplayedMail::from(&mail);
        assert_eq!(mail.mail_from.as_deref(), Some("<a@b.test>"));
        assert_eq!(value(&mail.headers, "subject"), Some("Wörld 1_2"));
        assert_eq!(mail.text.as_deref(), Some("100% ü!\r\n"));
    }
}
