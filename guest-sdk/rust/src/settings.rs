//! Reads an integration's settings, and names the field that does not fit.

mod place;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

use crate::failure::Failure;

/// Reads settings from their JSON text. Unknown fields are accepted.
///
/// # Errors
/// `invalid-settings` with the path of the field and what was expected there. The value itself is
/// never repeated: it may be a secret in the wrong place.
pub fn parse<S: DeserializeOwned>(text: &str) -> Result<S, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let words = words(&error.to_string());
        let lines = text.split_inclusive('\n').map(str::len);
        let before: usize = lines.take(error.line().saturating_sub(1)).sum();
        let whole = words.starts_with("missing field");
        let field = place::path(text, before + error.column(), whole);
        Failure::invalid_settings(if field.is_empty() { "settings" } else { &field }, &words)
    })
}

/// Whether the settings ask for `unescapedHtml`. Most do not name it, and are not read for it.
#[must_use]
pub fn unescaped_html(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Switch {
        unescaped_html: bool,
    }
    text.contains("\"unescapedHtml\"")
        && serde_json::from_str::<Switch>(text).is_ok_and(|switch| switch.unescaped_html)
}

/// For `deserialize_with` beside `default`: an optional field that may be absent and must not be null.
///
/// # Errors
/// Those of the field's own type.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What was expected, of an error such as "invalid type: integer `1`, expected a string at line 1
/// column 9".
fn words(error: &str) -> String {
    let error = error
        .rsplit_once(" at line ")
        .map_or(error, |(words, _)| words);
    match error.split_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => error.to_owned(),
    }
}

/// A text of at least one character: reading an empty one fails.
pub struct NonEmpty(String);

impl std::ops::Deref for NonEmpty {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for NonEmpty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Err(serde::de::Error::custom("must not be empty"));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::failure::FailureKind;

    #[derive(Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "only read")]
        inner: Vec<Inner>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        api_key: String,
        #[serde(default, deserialize_with = "present")]
        #[expect(dead_code, reason = "only read")]
        pool: Option<NonEmpty>,
    }

    #[test]
    fn the_failing_field_is_named_and_its_value_is_not() {
        for (json, expected) in [
            (
                r#"{"inner":[{"apiKey":12345}]}"#,
                "inner[0].apiKey: expected a string",
            ),
            (r#"{"inner":[{}]}"#, "inner[0]: missing field `apiKey`"),
            (
                r#"{"inner":[{"apiKey":"k","pool":""}]}"#,
                "inner[0].pool: must not be empty",
            ),
            (
                r#"{"inner":[{"apiKey":"k","pool":null}]}"#,
                "inner[0].pool: expected a string",
            ),
            (r#"{"inner":"sk_live"}"#, "inner: expected a sequence"),
            (
                r#"{"inner":[{"apiKey":"k"},{"apiKey":"\"}{[","pool": "" } ]}"#,
                "inner[1].pool: must not be empty",
            ),
            (
                "{\n \"more\": [1, {\"a\": 2}],\n \"inner\": {}\n}",
                "inner: expected a sequence",
            ),
            (
                r#"{"inner":[{"pool":"a","more":{"x":1}}]}"#,
                "inner[0]: missing field `apiKey`",
            ),
            ("{}", "settings: missing field `inner`"),
            ("nonsense", "settings: expected ident"),
        ] {
            let failure = parse::<Outer>(json).err().unwrap();
            assert_eq!(failure.kind, FailureKind::InvalidSettings);
            assert_eq!(failure.message, expected);
        }
    }
}
