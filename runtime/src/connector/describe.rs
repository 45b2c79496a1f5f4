//! A connector's word about itself, asked for with no capability granted, and checked.

use serde_json::Value;

use super::bindings::types;
use super::convert;
use super::error::UploadError;
use crate::about::{ConnectorInfo, SecretGrant, printable};
use crate::id::ConnectorId;
use crate::settings::{SettingsSchema, derivations, secret_places};

const SCHEMA_MAX: usize = 256 << 10;
const README_MAX: usize = 64 << 10;
const TITLE_MAX: usize = 128;
const DESCRIPTION_MAX: usize = 1 << 10;
const TEXTS_MAX: usize = 64;
const HOSTS_MAX: usize = 32;
const HOST_MAX: usize = 300;
const GRANTS_MAX: usize = 32;

/// Checks the answer to `describe` of a component that imports `handover` or does not.
pub(super) fn check(
    info: types::ConnectorInfo,
    hands_over: bool,
) -> Result<(ConnectorInfo, SettingsSchema), UploadError> {
    let id: ConnectorId = info
        .id
        .parse()
        .ok()
        .filter(|_| {
            info.id
                .starts_with(|first: char| first.is_ascii_lowercase())
        })
        .ok_or_else(|| {
            wrong(
                "id",
                "1 to 64 characters of a-z, 0-9 and '-', starting with a letter",
            )
        })?;
    if !is_semver(&info.version) {
        return Err(wrong(
            "version",
            "must be a semantic version, such as 1.4.0",
        ));
    }
    if info.titles.is_empty() {
        return Err(wrong("titles", "at least one is expected"));
    }
    check_texts("titles", &info.titles, TITLE_MAX)?;
    check_texts("descriptions", &info.descriptions, DESCRIPTION_MAX)?;
    check_hosts(&info.hosts)?;
    if hands_over && !info.hosts.is_empty() {
        return Err(wrong(
            "hosts",
            "none is expected of a connector that hands over",
        ));
    }
    if info.secret_grants.len() > GRANTS_MAX {
        return Err(wrong("secret-grants", "at most 32"));
    }
    if info.readme.len() > README_MAX {
        return Err(wrong("readme", "at most 64 KiB"));
    }
    if info.settings_schema.len() > SCHEMA_MAX {
        return Err(wrong("settings-schema", "at most 256 KiB"));
    }
    let settings_schema: Value = serde_json::from_str(&info.settings_schema)
        .map_err(|error| wrong("settings-schema", &format!("must be JSON: {error}")))?;
    let schema = SettingsSchema::new(&settings_schema)?;
    check_no_secret(&info.hosts, &settings_schema)?;
    let grants = info.secret_grants.into_iter();
    let secret_grants = grants
        .map(|asked| grant(asked, &settings_schema))
        .collect::<Result<_, _>>()?;
    let info = ConnectorInfo {
        id,
        channel: convert::channel(info.channel),
        version: info.version,
        titles: info.titles,
        descriptions: info.descriptions,
        settings_schema,
        hosts: info.hosts,
        secret_grants,
        readme: info.readme,
    };
    Ok((info, schema))
}

fn wrong(field: &'static str, problem: &str) -> UploadError {
    UploadError::BadInfo {
        field,
        problem: problem.to_owned(),
    }
}

/// Each a BCP 47 tag, at least by its characters, and a text without control characters.
fn check_texts(
    field: &'static str,
    texts: &[(String, String)],
    max: usize,
) -> Result<(), UploadError> {
    if texts.len() > TEXTS_MAX {
        return Err(wrong(field, "at most 64 languages"));
    }
    let is_tag = |tag: &str| {
        (2..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    for (tag, text) in texts {
        if !is_tag(tag) {
            return Err(wrong(field, "each needs a BCP 47 tag, such as en or zh-CN"));
        }
        if text.trim().is_empty() || text.len() > max || text.chars().any(char::is_control) {
            return Err(wrong(
                field,
                &format!("each must have 1 to {max} bytes without control characters"),
            ));
        }
    }
    Ok(())
}

/// The shape alone; whether a host may be reached is the egress policy's.
fn check_hosts(hosts: &[String]) -> Result<(), UploadError> {
    if hosts.len() > HOSTS_MAX {
        return Err(wrong("hosts", "at most 32"));
    }
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:*".contains(&b);
    for host in hosts {
        let well_formed = without_settings(host)
            .is_some_and(|rest| !host.is_empty() && rest.bytes().all(is_name));
        if !well_formed || host.len() > HOST_MAX {
            return Err(wrong(
                "hosts",
                "each must be api.example.com, *.example.com (with or without :port), {settings:/pointer} or api.{settings:/pointer}.example.com",
            ));
        }
    }
    Ok(())
}

/// What decides where a send goes is no secret: it is shown, and it is judged.
fn check_no_secret(hosts: &[String], schema: &Value) -> Result<(), UploadError> {
    let secrets = secret_places(schema);
    for host in hosts {
        for pointer in settings_of(host) {
            if let Some((secret, _)) = secrets.iter().find(|(secret, _)| meet(pointer, secret)) {
                let problem = format!("{host} takes its name from {secret}, which is writeOnly");
                return Err(wrong("hosts", &printable(&problem)));
            }
        }
    }
    Ok(())
}

/// The pointers in a host's pattern.
fn settings_of(host: &str) -> impl Iterator<Item = &str> {
    let parts = host.split("{settings:").skip(1);
    parts.filter_map(|part| part.split_once('}').map(|(pointer, _)| pointer))
}

/// Whether one pointer leads to what the other does, into it, or to what holds it. `-` is any item of a list.
fn meet(pointer: &str, secret: &str) -> bool {
    let mut steps = pointer.split('/').zip(secret.split('/'));
    steps.all(|(step, of_secret)| step == of_secret || of_secret == "-")
}

/// A host's pattern without its `{settings:/pointer}`; none where one is malformed.
fn without_settings(host: &str) -> Option<String> {
    let mut rest = String::new();
    let mut parts = host.split("{settings:");
    rest.push_str(parts.next()?);
    for part in parts {
        let (pointer, after) = part.split_once('}')?;
        rest.push_str(after);
        if !pointer.starts_with('/') {
            return None;
        }
    }
    Some(rest)
}

fn grant(grant: types::SecretGrant, schema: &Value) -> Result<SecretGrant, UploadError> {
    if !grant.setting.starts_with('/') || grant.setting.len() > HOST_MAX {
        return Err(wrong(
            "secret-grants",
            "each must name a setting by JSON pointer",
        ));
    }
    let derivations = derivations(schema, &grant.setting)
        .ok_or_else(|| wrong("settings-schema", "x-derivations must be 0 to 8"))?;
    Ok(SecretGrant {
        derivations,
        setting: grant.setting,
        query: grant.query,
        body: grant.body,
        signing: grant.signing,
    })
}

/// `MAJOR.MINOR.PATCH`, then what semver.org 2.0.0 allows after `-` and `+`.
fn is_semver(version: &str) -> bool {
    let (rest, build) = version.split_once('+').unwrap_or((version, "0"));
    let (core, pre) = rest.split_once('-').unwrap_or((rest, "0"));
    let number = |part: &str| {
        let digits =
            !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    version.len() <= 64
        && core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.split('.').all(word)
        && build.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> types::ConnectorInfo {
        types::ConnectorInfo {
            id: "echo".into(),
            channel: types::Channel::Sms,
            version: "1.4.0-rc.1+5".into(),
            titles: vec![("en".into(), "Echo".into())],
            descriptions: vec![],
            settings_schema: r#"{"type":"object"}"#.into(),
            hosts: vec![
                "*.example.com:8443".into(),
                "{settings:/endpoint}".into(),
                "api.{settings:/region}.example.com".into(),
            ],
            secret_grants: vec![],
            readme: String::new(),
        }
    }

    fn refused(change: impl FnOnce(&mut types::ConnectorInfo)) -> UploadError {
        let mut info = info();
        change(&mut info);
        check(info, false).unwrap_err()
    }

    #[test]
    fn a_sound_description_is_taken_over() {
        let (info, _) = check(info(), false).unwrap();
        assert_eq!(info.id.as_str(), "echo");
    }

    #[test]
    fn a_host_is_never_taken_from_a_secret() {
        let schema = r#"{"type":"object","properties":{
            "endpoint":{"type":"string"},
            "token":{"type":"string","writeOnly":true},
            "auth":{"type":"object","properties":{"host":{"type":"string"},"key":{"type":"string","writeOnly":true}}},
            "list":{"type":"array","items":{"type":"object","properties":{"key":{"type":"string","writeOnly":true}}}},
            "a/b":{"type":"string","writeOnly":true}}}"#;
        let named = |host: &str| {
            let change = |info: &mut types::ConnectorInfo| {
                info.settings_schema = schema.into();
                info.hosts = vec![host.into()];
            };
            let mut info = info();
            change(&mut info);
            check(info, false)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        for (host, secret) in [
            ("{settings:/token}", "/token"),
            ("{settings:/token/0}", "/token"),
            ("api.{settings:/token}.example.com", "/token"),
            ("{settings:/endpoint}.{settings:/token}.test", "/token"),
            ("{settings:/auth}", "/auth/key"),
            ("{settings:/auth/key}", "/auth/key"),
            ("{settings:/list}", "/list/-/key"),
            ("{settings:/list/0}", "/list/-/key"),
            ("{settings:/list/3/key}", "/list/-/key"),
            ("{settings:/a~1b}", "/a~1b"),
        ] {
            let refused = named(host).unwrap_err();
            assert!(
                refused.contains(&format!("from {secret},")),
                "{host}: {refused}"
            );
        }
        for host in [
            "{settings:/endpoint}",
            "{settings:/auth/host}",
            "{settings:/tokens}",
        ] {
            assert_eq!(named(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_wrong_field_is_named() {
        let named = |error| match error {
            UploadError::BadInfo { field, .. } => field,
            other => panic!("{other}"),
        };
        assert_eq!(named(refused(|info| info.id = "4you".into())), "id");
        for version in ["1.4", "1.04.0", "v1.0.0", "1.0.0-", ""] {
            assert_eq!(
                named(refused(|info| info.version = version.into())),
                "version"
            );
        }
        assert_eq!(named(refused(|info| info.titles.clear())), "titles");
        for host in [
            "",
            "https://example.com",
            "a b",
            "{settings:endpoint}",
            "api.{settings:/region",
        ] {
            assert_eq!(
                named(refused(|info| info.hosts = vec![host.into()])),
                "hosts"
            );
        }
        assert_eq!(
            named(refused(|info| info.settings_schema = "{".into())),
            "settings-schema"
        );
        assert_eq!(
            named(refused(|info| info.readme = "x".repeat(README_MAX + 1))),
            "readme"
        );
        assert!(matches!(
            refused(|info| info.settings_schema = "[]".into()),
            UploadError::Schema(_)
        ));
    }
}
