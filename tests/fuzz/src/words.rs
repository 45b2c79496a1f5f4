//! What holds of every word that leaves the host: for people one clean line, and no secret in any form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

/// A refusal in words that fit on a line of a terminal.
pub(crate) fn one_line(words: &str) {
    assert!(!words.trim().is_empty(), "a refusal without words");
    let control = words.chars().find(|c| c.is_control());
    assert_eq!(control, None, "a control character in {words:?}");
}

/// A secret, and how it may be met.
pub(crate) struct Canary {
    forms: Vec<Vec<u8>>,
}

impl Canary {
    /// Texts that are too short to tell have no forms.
    pub(crate) fn new(secret: &str) -> Self {
        if secret.len() < sendbox::redaction::SHORTEST {
            return Self { forms: Vec::new() };
        }
        let bytes = secret.as_bytes();
        let mut forms = vec![bytes.to_vec(), hex(bytes), hex(bytes).to_ascii_uppercase()];
        forms.extend([percent(secret, false), percent(secret, true)]);
        forms.extend((0..3).flat_map(|lead| base64_cores(bytes, lead)));
        forms.retain(|form| form.len() >= sendbox::redaction::SHORTEST);
        Self { forms }
    }

    /// Every form of the secret.
    pub(crate) fn forms(&self) -> &[Vec<u8>] {
        &self.forms
    }

    /// Fails where a form stands in a piece of `text` between its placeholders, which end as `placeholder`.
    pub(crate) fn is_not_in(&self, text: &[u8], placeholder: &[u8]) {
        for piece in pieces(text, placeholder) {
            for form in &self.forms {
                let found = memmem::find(piece, form).is_some();
                assert!(!found, "{:?} in {:?}", lossy(form), lossy(piece));
            }
        }
    }
}

/// What is between the occurrences of `mark`.
fn pieces<'t>(text: &'t [u8], mark: &[u8]) -> Vec<&'t [u8]> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    for at in memmem::find_iter(text, mark) {
        pieces.push(&text[from..at]);
        from = at + mark.len();
    }
    pieces.push(&text[from..]);
    pieces
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.into_bytes()
}

/// RFC 3986, 2.1 and 2.3; a space as `+` where it stands in a form.
fn percent(text: &str, form: bool) -> Vec<u8> {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' if form => encoded.push('+'),
            b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded.into_bytes()
}

/// What a text alone decides of the base64 of `lead` bytes, the text, and more.
fn base64_cores(text: &[u8], lead: usize) -> [Vec<u8>; 2] {
    let with = |byte: u8| [&vec![byte; lead][..], text, &[byte; 3]].concat();
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|engine| {
        let (low, high) = (engine.encode(with(0)), engine.encode(with(0xff)));
        let pairs = low.bytes().zip(high.bytes());
        pairs.filter(|(a, b)| a == b).map(|(a, _)| a).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_secret_is_seen_in_each_form_and_between_placeholders() {
        let canary = Canary::new("k3y/with+signs");
        let seen =
            |text: &str| catch_unwind(|| canary.is_not_in(text.as_bytes(), b"sbx-00")).is_err();
        for text in [
            "a k3y/with+signs b",
            "k3y%2Fwith%2Bsigns",
            "6b33792f776974682b7369676e73",
            "sbx-00k3y/with+signs",
            "dTprM3kvd2l0aCtzaWducw==",
        ] {
            assert!(seen(text), "{text}");
        }
        assert!(!seen("k3y/with+sign sbx-00 s"));
        assert!(catch_unwind(|| one_line("a\x1b[0m")).is_err());
    }
}
