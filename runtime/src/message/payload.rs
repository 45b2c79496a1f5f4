//! Template variables, as the caller wrote them, read once ([`crate::json`]).

use serde_json::value::RawValue;

use super::MessageError;
use crate::json::one_reading;

/// Bytes of JSON that a payload may have.
pub const PAYLOAD_MAX: usize = 64 * 1024;
/// How deep a payload may nest.
pub const PAYLOAD_DEPTH_MAX: usize = 32;

/// Template variables: the text of a JSON object, its keys in the caller's order. Guests get this text, and what
/// is kept from logs is taken from it: every parser reads it alike.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Box<str>);

impl Payload {
    /// Checks that `raw` is an object within [`PAYLOAD_MAX`] and [`PAYLOAD_DEPTH_MAX`], which every parser reads
    /// alike.
    ///
    /// # Errors
    /// Names the limit, the shape that was expected, or the place.
    pub fn parse(raw: &RawValue) -> Result<Self, MessageError> {
        let text = one_reading(raw.get()).map_err(|unlike| {
            MessageError::new(format!("payload{}", unlike.pointer), unlike.problem)
        })?;
        if !text.starts_with('{') {
            return Err(MessageError::new("payload", "must be a JSON object"));
        }
        if text.len() > PAYLOAD_MAX {
            return Err(MessageError::new(
                "payload",
                format!("must be at most {PAYLOAD_MAX} bytes of JSON"),
            ));
        }
        if depth(&text) > PAYLOAD_DEPTH_MAX {
            return Err(MessageError::new(
                "payload",
                format!("must nest at most {PAYLOAD_DEPTH_MAX} deep"),
            ));
        }
        Ok(Self(text.into()))
    }

    /// A payload that the store gives back.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    /// The JSON text: holds codes and links.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// One text for all that say the same: without spaces, the keys of every object in their order.
    #[must_use]
    pub fn canonical(&self) -> String {
        let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&self.0) else {
            return self.0.to_string();
        };
        value.sort_all_objects();
        value.to_string()
    }

    /// The value of a top-level text field.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&self.0).ok()?;
        object.get(key)?.as_str().map(str::to_owned)
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payload(…)")
    }
}

/// Nesting of well-formed JSON text.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_objects_within_their_limits() {
        let parse =
            |text: &str| Payload::parse(&serde_json::from_str::<Box<RawValue>>(text).unwrap());
        assert_eq!(
            parse(r#"{"b":1,"a":"[[["}"#).unwrap().expose(),
            r#"{"b":1,"a":"[[["}"#
        );
        assert!(parse("[1]").is_err());
        assert_eq!(
            parse(r#"{"code":654321.0,"name":"\ud83d"}"#)
                .unwrap()
                .expose(),
            r#"{"code":654321,"name":"\ufffd"}"#
        );
        let twice = parse(r#"{"a":{"code":1,"code":2}}"#).unwrap_err();
        assert_eq!(twice.field, "payload/a/code");
        assert!(parse(&format!("{{\"a\":{}1{}}}", "[".repeat(31), "]".repeat(31))).is_ok());
        assert!(parse(&format!("{{\"a\":{}1{}}}", "[".repeat(32), "]".repeat(32))).is_err());
        assert!(parse(&format!("{{\"a\":\"{}\"}}", "x".repeat(PAYLOAD_MAX))).is_err());
    }

    #[test]
    fn what_says_the_same_has_one_text() {
        let canonical = |text: &str| {
            let raw = serde_json::from_str::<Box<RawValue>>(text).unwrap();
            Payload::parse(&raw).unwrap().canonical()
        };
        let text = canonical(r#"{"code":"1","a":{"y":[1,2],"x":1.5}}"#);
        assert_eq!(text, r#"{"a":{"x":1.5,"y":[1,2]},"code":"1"}"#);
        for same in [
            r#"{ "a": {"x":15e-1, "y":[1.0, 2]}, "code":"1" }"#,
            "{\"code\":\"\\u0031\",\"a\":{\"x\":1.50,\n\"y\":[1,2]}}",
        ] {
            assert_eq!(canonical(same), text);
        }
        for other in [
            r#"{"code":1,"a":{"y":[1,2],"x":1.5}}"#,
            r#"{"code":"1","a":{"y":[2,1],"x":1.5}}"#,
            r#"{"code":"1 ","a":{"y":[1,2],"x":1.5}}"#,
        ] {
            assert_ne!(canonical(other), text);
        }
    }
}
