//! A connector's answer to `describe`, and what is done with it before an operator has seen it.

use std::sync::{Arc, LazyLock};

use sendbox::about::{ConnectorInfo, SecretGrant};
use sendbox::connector::UploadError;
use sendbox::connector::fuzzing::{Answer, describe};
use sendbox::egress::{Ceiling, EgressConfig, EgressPolicy};
use sendbox::message::Channel;
use sendbox::settings::SettingsSchema;
use serde_json::Value;

use crate::fields::Fields;
use crate::settings::problems;
use crate::words::one_line;

/// The fields of the contract's `connector-info`.
const FIELDS: [&str; 8] = [
    "id",
    "version",
    "titles",
    "descriptions",
    "settings-schema",
    "hosts",
    "secret-grants",
    "readme",
];

static CEILING: LazyLock<Arc<Ceiling>> =
    LazyLock::new(|| Arc::new(Ceiling::new(&EgressConfig::default()).unwrap()));

/// Holds an answer to what is promised of it.
pub fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let choice = fields.choice();
    let answer = Answer {
        id: fields.text(),
        channel: [Channel::Email, Channel::Sms][usize::from(choice & 1)],
        version: fields.text(),
        titles: fields.pairs(),
        settings_schema: fields.text(),
        hosts: fields.texts(),
        secret_grants: fields.texts().into_iter().map(grant).collect(),
        descriptions: fields.pairs(),
        readme: fields.text(),
    };
    let settings: Value = serde_json::from_slice(fields.bytes()).unwrap_or_default();
    match describe(answer, choice & 2 > 0) {
        Ok((info, schema)) => accepted(&info, &schema, &settings),
        Err(error) => refused(&error),
    }
}

fn grant(setting: String) -> SecretGrant {
    SecretGrant {
        query: !setting.len().is_multiple_of(2),
        body: !setting.len().is_multiple_of(3),
        signing: !setting.len().is_multiple_of(5),
        setting,
        derivations: 0,
    }
}

fn accepted(info: &ConnectorInfo, schema: &SettingsSchema, settings: &Value) {
    let stored = serde_json::to_string(info).unwrap();
    let read: ConnectorInfo = serde_json::from_str(&stored).unwrap();
    assert_eq!(&read, info);
    let texts = info.titles.iter().chain(&info.descriptions);
    for (tag, text) in texts.clone() {
        one_line(tag);
        one_line(text);
    }
    assert!(info.settings_schema.is_object());
    problems(schema, settings);
    if let Err(error) = EgressPolicy::new(&CEILING, None, &info.hosts, settings) {
        assert!(error.field.starts_with("hosts["), "{error}");
        one_line(&error.problem.to_string());
    }
}

fn refused(error: &UploadError) {
    one_line(&error.to_string());
    match error {
        UploadError::BadInfo { field, .. } => assert!(FIELDS.contains(field), "{field}"),
        UploadError::Schema(_) => {}
        other => panic!("{other}: it names no field"),
    }
}
