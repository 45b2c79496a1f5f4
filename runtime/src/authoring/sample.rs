//! A case made up from a settings schema, for a connector that comes without cases.

use serde_json::{Map, Value, json};

use crate::about::ConnectorInfo;
use crate::message::Channel;
use crate::settings::SettingsSchema;

/// Schemas within schemas that are followed.
const DEPTH_MAX: usize = 16;

/// A case whose settings the schema takes; none where they could not be guessed.
pub(super) fn case(info: &ConnectorInfo, schema: &SettingsSchema) -> Option<String> {
    let settings = value(&info.settings_schema, &info.settings_schema, 0);
    if !schema.problems(&settings).is_empty() {
        return None;
    }
    let to = match info.channel {
        Channel::Email => "someone@example.com",
        Channel::Sms => "15555550123",
    };
    let message = json!({ "to": to, "type": "Generic", "payload": { "code": "246810" } });
    let case = json!({ "id": "made-up", "now_ms": 1_767_323_045_678_u64, "settings": settings, "message": message });
    Some(case.to_string())
}

/// Settings to begin with: all that the schema requires, by its own examples where it has some.
#[must_use]
pub fn settings_to_begin_with(info: &ConnectorInfo) -> Value {
    value(&info.settings_schema, &info.settings_schema, 0)
}

/// A value that `schema` probably takes: its own example, else one by its type.
fn value(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|path| root.pointer(path));
        return target.map_or(Value::Null, |target| value(target, root, depth + 1));
    }
    let first = |name: &str| schema.get(name)?.as_array()?.first();
    let said = ["const", "default"]
        .into_iter()
        .find_map(|name| schema.get(name));
    if let Some(said) = said.or_else(|| first("examples")).or_else(|| first("enum")) {
        return said.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => object(schema, root, depth),
        Some("array") => array(schema, root, depth),
        Some("string") => text(schema),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(false),
        _ => ["oneOf", "anyOf"]
            .into_iter()
            .find_map(first)
            .map_or(Value::Null, |branch| value(branch, root, depth + 1)),
    }
}

/// What is required.
fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let fields: Map<_, _> = names
        .map(|name| {
            let property = properties.and_then(|all| all.get(name));
            let value = property.map_or(Value::Null, |property| value(property, root, depth + 1));
            (name.to_owned(), value)
        })
        .collect();
    Value::Object(fields)
}

/// One item for each `contains`, else as many as there must be, and one at least.
fn array(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(items) = schema.get("items") else {
        return json!([]);
    };
    let all = schema.get("allOf").and_then(Value::as_array);
    let wanted: Vec<&Value> = std::iter::once(schema)
        .chain(all.into_iter().flatten())
        .filter_map(|branch| branch.get("contains"))
        .collect();
    let item = || value(items, root, depth + 1);
    if wanted.is_empty() {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
        return (0..least.clamp(1, 16)).map(|_| item()).collect();
    }
    let containing = |contains: &Value| {
        let mut item = item();
        let properties = contains.get("properties").and_then(Value::as_object);
        if let (Some(fields), Some(properties)) = (item.as_object_mut(), properties) {
            for (name, property) in properties {
                fields.insert(name.clone(), value(property, root, depth + 1));
            }
        }
        item
    };
    wanted.into_iter().map(containing).collect()
}

fn text(schema: &Value) -> Value {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("uri" | "url") => "https://provider.example.com/send",
        Some("email") => "noreply@example.com",
        Some("hostname") => "provider.example.com",
        _ => "sample",
    };
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
    let least = usize::try_from(least.min(1_024)).unwrap_or_default();
    json!(format!("{text:x<least$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_schema_asks_for_is_made_up() {
        let schema = json!({
            "type": "object",
            "properties": {
                "token": { "type": "string", "writeOnly": true, "minLength": 8 },
                "from": { "type": "string", "examples": ["a@example.com"] },
                "optional": { "type": "string" },
                "port": { "$ref": "#/$defs/port" },
                "templates": {
                    "type": "array",
                    "items": { "type": "object", "required": ["usageType", "text"], "properties": {
                        "usageType": { "type": "string" }, "text": { "type": "string" } } },
                    "allOf": [{ "contains": { "properties": { "usageType": { "const": "Generic" } } } }],
                },
            },
            "required": ["token", "from", "port", "templates"],
            "$defs": { "port": { "type": "integer", "minimum": 25 } },
        });
        let expected = json!({
            "token": "samplexx", "from": "a@example.com", "port": 25,
            "templates": [{ "usageType": "Generic", "text": "sample" }],
        });
        assert_eq!(value(&schema, &schema, 0), expected);
        assert!(
            SettingsSchema::new(&schema)
                .unwrap()
                .problems(&expected)
                .is_empty()
        );
    }
}
