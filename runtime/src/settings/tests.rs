//! The schema of settings: what is refused, and how secrets are told from the rest.

use serde_json::json;

use super::*;

fn schema() -> SettingsSchema {
    SettingsSchema::new(&json!({
        "type": "object",
        "required": ["apiKey"],
        "properties": {
            "apiKey": {"type": "string", "writeOnly": true},
            "from": {"type": "string"},
            "auth": {"anyOf": [{"type": "object", "properties": {"pass": {"type": "string", "writeOnly": true}}}]},
            "keys": {"type": "array", "items": {"type": "string", "writeOnly": true}}
        }
    }))
    .unwrap()
}

#[test]
fn problems_name_the_place_and_never_the_value() {
    let problems = schema().problems(&json!({"apiKey": 12345678}));
    assert_eq!(problems[0].pointer, "/apiKey");
    assert!(
        !problems[0].message.contains("12345678"),
        "{}",
        problems[0].message
    );
    let missing = schema().problems(&json!({}));
    assert_eq!(missing[0].pointer, "/apiKey");
    assert!(
        schema()
            .problems(&json!({"apiKey": "k", "unknown": 1}))
            .is_empty()
    );
}

#[test]
fn a_schema_that_needs_another_document_is_refused() {
    let reference =
        json!({"type": "object", "properties": {"a": {"$ref": "https://example.com/schema.json"}}});
    assert!(matches!(
        SettingsSchema::new(&reference),
        Err(SchemaError::Invalid(_))
    ));
    assert!(matches!(
        SettingsSchema::new(&json!({"type": "string"})),
        Err(SchemaError::NotObject)
    ));
    assert!(matches!(
        SettingsSchema::new(&json!({"type": "object", "properties": 1})),
        Err(SchemaError::Invalid(_))
    ));
}

#[test]
fn secrets_are_parted_and_joined_at_every_depth() {
    let settings = json!({"from": "a@b.c", "apiKey": "k1", "auth": {"user": "u", "pass": "k2"}, "keys": ["k3", "k4"]});
    let (public, secrets) = schema().split(settings.clone());
    assert_eq!(
        secrets.keys().collect::<Vec<_>>(),
        ["/apiKey", "/auth/pass", "/keys/0", "/keys/1"]
    );
    assert!(!public.to_string().contains("k1") && !public.to_string().contains("k4"));
    assert_eq!(join(public, &secrets), settings);
}

#[test]
fn placeholders_are_new_for_each_call_and_filled_in_only_where_granted() {
    let (public, secrets) =
        schema().split(json!({"apiKey": "S3CR3T&key", "auth": {"pass": "other-secret"}}));
    let grants = [SecretGrant {
        setting: "/apiKey".into(),
        body: true,
        ..SecretGrant::default()
    }];
    let prepared = PreparedSettings::new(public, &secrets, &grants);
    let (text, placeholders) = prepared.fill([1; 16]);
    let (other, _) = prepared.fill([2; 16]);
    assert_ne!(text, other);
    assert!(!text.contains("S3CR3T"));
    let settings: Value = serde_json::from_str(&text).unwrap();
    let (api_key, pass) = (
        settings["apiKey"].as_str().unwrap(),
        settings["auth"]["pass"].as_str().unwrap(),
    );
    let plain = str::to_owned;
    assert_eq!(
        placeholders
            .fill_in(&format!("Bearer {api_key}."), Place::Header, plain)
            .unwrap(),
        "Bearer S3CR3T&key."
    );
    assert_eq!(
        placeholders
            .fill_in(api_key, Place::Body, |s| s.replace('&', "%26"))
            .unwrap(),
        "S3CR3T%26key"
    );
    assert_eq!(
        placeholders.fill_in(api_key, Place::Query, plain),
        Err(PlaceError {
            setting: "/apiKey".into()
        })
    );
    assert!(placeholders.fill_in(pass, Place::Body, plain).is_err());
    assert!(
        placeholders
            .fill_in(api_key, Place::Elsewhere, plain)
            .is_err()
    );
    let seen = placeholders.redact(b"you sent S3CR3T&key twice: S3CR3T&key");
    assert_eq!(
        seen.as_ref(),
        format!("you sent {api_key} twice: {api_key}").as_bytes()
    );
}
