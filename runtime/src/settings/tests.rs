//! The schema of settings: what is refused, and how secrets are told from the rest.

use serde_json::json;

use super::*;
use crate::about::{ConnectorInfo, SecretGrant};
use crate::secret::Secret;

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
        .fill_in(&text, Place::Header, |_| true, usize::MAX, str::to_owned)
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
    let (plain, anywhere) = (str::to_owned, |_: &str| true);
    assert_eq!(
        placeholders
            .fill_in(
                &format!("Bearer {api_key}."),
                Place::Header,
                anywhere,
                100,
                plain
            )
            .unwrap(),
        "Bearer S3CR3T&key."
    );
    assert_eq!(
        placeholders
            .fill_in(api_key, Place::Body, anywhere, 100, |s| s
                .replace('&', "%26"))
            .unwrap(),
        "S3CR3T%26key"
    );
    assert_eq!(
        placeholders.fill_in(api_key, Place::Query, anywhere, 100, plain),
        Err(FillError::Place(PlaceError {
            setting: "/apiKey".into()
        }))
    );
    assert_eq!(
        placeholders.fill_in(
            api_key,
            Place::Header,
            |setting| setting != "/apiKey",
            100,
            plain
        ),
        Err(FillError::Host {
            setting: "/apiKey".into()
        })
    );
    assert!(
        placeholders
            .fill_in(pass, Place::Body, anywhere, 100, plain)
            .is_err()
    );
    assert!(
        placeholders
            .fill_in(api_key, Place::Elsewhere, anywhere, 100, plain)
            .is_err()
    );
    let seen = placeholders.redact(b"you sent S3CR3T&key twice: S3CR3T&key");
    assert_eq!(
        seen.as_ref(),
        format!("you sent {api_key} twice: {api_key}").as_bytes()
    );
}

fn asked<'i>(info: &'i ConnectorInfo, hosts: &[&str]) -> Asked<'i> {
    Asked {
        info,
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
    }
}

fn info(grants: &[SecretGrant]) -> ConnectorInfo {
    ConnectorInfo {
        id: "some".parse().unwrap(),
        channel: crate::message::Channel::Email,
        version: "1.0.0".into(),
        titles: Vec::new(),
        descriptions: Vec::new(),
        settings_schema: json!({}),
        hosts: Vec::new(),
        secret_grants: grants.to_vec(),
        readme: String::new(),
    }
}

#[test]
fn a_left_out_secret_is_kept_for_what_it_was_given_for_and_no_more() {
    let info = info(&[]);
    let given = asked(&info, &["a.example:443", "b.example:443"]);
    let secrets = ["/apiKey", "/auth/pass", "/keys/1", "/old"]
        .map(|pointer| (pointer.to_owned(), Secret::new(format!("of {pointer}"))));
    let known = given.bind(BTreeMap::from(secrets));
    let keep = |asked: &Asked<'_>, written: Value| {
        let (mut settings, secrets) = schema().split(written);
        let mut secrets = asked.bind(secrets);
        let kept = asked.keep(&schema(), &mut settings, &mut secrets, &known);
        kept.map(|()| {
            (
                settings,
                texts(&secrets)
                    .map(|(at, text)| format!("{at} {}", text.expose()))
                    .collect::<Vec<_>>(),
            )
        })
    };
    let (settings, kept) = keep(
        &given,
        json!({"from": "x", "auth": {"user": "u"}, "keys": ["new", null]}),
    )
    .unwrap();
    assert_eq!(
        kept,
        [
            "/apiKey of /apiKey",
            "/auth/pass of /auth/pass",
            "/keys/0 new",
            "/keys/1 of /keys/1"
        ]
    );
    assert_eq!(
        settings,
        json!({"from": "x", "auth": {"user": "u", "pass": null}, "keys": [null, null], "apiKey": null})
    );
    // What is written in its place, or has no place any more, is not kept.
    let (settings, kept) = keep(
        &given,
        json!({"apiKey": "", "auth": null, "keys": ["a"], "old": null}),
    )
    .unwrap();
    assert_eq!(kept, ["/keys/0 a"]);
    assert_eq!(
        settings,
        json!({"apiKey": "", "auth": null, "keys": [null], "old": null})
    );
    assert!(
        keep(&asked(&info, &["b.example:443"]), json!({})).is_ok(),
        "fewer hosts"
    );
    let elsewhere = asked(&info, &["a.example:443", "c.example:443"]);
    let problems = keep(&elsewhere, json!({"auth": {}})).unwrap_err();
    let places: Vec<_> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert_eq!(places, ["/apiKey", "/auth/pass"]);
    assert!(
        problems[0].message.contains("a.example:443"),
        "{}",
        problems[0].message
    );
    assert!(keep(&elsewhere, json!({"apiKey": "", "auth": {"pass": "new"}})).is_ok());
    let mut other = info.clone();
    other.id = "other".parse().unwrap();
    assert!(
        keep(&asked(&other, &["a.example:443"]), json!({})).is_err(),
        "another connector"
    );
}

#[test]
fn a_secret_does_the_less_of_what_it_was_given_for_and_what_is_asked() {
    let grant = |query, body, signing, derivations| SecretGrant {
        setting: "/apiKey".into(),
        query,
        body,
        signing,
        derivations,
    };
    let bound = |grant: SecretGrant, hosts: &[&str]| asked(&info(&[grant]), hosts).of("/apiKey");
    let own = bound(grant(true, false, true, 4), &["a", "b"]);
    for (other, covered) in [
        (bound(grant(true, false, true, 4), &["a"]), true),
        (bound(grant(false, false, false, 0), &["a", "b"]), true),
        (bound(grant(false, true, false, 0), &["a"]), false),
        (bound(grant(false, false, true, 3), &["a"]), false),
        (bound(grant(true, false, true, 4), &["a", "c"]), false),
    ] {
        assert_eq!(own.covers(&other), covered, "{other:?}");
    }
    let wider = bound(grant(true, true, true, 4), &["a", "c"]);
    assert_eq!(
        own.narrowed(&wider),
        grant(true, false, false, 4),
        "a signature could lead to c"
    );
    assert_eq!(own.narrowed(&own), own.grant);
}

#[test]
fn a_field_that_no_branch_of_the_schema_knows_is_told() {
    let schema = json!({
        "type": "object",
        "properties": {
            "known": {"type": "string"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {}}}},
            "free": {"type": "object"},
            "named": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
            "closed": {"type": "object", "properties": {"a": {}}, "additionalProperties": false},
            "behind": {"$ref": "#/$defs/thing"}
        },
        "anyOf": [{"properties": {"either": {}}}, {"properties": {"or": {}}}],
        "if": {"properties": {"known": {"const": "x"}}},
        "then": {"properties": {"more": {"properties": {"deep": {}}}}},
        "$defs": {"thing": {"properties": {"inside": {}}}}
    });
    let unknown = |settings: Value| -> Vec<String> {
        let problems = unknown_fields(&schema, &settings);
        problems
            .into_iter()
            .map(|problem| problem.pointer)
            .collect()
    };
    assert!(unknown(json!({
        "known": "", "list": [{"a": 1}], "free": {"x": {"y": 1}}, "named": {"x": ""}, "behind": {"inside": 1},
        "either": 1, "or": {"any": 1}, "more": {"deep": 1}
    })).is_empty());
    assert_eq!(
        unknown(json!({
            "Known": "", "list": [{"a": 1, "b/c": 1}], "closed": {"b": 1}, "behind": {"outside": 1}, "more": {"else": 1},
            "apiKey": "text"
        })),
        [
            "/Known",
            "/list/0/b~1c",
            "/closed/b",
            "/behind/outside",
            "/more/else",
            "/apiKey"
        ]
    );
    assert!(unknown_fields(&json!({"type": "object"}), &json!({"any": 1})).is_empty());
    let many: serde_json::Map<_, _> = (0..100).map(|at| (at.to_string(), json!(1))).collect();
    assert_eq!(unknown(Value::Object(many)).len(), 16);
}

#[test]
fn only_a_text_is_a_secret() {
    for kind in [
        json!("object"),
        json!("number"),
        json!("array"),
        json!(["string", "null"]),
        Value::Null,
    ] {
        let secret = json!({"type": kind, "writeOnly": true, "properties": {"a": {}}});
        for schema in [
            json!({"type": "object", "properties": {"a": secret}}),
            json!({"type": "object", "anyOf": [{"properties": {"a": {"items": secret}}}]}),
        ] {
            let refused = SettingsSchema::new(&schema).err();
            assert!(
                matches!(
                    refused,
                    Some(SchemaError::SecretType | SchemaError::Invalid(_))
                ),
                "{schema}"
            );
        }
    }
    assert!(
        SettingsSchema::new(&json!({"type": "object", "properties": {"a": {"writeOnly": false}}}))
            .is_ok()
    );
}

#[test]
fn filling_in_stops_at_the_most_that_may_come_out() {
    let secret = "&".repeat(SECRET_BYTES_MAX);
    let (public, secrets) = schema().split(json!({ "apiKey": secret }));
    let (text, placeholders) = PreparedSettings::new(public, &secrets, &[]).fill([1; 16]);
    let given: Value = serde_json::from_str(&text).unwrap();
    let placeholder = given["apiKey"].as_str().unwrap();
    let escapes = std::cell::Cell::new(0);
    let escape = |text: &str| {
        escapes.set(escapes.get() + 1);
        text.replace('&', "%26")
    };
    let fill = |text: &str, most| {
        placeholders
            .fill_in(text, Place::Header, |_| true, most, escape)
            .map(|filled| filled.len())
    };
    let (bomb, whole) = (placeholder.repeat(10_000), 3 * SECRET_BYTES_MAX);
    let most = 1 << 20;
    assert_eq!(fill(&bomb, most), Err(FillError::TooLong { most }));
    assert_eq!(
        escapes.get(),
        most / whole + 1,
        "nothing after the end is made"
    );
    // What counts is what comes out, to the byte, with what stands around it.
    for (text, length) in [
        (placeholder.to_owned(), whole),
        (format!("a{placeholder}"), whole + 1),
        (format!("{placeholder}bc"), whole + 2),
        ("no secret".to_owned(), 9),
    ] {
        assert_eq!(fill(&text, length), Ok(length));
        let most = length - 1;
        assert_eq!(fill(&text, most), Err(FillError::TooLong { most }));
    }
}

#[test]
fn a_secret_has_a_largest_size_and_so_have_all_together() {
    let problems = |settings| schema().problems_when_written(&settings);
    let text = |length: usize| "k".repeat(length);
    assert!(problems(json!({ "apiKey": text(SECRET_BYTES_MAX) })).is_empty());
    let large = problems(json!({ "apiKey": text(SECRET_BYTES_MAX + 1) }));
    assert_eq!(large.len(), 1);
    assert_eq!(large[0].pointer, "/apiKey");
    assert_eq!(
        large[0].message,
        "is a secret of 16385 bytes, and 16384 are allowed"
    );
    let many =
        |length: usize| json!({ "apiKey": "k1", "keys": vec![text(SECRET_BYTES_MAX); length] });
    assert!(problems(many(3)).is_empty());
    let together = problems(many(4));
    assert_eq!(together.len(), 1);
    assert!(together[0].pointer.starts_with("/keys/"), "{together:?}");
    assert!(together[0].message.contains("65536"), "{together:?}");
}
