//! The forms in which a text is repeated: as it is, percent-encoded, escaped for JSON and HTML, in base64 and in
//! hexadecimal; each encoding with no more than it must encode, and with every byte.

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

/// A longer text, such as a key in PEM, is not looked for with every byte encoded: that would take 30 times its own
/// size.
const EVERY_BYTE_MAX: usize = 1024;

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
    forms.push(json_for_html(json));
    forms.push(json_cautious(json));
    forms.extend(html(plain));
    if plain.len() <= EVERY_BYTE_MAX {
        for form in every_byte(plain) {
            forms.push(upper_digits(&form));
            forms.push(form);
        }
    }
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

/// JSON text as Go writes it: what means something in HTML is escaped.
fn json_for_html(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// JSON text as .NET writes it: the same, quotation marks, `+` and everything outside ASCII, in upper case.
fn json_cautious(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.replace("\\\"", "\\u0022").chars() {
        if c.is_ascii() && !"<>&'+`".contains(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04X}"));
        }
    }
    out
}

/// As different languages write the two quotation marks.
fn html(plain: &str) -> impl Iterator<Item = String> {
    let marks = [
        ("&quot;", "&#39;"),
        ("&#34;", "&#39;"),
        ("&quot;", "&#x27;"),
        ("\"", "'"),
    ];
    let base = plain
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    marks
        .into_iter()
        .map(move |(double, single)| base.replace('"', double).replace('\'', single))
}

/// Everything encoded, what need not be as well; digits in lower case.
fn every_byte(plain: &str) -> Vec<String> {
    let bytes = |before: &str| -> String {
        let byte = |byte| format!("{before}{byte:02x}");
        plain.bytes().map(byte).collect()
    };
    let units = |before: &str, width| -> String {
        let unit = |unit| format!("{before}{unit:0width$x}");
        plain.encode_utf16().map(unit).collect()
    };
    let characters =
        |write: fn(u32) -> String| -> String { plain.chars().map(|c| write(c.into())).collect() };
    vec![
        bytes("%"),
        bytes("\\x"),
        units("\\u", 4),
        characters(|c| format!("&#{c};")),
        characters(|c| format!("&#x{c:x};")),
        bytes(" ").trim_start().to_owned(),
        bytes(":").trim_start_matches(':').to_owned(),
    ]
}

/// Hexadecimal digits of escapes in upper case; their letters `x` and `u` stay.
fn upper_digits(form: &str) -> String {
    form.chars()
        .map(|c| {
            if c.is_ascii_hexdigit() {
                c.to_ascii_uppercase()
            } else {
                c
            }
        })
        .collect()
}

/// How languages print the number of a JSON text besides as it stands: with an exponent, or with groups of three.
pub(super) fn numbers(text: &str, out: &mut Vec<String>) {
    out.push(text.to_owned());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('-');
    out.push(whole.to_owned());
    if whole.len() < 4 {
        return;
    }
    let (first, rest) = whole.split_at(1);
    let digits = format!("{rest}{fraction}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    for e in ["e", "E"] {
        for exponent in [
            format!("{}", rest.len()),
            format!("+{}", rest.len()),
            format!("{:02}", rest.len()),
            format!("+{:02}", rest.len()),
        ] {
            out.push(format!("{first}{point}{digits}{e}{exponent}"));
        }
    }
    for mark in [",", ".", "'", "’", "_", " ", "\u{a0}", "\u{202f}"] {
        let grouped = whole.char_indices().map(|(at, c)| {
            let begins = at > 0 && (whole.len() - at).is_multiple_of(3);
            format!("{}{c}", if begins { mark } else { "" })
        });
        out.push(grouped.collect());
    }
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

    fn every(plain: &str, write: impl Fn(u8) -> String) -> String {
        plain.bytes().map(write).collect()
    }

    fn units(plain: &str, write: impl Fn(u16) -> String) -> String {
        plain.encode_utf16().map(write).collect()
    }

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
            every(plain, |byte| format!("%{byte:02x}")),
            every(plain, |byte| format!("%{byte:02X}")),
            every(plain, |byte| format!("\\x{byte:02x}")),
            every(plain, |byte| format!("{byte:02X} ")),
            every(plain, |byte| format!("{byte:02x}:")),
            units(plain, |unit| format!("\\u{unit:04x}")),
            units(plain, |unit| format!("\\u{unit:04X}")),
            plain
                .chars()
                .map(|c| format!("&#{};", u32::from(c)))
                .collect(),
            plain
                .chars()
                .map(|c| format!("&#x{:X};", u32::from(c)))
                .collect(),
            "P@ss \\\"wörd\\\"/+1\\u003c~*\\u003e?".to_owned(),
            "P@ss \\u0022w\\u00F6rd\\u0022/\\u002B1\\u003C~*\\u003E?".to_owned(),
            "P@ss &#34;wörd&#34;/+1&lt;~*&gt;?".to_owned(),
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
        let long = "k".repeat(EVERY_BYTE_MAX + 1);
        let size: usize = forms(&long, 6).iter().map(String::len).sum();
        assert!(size < 10 * long.len(), "{size}");
    }
}
