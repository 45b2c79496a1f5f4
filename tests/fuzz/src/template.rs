//! What connectors make of texts: payloads, templates, HTML and addresses.

use sendbox_guest::template::render;
use sendbox_guest::{Payload, endpoint, html, one_line};
use serde_json::Value;
use url::{Host, Url};

use crate::fields::Fields;

/// Holds texts to what is promised of them.
pub fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let (json, template) = (fields.text(), fields.text());
    match Payload::parse(&json) {
        Ok(payload) => filled_in(&json, &payload, &template),
        Err(_) => {
            assert!(!serde_json::from_str::<Value>(&json).is_ok_and(|value| value.is_object()))
        }
    }
    markup(&fields.text());
    if let Ok(url) = endpoint::canonical(&fields.text()) {
        address(&url);
    }
}

fn filled_in(json: &str, payload: &Payload, template: &str) {
    let written = payload.to_json();
    let Ok(again) = Payload::parse(&written) else {
        panic!("{written} is not read");
    };
    assert_eq!(again.to_json(), written, "{json}");

    let text = render(template, payload);
    if !template.contains("{{") {
        assert_eq!(text, template);
    }
    let line = one_line(&text);
    assert!(
        !line.contains(char::is_control) && one_line(&line) == line,
        "{line:?}"
    );
    // With nothing to fill in, everything stays.
    let nothing = Payload::default();
    assert_eq!(render(template, &nothing), template);
}

fn markup(source: &str) {
    let escaped = html::escape(source);
    assert!(!escaped.contains(['<', '>', '"', '\'']), "{escaped:?}");
    let plain = html::plain(source);
    assert!(!plain.contains(['<', '>']), "{plain:?}");
    // Escaped, it is words: no markup, and no entity but those of the escape.
    let words = |text: &str| text.split_whitespace().collect::<String>();
    let shown = html::plain(&escaped);
    let meant = source.replace(['<', '>', '\u{200b}'], "");
    assert_eq!(
        words(&shown.replace('\u{200b}', "")),
        words(&meant),
        "{source:?}"
    );
}

/// An address that is accepted is in its last form, and others read it alike.
fn address(url: &str) {
    assert_eq!(endpoint::canonical(url).as_deref(), Ok(url));
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url:?}");
    assert!(!url.contains('#') && !url.contains('@') || url.contains(['/', '?']));
    // Only a name is written in one way alone.
    let Ok(read) = Url::parse(url) else { return };
    if let Some(Host::Domain(host)) = read.host() {
        let authority = url.split('/').nth(2).unwrap_or_default();
        let port = read.port().map_or(String::new(), |port| format!(":{port}"));
        assert_eq!(format!("{host}{port}"), authority, "{url}");
    }
}
