//! Settings: checked against a schema, parted from their secrets, and given to a guest with placeholders.

use std::collections::BTreeMap;

use sendbox::about::SecretGrant;
use sendbox::secret::Secret;
use sendbox::settings::{
    FillError, Place, PlaceError, Placeholders, PreparedSettings, SettingsSchema, derivations, join,
};
use serde_json::Value;

use crate::fields::Fields;
use crate::words::{Canary, one_line};

const NONCE: [u8; 16] = [0xa7; 16];

/// Holds a schema and settings to what is promised of them.
pub fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let (schema, settings) = (fields.bytes(), fields.bytes());
    let reflected = fields.bytes();
    let Ok(schema) = serde_json::from_slice::<Value>(schema) else {
        return;
    };
    let Ok(settings) = serde_json::from_slice::<Value>(settings) else {
        return;
    };
    let compiled = match SettingsSchema::new(&schema) {
        Ok(compiled) => compiled,
        Err(error) => return one_line(&error.to_string()),
    };
    // Nothing is done with settings that are too large to be checked.
    if problems(&compiled, &settings).is_some_and(|first| first.starts_with("holds too many")) {
        return;
    }
    let (parted, secrets) = compiled.split(settings.clone());
    assert_eq!(join(parted.clone(), &secrets), settings);
    for pointer in secrets.keys() {
        assert_eq!(parted.pointer(pointer), Some(&Value::Null), "{pointer}");
        if let Some(derivations) = derivations(&schema, pointer) {
            assert!(derivations <= 8);
        }
    }
    // More than can be named are refused.
    if secrets.len() <= 100 {
        placeholders(&parted, &secrets, reflected);
    } else {
        assert_eq!(compiled.problems(&settings).len(), 1);
    }
}

/// Each problem of settings is a place in them, and in words that fit on a line. Returns the first.
pub(crate) fn problems(schema: &SettingsSchema, settings: &Value) -> Option<String> {
    let problems = schema.problems(settings);
    assert!(problems.len() <= 16);
    for problem in &problems {
        assert!(problem.pointer.is_empty() || problem.pointer.starts_with('/'));
        one_line(&problem.message);
    }
    Some(problems.first()?.message.clone())
}

fn placeholders(parted: &Value, secrets: &BTreeMap<String, Secret>, reflected: &[u8]) {
    let grants: Vec<_> = secrets
        .keys()
        .step_by(2)
        .map(|key| everywhere(key))
        .collect();
    let prepared = PreparedSettings::new(parted.clone(), secrets, &grants);
    let (text, placeholders) = prepared.fill(NONCE);
    let given: Value = serde_json::from_str(&text).unwrap();
    let mut expected = parted.clone();
    for (pointer, secret) in secrets {
        let placeholder = given.pointer(pointer).unwrap().as_str().unwrap();
        *expected.pointer_mut(pointer).unwrap() = placeholder.into();
        stands_for(&placeholders, placeholder, secret);
        let granted = grants.iter().any(|grant| &grant.setting == pointer);
        for place in [Place::Query, Place::Body] {
            let filled =
                placeholders.fill_in(placeholder, place, |_| true, usize::MAX, str::to_owned);
            assert_eq!(filled.is_ok(), granted, "{pointer}");
        }
        let filled = placeholders.fill_in(
            placeholder,
            Place::Elsewhere,
            |_| true,
            usize::MAX,
            str::to_owned,
        );
        let setting = pointer.clone();
        assert_eq!(filled.unwrap_err(), PlaceError { setting }.into());
        let filled = placeholders.fill_in(
            placeholder,
            Place::Header,
            |_| false,
            usize::MAX,
            str::to_owned,
        );
        let setting = pointer.clone();
        assert_eq!(filled.unwrap_err(), FillError::Host { setting });
        is_redacted(&placeholders, placeholder, secret, reflected);
    }
    assert_eq!(given, expected);
}

/// A placeholder is filled in with its own secret, also between other text.
fn stands_for(placeholders: &Placeholders, placeholder: &str, secret: &Secret) {
    let around = format!("Bearer {placeholder}7");
    let filled = placeholders.fill_in(&around, Place::Header, |_| true, usize::MAX, str::to_owned);
    let whole = format!("Bearer {}7", secret.expose());
    assert_eq!(filled.unwrap(), whole);
}

/// A provider that repeats a secret, whichever way, hands a guest the placeholder.
fn is_redacted(placeholders: &Placeholders, placeholder: &str, secret: &Secret, around: &[u8]) {
    let canary = Canary::new(secret.expose());
    let mark = &placeholder.as_bytes()[..placeholder.len() - 2];
    for form in canary.forms() {
        let said = [around, form, around].concat();
        let read = placeholders.redact(&said);
        canary.is_not_in(&read, mark);
        assert_ne!(read, said);
    }
}

fn everywhere(setting: &str) -> SecretGrant {
    SecretGrant {
        setting: setting.to_owned(),
        query: true,
        body: true,
        signing: true,
        derivations: 0,
    }
}
