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
        Err(SchemaError::Reference)
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
fn a_schema_with_a_secret_that_would_not_be_found_is_refused() {
    let secret = json!({"type": "string", "writeOnly": true});
    for hidden in [
        json!({"properties": {"a": {"$ref": "#/$defs/s"}}, "$defs": {"s": secret}}),
        json!({"properties": {"a": secret, "b": {"$ref": "#/properties/a"}}}),
        json!({"additionalProperties": secret}),
        json!({"patternProperties": {"^k": secret}}),
        json!({"properties": {"a": {"type": "array", "prefixItems": [secret]}}}),
        json!({"if": {"properties": {"a": secret}}}),
        json!({"dependentSchemas": {"a": {"properties": {"b": secret}}}}),
    ] {
        let mut schema = json!({"type": "object"});
        schema
            .as_object_mut()
            .unwrap()
            .extend(hidden.as_object().unwrap().clone());
        assert_eq!(
            SettingsSchema::new(&schema).err(),
            Some(SchemaError::HiddenSecret),
            "{schema}"
        );
    }
    for good in [
        json!({"properties": {"a": {"allOf": [{"then": {"items": secret}}]}}}),
        json!({"properties": {"writeOnly": {"default": {"writeOnly": true}}}}),
        json!({"properties": {"k": secret, "a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}),
    ] {
        let mut schema = json!({"type": "object"});
        schema
            .as_object_mut()
            .unwrap()
            .extend(good.as_object().unwrap().clone());
        assert_eq!(SettingsSchema::new(&schema).err(), None, "{schema}");
    }
}

#[test]
fn a_schema_is_bounded_in_its_patterns_and_their_steps() {
    let of = |patterns: &[&str]| {
        let fields = patterns.iter().enumerate();
        let fields = fields.map(|(at, pattern)| (at.to_string(), json!({"pattern": pattern})));
        let fields: serde_json::Map<_, _> = fields.collect();
        SettingsSchema::new(&json!({"type": "object", "properties": fields}))
    };
    assert!(of(&["^a+$"; 64]).is_ok());
    assert_eq!(of(&["^a+$"; 65]).err(), Some(SchemaError::Patterns));
    assert!(matches!(of(&[r"\p{L}{999}"]), Err(SchemaError::Invalid(_))));
    let backwards = of(&["^(a+)+(?!c)$"]).unwrap();
    let settings = json!({"0": "a".repeat(60) + "b"});
    assert_eq!(backwards.problems(&settings)[0].pointer, "/0");
}

#[test]
fn references_lead_in_no_circle_and_unfold_to_no_bomb() {
    let of = |more: Value| {
        let mut schema = json!({"type": "object"});
        schema
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        SettingsSchema::new(&schema).err()
    };
    for circle in [
        json!({"properties": {"a": {"$ref": "#"}}}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}}),
        json!({"properties": {"a": {"$ref": "#s"}}, "$defs": {"a": {"$anchor": "s"}}}),
        json!({"properties": {"a": {"$dynamicRef": "#/$defs/a"}}, "$defs": {"a": {}}}),
        json!({"$defs": {"a": {"$id": "https://x.example/", "$ref": "#/$defs/b"}, "b": {}}}),
        json!({"properties": {"a": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}),
        json!({"properties": {"a": {"$ref": "#/$defs/missing"}}}),
    ] {
        assert_eq!(of(circle.clone()), Some(SchemaError::Reference), "{circle}");
    }
    let doubled = |at: usize| {
        let next = json!({"$ref": format!("#/$defs/{}", at + 1)});
        (at.to_string(), json!({"allOf": [next, next]}))
    };
    let mut steps: serde_json::Map<_, _> = (0..30).map(doubled).collect();
    steps.insert("30".to_owned(), json!({"type": "integer"}));
    assert_eq!(of(json!({"$defs": steps})), Some(SchemaError::Large));
    let twice = json!({"$defs": {"a": {"type": "integer"}}, "items": {"$ref": "#/$defs/a"}, "not": {"$ref": "#/$defs/a"}});
    assert_eq!(of(twice), None);
}

#[test]
fn settings_are_checked_within_bounds() {
    let every = json!({"type": "array", "items": {"allOf": vec![json!({"type": "string"}); 500]}});
    let schema =
        SettingsSchema::new(&json!({"type": "object", "properties": {"a": every}})).unwrap();
    let problems = |count| schema.problems(&json!({ "a": vec![1; count] }));
    assert_eq!(problems(10).len(), 16);
    assert_eq!(problems(1_000).len(), 1);
    assert_eq!(problems(1_000)[0].pointer, "/a/0");
    let refused = &problems(5_000)[0].message;
    assert!(refused.starts_with("holds too many values"), "{refused}");
}

#[test]
fn an_integration_has_no_more_secrets_than_placeholders_can_name() {
    let keys = |count| json!({"apiKey": "secret-of-all", "keys": vec!["secret"; count]});
    assert!(schema().problems(&keys(99)).is_empty());
    assert_eq!(
        schema().problems(&keys(100))[0].message,
        "may hold 100 secrets"
    );
    let (public, secrets) = schema().split(keys(100));
    let (text, placeholders) = PreparedSettings::new(public, &secrets, &[]).fill([1; 16]);
    let given: Value = serde_json::from_str(&text).unwrap();
    let nulls = given["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key.is_null());
    assert_eq!(nulls.count(), 1);
    let filled = placeholders
        .fill_in(&text, Place::Header, str::to_owned)
        .unwrap();
    assert!(!filled.contains("sbx-"));
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
