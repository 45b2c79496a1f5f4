//! A message's template variables: a JSON object that reads and writes exactly as JavaScript does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::{Failure, FailureKind};
use crate::number;

/// Template variables in JavaScript's property order: integer-like keys first, ascending, then
/// the others in the caller's order.
#[derive(Clone, Default, PartialEq)]
pub struct Payload(Map<String, Value>);

impl Payload {
    /// Reads the text of a JSON object.
    ///
    /// Half a surrogate pair, which JavaScript allows in a string and UTF-8 does not, becomes U+FFFD.
    ///
    /// # Errors
    /// `rejected` where the text is no JSON object.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let parsed = serde_json::from_str(text)
            .or_else(|_| serde_json::from_str(&without_lone_surrogates(text)));
        match parsed {
            Ok(Value::Object(mut map)) => {
                order_as_javascript(&mut map);
                Ok(Self(map))
            }
            _ => Err(Failure::new(
                FailureKind::Rejected,
                "the payload is not a JSON object",
            )),
        }
    }

    /// The text of the JSON object, as JavaScript prints it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // An object of JSON values always has a JSON form, and that is UTF-8.
        let text = stringify(self).unwrap_or_default();
        String::from_utf8(text).unwrap_or_default()
    }

    /// The same variables without one.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut map = self.0.clone();
        map.shift_remove(name);
        Self(map)
    }

    /// The same variables with a text, in the place of the one that it replaces, else behind the others.
    #[must_use]
    pub fn with(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.to_owned(), text.into());
        self
    }

    /// The values, in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.values()
    }

    /// The value of a variable, by its first name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// These variables, and those of `defaults` that they do not name: JavaScript's
    /// `{...defaults, ...these}`.
    #[must_use]
    pub fn over(&self, defaults: &Self) -> Self {
        let mut map = defaults.0.clone();
        map.extend(self.0.clone());
        order_as_javascript(&mut map);
        Self(map)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut map = Map::deserialize(deserializer)?;
        order_as_javascript(&mut map);
        Ok(Self(map))
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// `JSON.stringify`: no spaces, numbers as JavaScript prints them.
///
/// # Errors
/// Where `value` has no JSON form, such as a map whose keys are not strings.
pub(crate) fn stringify(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut text, JavaScript,
    ))?;
    Ok(text)
}

/// Compact JSON with JavaScript's number text.
struct JavaScript;

impl serde_json::ser::Formatter for JavaScript {
    fn write_u64<W: ?Sized + std::io::Write>(&mut self, w: &mut W, n: u64) -> std::io::Result<()> {
        w.write_all(number::text(&n.into()).as_bytes())
    }

    fn write_i64<W: ?Sized + std::io::Write>(&mut self, w: &mut W, n: i64) -> std::io::Result<()> {
        w.write_all(number::text(&n.into()).as_bytes())
    }

    fn write_f64<W: ?Sized + std::io::Write>(&mut self, w: &mut W, n: f64) -> std::io::Result<()> {
        match serde_json::Number::from_f64(n) {
            Some(n) => w.write_all(number::text(&n).as_bytes()),
            None => w.write_all(b"null"),
        }
    }
}

fn order_as_javascript(map: &mut Map<String, Value>) {
    for value in map.values_mut() {
        order_within(value);
    }
    if map.keys().any(|key| array_index(key).is_some()) {
        let mut entries: Vec<_> = std::mem::take(map).into_iter().map(Some).collect();
        let indices = entries.iter().enumerate().filter_map(|(at, entry)| {
            let (key, _) = entry.as_ref()?;
            Some(Reverse((array_index(key)?, at)))
        });
        // A heap, because a sort would add 8 KiB to every connector.
        let mut indices: BinaryHeap<_> = indices.collect();
        while let Some(Reverse((_, at))) = indices.pop() {
            map.extend(entries.get_mut(at).and_then(Option::take));
        }
        // The names keep their order.
        map.extend(entries.into_iter().flatten());
    }
}

fn order_within(value: &mut Value) {
    match value {
        Value::Object(map) => order_as_javascript(map),
        Value::Array(items) => items.iter_mut().for_each(order_within),
        _ => {}
    }
}

/// The key as an array index (ECMA-262, 6.1.7): canonical decimal, at most 2^32 - 2.
pub(crate) fn array_index(key: &str) -> Option<u32> {
    let canonical = key == "0" || !key.starts_with(['0', '+']);
    let index: u32 = key.parse().ok().filter(|_| canonical)?;
    (index != u32::MAX).then_some(index)
}

/// Replaces each `\uD800`..`\uDFFF` escape that has no partner by `\uFFFD`.
pub(crate) fn without_lone_surrogates(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        repaired.push_str(before);
        let Some(unit) = code_unit(after) else {
            // Another escape: keep its letter, so that `\\` is not read twice.
            let letter = after.chars().next().map_or(0, char::len_utf8);
            let (letter, tail) = after.split_at(letter);
            repaired.push('\\');
            repaired.push_str(letter);
            rest = tail;
            continue;
        };
        let (escape, tail) = after.split_at(5);
        let partner = tail.strip_prefix('\\').and_then(code_unit);
        let pair = (0xD800..0xDC00).contains(&unit)
            && partner.is_some_and(|low| (0xDC00..0xE000).contains(&low));
        repaired.push('\\');
        if pair {
            let (low, after_pair) = tail.split_at(6);
            repaired.push_str(escape);
            repaired.push_str(low);
            rest = after_pair;
        } else {
            let lone = (0xD800..0xE000).contains(&unit);
            repaired.push_str(if lone { "uFFFD" } else { escape });
            rest = tail;
        }
    }
    repaired.push_str(rest);
    repaired
}

/// The code unit of `u` and four hexadecimal digits at the start of `text`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    u16::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str) -> String {
        let payload = Payload::parse(text).map_err(|f| f.message).unwrap();
        String::from_utf8(stringify(&payload).unwrap()).unwrap()
    }

    #[test]
    fn keys_come_in_javascript_order_at_every_depth() {
        assert_eq!(
            round_trip(r#"{"b":1,"10":2,"a":{"x":0,"2":1,"01":2,"1":3},"9":[{"z":1,"0":2}]}"#),
            r#"{"9":[{"0":2,"z":1}],"10":2,"b":1,"a":{"1":3,"2":1,"x":0,"01":2}}"#
        );
    }

    #[test]
    fn a_repeated_key_keeps_its_first_place_and_its_last_value() {
        assert_eq!(round_trip(r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn numbers_are_printed_as_javascript_prints_them() {
        assert_eq!(
            round_trip(r#"{"a":[1.0,-0,1e21,12345678901234567890,9007199254740993,1e-7,5e-324]}"#),
            r#"{"a":[1,0,1e+21,12345678901234567000,9007199254740992,1e-7,5e-324]}"#
        );
    }

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        assert_eq!(
            round_trip(r#"{"a":"\ud83d","b":"\uD83D\uDE00 \\ud83d \udc00\ud83dx"}"#),
            "{\"a\":\"\u{fffd}\",\"b\":\"\u{1f600} \\\\ud83d \u{fffd}\u{fffd}x\"}"
        );
    }

    #[test]
    fn defaults_keep_their_place_and_lose_their_value() {
        let parse = |text| Payload::parse(text).map_err(|f| f.message).unwrap();
        let payload = parse(r#"{"code":"1","7":true}"#);
        let merged = payload.over(&parse(r#"{"code":"0","brand":"x"}"#));
        assert_eq!(merged.to_json(), r#"{"7":true,"code":"1","brand":"x"}"#);
    }

    #[test]
    fn what_is_no_object_is_rejected() {
        for text in ["", "[]", "null", "{", "\"a\""] {
            assert_eq!(
                Payload::parse(text).err().map(|f| f.kind),
                Some(FailureKind::Rejected),
                "{text}"
            );
        }
    }
}
