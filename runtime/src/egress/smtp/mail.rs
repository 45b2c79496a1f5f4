//! A message as it will stand on the wire: the envelope checked, line ends canonical, dots stuffed.

use bytes::Bytes;
use memchr::memchr3;

use crate::about::is_invisible;
use crate::egress::target::{Host, parse_host};
use crate::egress::{EgressError, SmtpEnvelope};
use crate::limits::{Limit, Limits};

/// Recipients of one message.
const RECIPIENTS_MAX: usize = 10;
/// A path without brackets (RFC 5321, 4.5.3.1.3).
const PATH_MAX: usize = 254;
/// A local part (RFC 5321, 4.5.3.1.1).
const LOCAL_MAX: usize = 64;
/// A line without its end (RFC 5322, 2.1.1).
const LINE_MAX: usize = 998;

/// A checked message.
pub(in crate::egress) struct Mail {
    pub(in crate::egress) from: String,
    pub(in crate::egress) to: Vec<String>,
    /// The text with its final dot.
    pub(in crate::egress) data: Bytes,
    /// Bytes of the text before dots were stuffed.
    pub(super) size: usize,
    /// The text is not ASCII (RFC 6152).
    pub(super) eight_bit: bool,
    /// An address or a header is not ASCII (RFC 6531).
    pub(super) utf8: bool,
}

impl Mail {
    /// Checks an envelope and a message.
    pub(in crate::egress) fn new(
        envelope: &SmtpEnvelope,
        data: &[u8],
        limits: &Limits,
    ) -> Result<Self, EgressError> {
        if envelope.rcpt_to.is_empty() {
            return Err(invalid("the envelope has no recipient"));
        }
        if envelope.rcpt_to.len() > RECIPIENTS_MAX {
            return Err(invalid("an envelope may have 10 recipients"));
        }
        if data.len() > limits.request_body {
            return Err(EgressError::Limit {
                limit: Limit::RequestBody,
                detail: format!("a message may have {} bytes", limits.request_body),
            });
        }
        let from = match envelope.mail_from.as_str() {
            "" => String::new(),
            path => address(path)?,
        };
        let to = envelope.rcpt_to.iter().map(|path| address(path));
        let to = to.collect::<Result<Vec<_>, _>>()?;
        let (text, size) = wire_text(data)?;
        let header_end = memchr::memmem::find(&text, b"\r\n\r\n").unwrap_or(text.len());
        let header = text.get(..header_end).unwrap_or_default();
        Ok(Self {
            utf8: !header.is_ascii() || !from.is_ascii() || !to.iter().all(|path| path.is_ascii()),
            eight_bit: !text.is_ascii(),
            from,
            to,
            data: text.into(),
            size,
        })
    }
}

fn invalid(words: &str) -> EgressError {
    EgressError::Invalid(words.to_owned())
}

/// One address with its domain in A-labels. A second address, a parameter, a domain literal or a
/// character that ends a command are refused.
fn address(path: &str) -> Result<String, EgressError> {
    let refused = || invalid("an address of the envelope is malformed");
    // Its domain may be longer once it is in A-labels, but not by so much.
    if path.len() > 4 * PATH_MAX {
        return Err(refused());
    }
    let (local, domain) = path.rsplit_once('@').ok_or_else(refused)?;
    let whole = local.strip_prefix('"').and_then(|l| l.strip_suffix('"'));
    let local_is_good = match whole {
        Some(quoted) => is_quoted_content(quoted),
        None => is_dot_atom(local),
    };
    if !local_is_good || local.len() > LOCAL_MAX {
        return Err(refused());
    }
    // The root's dot has no place in an address (RFC 5321, 4.1.2).
    let read = Some(domain).filter(|domain| !domain.ends_with('.'));
    let Some(Ok(Host::Name(domain))) = read.map(parse_host) else {
        return Err(refused());
    };
    let path = format!("{local}@{domain}");
    if path.len() > PATH_MAX {
        return Err(refused());
    }
    Ok(path)
}

/// Dots may stand anywhere between atoms: some providers gave out such addresses.
fn is_dot_atom(local: &str) -> bool {
    let atom =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || is_word(c);
    !local.is_empty() && local.chars().all(atom)
}

/// The inside of a quoted string (RFC 5321, 4.1.2): printable, quotes and backslashes escaped.
fn is_quoted_content(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => chars.next().filter(char::is_ascii),
            '"' => None,
            c => Some(c),
        };
        if !c.is_some_and(|c| c == ' ' || c.is_ascii_graphic() || is_word(c)) {
            return false;
        }
    }
    true
}

/// Beyond ASCII, without spaces and what turns text around or hides in it.
fn is_word(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace() && !is_invisible(c)
}

/// The text with CRLF at each line's end, a dot before each leading dot, and the final dot; and its
/// length before that. Every CR and LF ends a line, so that no server can see another end than ours.
fn wire_text(data: &[u8]) -> Result<(Vec<u8>, usize), EgressError> {
    let mut text = Vec::with_capacity(data.len() + data.len() / 32 + 8);
    let mut stuffed = 0;
    let mut rest = data;
    while !rest.is_empty() {
        let end = memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = match after {
            [0, ..] => return Err(invalid("the message holds a NUL")),
            [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
            [] => &[],
        };
        if line.len() > LINE_MAX {
            return Err(invalid("a line of the message is longer than 998 bytes"));
        }
        if line.starts_with(b".") {
            text.push(b'.');
            stuffed += 1;
        }
        text.extend_from_slice(line);
        text.extend_from_slice(b"\r\n");
    }
    let size = text.len() - stuffed;
    text.extend_from_slice(b".\r\n");
    Ok((text, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> String {
        String::from_utf8(wire_text(text.as_bytes()).unwrap().0).unwrap()
    }

    #[test]
    fn every_line_end_becomes_crlf_and_no_line_ends_the_message() {
        assert_eq!(wire("a\r\n.\r\nb"), "a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(wire("a\n.\nb\n"), "a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(wire("a\n.\r\nb"), "a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(wire("a\r.\rb"), "a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(wire(".\r\nhello"), "..\r\nhello\r\n.\r\n");
        assert_eq!(wire(""), ".\r\n");
        assert!(wire_text(b"a\0b").is_err());
        assert!(wire_text(&[b'a'; 999]).is_err());
        assert_eq!(wire_text(b".\n").unwrap().1, 3);
    }

    #[test]
    fn an_address_is_one_address() {
        for good in [
            "u@x.test",
            "a.b+c@x.test",
            "o'brien@x.test",
            "\"a b\"@x.test",
            "\"a\\\"b\"@x.test",
            "jörg@x.test",
        ] {
            assert_eq!(address(good).unwrap(), good);
        }
        assert_eq!(address("u@Bücher.test").unwrap(), "u@xn--bcher-kva.test");
        for bad in [
            "",
            "u",
            "@x.test",
            "u@",
            "a@b@c.test",
            "a,b@x.test",
            "u@x.test> NOTIFY=NEVER",
            "u@x.test\nDATA",
            "u@x.test\0",
            "u v@x.test",
            "<u@x.test>",
            "u@[127.0.0.1]",
            "u@127.0.0.1",
            "\"a\"b\"@x.test",
            "\"a\r\n\"@x.test",
            "u@x..test",
            "\"@x.test",
        ] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
        assert!(address(&format!("{}@x.test", "a".repeat(65))).is_err());
    }
}
