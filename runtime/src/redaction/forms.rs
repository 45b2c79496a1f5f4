//! The forms in which a text is repeated: as it is, percent-encoded, escaped, in base64 and in hexadecimal.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What JavaScript's `encodeURIComponent` encodes.
const COMPONENT: &AsciiSet = &RESERVED
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

/// Every form of at least `shortest` bytes, each once; none of a text that is shorter itself.
pub(crate) fn forms(plain: &str, shortest: usize) -> Vec<String> {
    if plain.len() < shortest {
        return Vec::new();
    }
    let mut forms = vec![plain.to_owned()];
    for set in [RESERVED, COMPONENT] {
        let upper = utf8_percent_encode(plain, set).to_string();
        let lower = lower_escapes(&upper);
        forms.push(upper.replace("%20", "+"));
        forms.push(lower.replace("%20", "+"));
        forms.extend([upper, lower]);
    }
    let json = Value::from(plain).to_string();
    let json = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let json = json.unwrap_or(plain);
    forms.push(ascii(json));
    forms.push(ascii(json).replace('/', "\\/"));
    forms.push(json.replace('/', "\\/"));
    forms.push(json.to_owned());
    forms.push(html(plain));
    for lead in 0..3 {
        forms.extend(base64_core(plain.as_bytes(), lead));
    }
    let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hex.to_ascii_uppercase());
    forms.push(hex);
    forms.retain(|form| form.len() >= shortest);
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// The digits of percent escapes in lower case.
fn lower_escapes(encoded: &str) -> String {
    let mut escaped = 0;
    let lower = |c: char| {
        let (digit, left) = (escaped > 0, if c == '%' { 2 } else { escaped.max(1) - 1 });
        escaped = left;
        if digit { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

/// JSON text with everything outside ASCII escaped.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

fn html(plain: &str) -> String {
    plain
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// The characters of base64, in both alphabets, that a text alone decides when `lead` bytes (modulo
/// three) stand before it, as a user name does in basic authentication.
fn base64_core(plain: &[u8], lead: usize) -> Vec<String> {
    let mut bytes = vec![0; lead];
    bytes.extend_from_slice(plain);
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
    fn a_text_is_found_in_every_form_in_which_it_may_be_repeated() {
        let plain = "P@ss \"wörd\"/+1<~*>?";
        let forms = forms(plain, 6);
        let basic = |user: &str| STANDARD_NO_PAD.encode(format!("{user}:{plain}"));
        let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
        for echo in [
            plain.to_owned(),
            "P%40ss%20%22w%C3%B6rd%22%2F%2B1%3C~%2A%3E%3F".to_owned(),
            "P%40ss+%22w%C3%B6rd%22%2F%2B1%3C~%2A%3E%3F".to_owned(),
            "P%40ss%20%22w%c3%b6rd%22%2f%2b1%3c~%2a%3e%3f".to_owned(),
            "P%40ss+%22w%c3%b6rd%22%2f%2b1%3c~%2a%3e%3f".to_owned(),
            "P%40ss%20%22w%C3%B6rd%22%2F%2B1%3C~*%3E%3F".to_owned(),
            Value::from(plain).to_string(),
            "P@ss \\\"w\\u00f6rd\\\"\\/+1<~*>?".to_owned(),
            "P@ss &quot;wörd&quot;/+1&lt;~*&gt;?".to_owned(),
            basic("a"),
            basic("ab"),
            basic("abc"),
            URL_SAFE_NO_PAD.encode(plain),
            URL_SAFE_NO_PAD.encode(format!("x{plain}x")),
            hex.to_ascii_uppercase(),
            hex,
        ] {
            let found = forms.iter().any(|form| echo.contains(form.as_str()));
            assert!(found, "{echo}");
        }
        assert!(
            !forms
                .iter()
                .any(|form| "nothing here".contains(form.as_str()))
        );
    }

    #[test]
    fn a_text_too_short_to_tell_has_no_forms() {
        assert!(forms("12345", 6).is_empty());
        assert!(forms("123456", 6).iter().all(|form| form.len() >= 6));
    }
}
