//! Finds a secret in what comes back, in the forms in which a provider may echo it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::secret::Secret;

/// Shorter texts are not looked for: they would match by chance.
const SHORTEST: usize = 6;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The forms of one secret, the longest first, ready to search for.
pub(super) struct Needles(Vec<Finder<'static>>);

impl Needles {
    pub(super) fn of(secret: &Secret) -> Self {
        let plain = secret.expose();
        if plain.len() < SHORTEST {
            return Self(Vec::new());
        }
        let percent = utf8_percent_encode(plain, UNRESERVED).to_string();
        let mut forms = vec![
            plain.to_owned(),
            percent.replace("%20", "+"),
            percent.to_ascii_lowercase(),
            percent,
            Value::from(plain).to_string().trim_matches('"').to_owned(),
        ];
        for lead in 0..3 {
            forms.extend(base64_core(plain.as_bytes(), lead));
        }
        forms.retain(|form| form.len() >= SHORTEST);
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self(
            forms
                .iter()
                .map(|form| Finder::new(form.as_bytes()).into_owned())
                .collect(),
        )
    }

    /// `haystack` with every form replaced; none where there is none.
    pub(super) fn replace(&self, haystack: &[u8], with: impl Fn() -> String) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        for finder in &self.0 {
            let text = out.as_deref().unwrap_or(haystack);
            if finder.find(text).is_some() {
                out = Some(replace_all(text, finder, with().as_bytes()));
            }
        }
        out
    }
}

fn replace_all(haystack: &[u8], finder: &Finder<'_>, with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(haystack.len());
    let mut rest = haystack;
    while let Some(at) = finder.find(rest) {
        let (before, found) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(with);
        rest = found.get(finder.needle().len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// The characters of base64, in both alphabets, that a secret alone decides when `lead` bytes (modulo
/// three) stand before it, as a user name does in basic authentication.
fn base64_core(secret: &[u8], lead: usize) -> Vec<String> {
    let mut bytes = vec![0; lead];
    bytes.extend_from_slice(secret);
    // Characters that also hold bits of the bytes before, or after, depend on those.
    let first = (lead * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    let core = |text: String| text.get(first..last).map(str::to_owned);
    [
        STANDARD_NO_PAD.encode(&bytes),
        URL_SAFE_NO_PAD.encode(&bytes),
    ]
    .into_iter()
    .filter_map(core)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form_a_provider_may_echo() {
        let plain = "p@ss \"wörd\"/+1";
        let needles = Needles::of(&Secret::new(plain.to_owned()));
        let basic = |user: &str| STANDARD_NO_PAD.encode(format!("{user}:{plain}"));
        for echo in [
            plain.to_owned(),
            "p%40ss%20%22w%C3%B6rd%22%2F%2B1".to_owned(),
            "p%40ss+%22w%C3%B6rd%22%2F%2B1".to_owned(),
            "p%40ss%20%22w%c3%b6rd%22%2f%2b1".to_owned(),
            Value::from(plain).to_string(),
            basic("a"),
            basic("ab"),
            basic("abc"),
            URL_SAFE_NO_PAD.encode(plain),
        ] {
            let text = format!("you sent <{echo}>, twice: <{echo}>");
            let redacted = needles
                .replace(text.as_bytes(), || "[it]".to_owned())
                .unwrap();
            let redacted = String::from_utf8(redacted).unwrap();
            assert_eq!(redacted.matches("[it]").count(), 2, "{redacted}");
        }
        assert_eq!(needles.replace(b"nothing here", || "[it]".to_owned()), None);
    }

    #[test]
    fn a_text_too_short_to_tell_is_left() {
        let needles = Needles::of(&Secret::new("12345".to_owned()));
        assert_eq!(needles.replace(b"12345", || "[it]".to_owned()), None);
    }
}
