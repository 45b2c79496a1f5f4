//! Variables in texts: `{{ name.of.a.value }}`, with the semantics of Logto's connector kit.
//!
//! The peer's expression is `/{{\s*([\w.]+)\s*}}/g`, replaced once and never read again. Inherited
//! properties (`{{constructor}}`), which the peer resolves, count as missing here.

use serde_json::Value;

use crate::number;
use crate::payload::{Payload, array_index};

/// Replaces each variable of `template` by its value, without any escaping: for plain text.
///
/// A variable whose first name is not in the payload stays as it is written; one that is not
/// found further down, or is null, becomes empty.
#[must_use]
pub fn render(template: &str, payload: &Payload) -> String {
    render_with(template, payload, |value| value)
}

/// [`render`], each value as `write` has it for its place.
pub(crate) fn render_with(
    template: &str,
    payload: &Payload,
    write: fn(String) -> String,
) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let (before, at) = rest.split_at(start);
        text.push_str(before);
        match variable(at) {
            Some((path, after)) => {
                match lookup(path, payload) {
                    Some(value) => text.push_str(&write(value)),
                    None => text.push_str(at.get(..at.len() - after.len()).unwrap_or_default()),
                }
                rest = after;
            }
            None => {
                // No variable begins here, but one may at the next brace: `{{{code}}}`.
                text.push('{');
                rest = at.get(1..).unwrap_or_default();
            }
        }
    }
    text.push_str(rest);
    text
}

/// The path of the variable at the start of `text`, and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix("{{")?.trim_start_matches(is_space);
    let end = inner
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .filter(|end| *end > 0)?;
    let (path, after) = inner.split_at(end);
    let after = after.trim_start_matches(is_space).strip_prefix("}}")?;
    Some((path, after))
}

/// JavaScript's `\s`, which is not Unicode's white space: U+FEFF is in, U+0085 is not.
fn is_space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

/// The text for a path, or nothing where its root is missing.
fn lookup(path: &str, payload: &Payload) -> Option<String> {
    let mut names = path.split('.');
    let root = names.next().filter(|root| !root.is_empty())?;
    let mut value = payload.get(root)?;
    for name in names {
        let next = match value {
            Value::Object(map) => map.get(name),
            Value::Array(items) if name == "length" => return Some(items.len().to_string()),
            Value::Array(items) => array_index(name).and_then(|index| items.get(index as usize)),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return Some(String::new()),
        }
    }
    Some(to_text(value))
}

/// JavaScript's `String(value)`.
#[must_use]
pub fn string(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        value => to_text(value),
    }
}

/// [`string`], with an empty text for null.
fn to_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(n) => number::text(n),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(to_text).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_names_count_as_missing() {
        let payload = Payload::parse(r#"{"code":"1","list":[]}"#).ok().unwrap();
        assert_eq!(
            render(
                "{{constructor}} {{ toString.x }} [{{list.constructor}}]",
                &payload
            ),
            "{{constructor}} {{ toString.x }} []"
        );
    }

    #[test]
    fn values_are_inserted_as_they_are_and_not_read_again() {
        let payload = Payload::parse(r#"{"a":"{{b}}$&<b>","b":"x"}"#)
            .ok()
            .unwrap();
        assert_eq!(render("{{{a}}}{{a", &payload), "{{{b}}$&<b>}{{a");
    }
}
