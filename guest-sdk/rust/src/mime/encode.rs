//! Bodies as lines that every server takes (RFC 2045, 6): as they are, quoted-printable or base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest line of an encoded body (RFC 2045, 6.7 and 6.8).
const ENCODED_LINE: usize = 76;
/// The longest line that should be sent as it is (RFC 5322, 2.1.1).
const PLAIN_LINE: usize = 78;

/// A body ready for the wire, each of its lines ended by CRLF.
pub(super) struct Body {
    /// The `Content-Transfer-Encoding`.
    pub(super) encoding: &'static str,
    pub(super) text: String,
}

/// Encodes a body in the shortest way that keeps it. No way produces `=_`: a boundary that holds it
/// is no part of any body.
pub(super) fn body(text: &str) -> Body {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let plain = |line: &str| line.len() <= PLAIN_LINE && !line.contains("=_");
    let shown = |c: char| matches!(c, ' '..='~' | '\n' | '\t');
    if text.chars().all(shown) && text.split('\n').all(plain) {
        Body {
            encoding: "7bit",
            text: text.replace('\n', "\r\n") + "\r\n",
        }
    } else if escaped(&text) * 6 <= text.len() {
        Body {
            encoding: "quoted-printable",
            text: quoted_printable(&text),
        }
    } else {
        Body {
            encoding: "base64",
            text: in_lines(&base64(&text.replace('\n', "\r\n"))),
        }
    }
}

pub(super) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// How many bytes of a text quoted-printable escapes, each in three letters. Base64 takes a third
/// more than the text.
pub(super) fn escaped(text: &str) -> usize {
    text.bytes()
        .filter(|b| !matches!(b, b' '..=b'~' | b'\n' | b'\t') || *b == b'=')
        .count()
}

/// RFC 2045, 6.7; `text` has bare line feeds.
fn quoted_printable(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + text.len() / 2);
    for line in text.split('\n') {
        let mut column = 0;
        for (at, byte) in line.bytes().enumerate() {
            let space_at_end = at + 1 == line.len() && matches!(byte, b' ' | b'\t');
            let kept = matches!(byte, b' '..=b'~' | b'\t') && byte != b'=' && !space_at_end;
            let width = if kept { 1 } else { 3 };
            // One column is the soft break's.
            if column + width > ENCODED_LINE - 1 {
                encoded.push_str("=\r\n");
                column = 0;
            }
            if kept {
                encoded.push(char::from(byte));
            } else {
                push_escape(&mut encoded, byte);
            }
            column += width;
        }
        encoded.push_str("\r\n");
    }
    encoded
}

/// Appends `=XX`.
pub(super) fn push_escape(text: &mut String, byte: u8) {
    text.push('=');
    crate::http::push_hex(text, byte);
}

fn in_lines(letters: &str) -> String {
    let mut lines = String::with_capacity(letters.len() + letters.len() / 32);
    let mut rest = letters;
    while let Some((line, behind)) = rest.split_at_checked(ENCODED_LINE) {
        lines.push_str(line);
        lines.push_str("\r\n");
        rest = behind;
    }
    if !rest.is_empty() {
        lines.push_str(rest);
        lines.push_str("\r\n");
    }
    lines
}
