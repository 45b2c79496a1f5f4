//! A strict reader of the mails' HTML: every tag is closed in its order, every attribute is quoted.

/// What an element is that has no end.
const VOID: [&str; 3] = ["meta", "img", "br"];

/// What a reader sees: the text of the body without what is hidden, each element's on its own line.
pub(crate) fn visible(html: &str) -> String {
    let mut open: Vec<(&str, bool)> = Vec::new();
    let mut seen = String::new();
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        let shown = open.iter().all(|(name, hidden)| *name != "head" && !hidden);
        assert!(!text.contains('>'), "a stray bracket in {text:?}");
        if shown {
            seen.push_str(&decoded(text));
        }
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->").expect("a comment ends").1;
            continue;
        }
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        rest = after;
        if tag.starts_with("!doctype") {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(
                open.pop().map(|(name, _)| name),
                Some(name),
                "closed in order"
            );
            seen.push('\n');
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let attributes = attributes_of(attributes);
        let hidden = attributes
            .iter()
            .any(|(_, value)| value.contains("display:none"));
        if VOID.contains(&name) {
            let alt = attributes.iter().find(|(name, _)| *name == "alt");
            seen.push_str(&alt.map(|(_, alt)| decoded(alt)).unwrap_or_default());
            seen.push('\n');
        } else {
            open.push((name, hidden));
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "all is closed");
    seen
}

/// Names and values, still escaped.
pub(crate) fn attributes_of(mut text: &str) -> Vec<(&str, &str)> {
    let mut attributes = Vec::new();
    while !text.trim().is_empty() {
        let (name, rest) = text.trim_start().split_once("=\"").expect("a quoted value");
        let (value, rest) = rest.split_once('"').expect("its end");
        assert!(
            name.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
            "{name}"
        );
        attributes.push((name, value));
        text = rest;
    }
    attributes
}

fn decoded(text: &str) -> String {
    let mut decoded = text.to_owned();
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
    ] {
        decoded = decoded.replace(entity, character);
    }
    let bare = decoded.replace("&amp;", "");
    assert!(!bare.contains('&'), "an ampersand that is none: {text:?}");
    decoded.replace("&amp;", "&")
}
