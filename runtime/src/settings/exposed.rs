//! Secrets that somebody wrote into a URL: it is kept and shown in clear, so they are refused there.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{SettingsProblem, escape};

/// Names of a query's parameters that say that their value is a secret, in lower case without marks.
const NAMES: &[&str] = &[
    "apikey",
    "auth",
    "authkey",
    "authorization",
    "bearer",
    "code",
    "credential",
    "hmac",
    "jwt",
    "key",
    "pass",
    "passphrase",
    "passwd",
    "pwd",
    "sas",
    "sig",
];
/// And their ends, as in `X-Amz-Signature` and `access_token`.
const ENDS: &[&str] = &[
    "accesskey",
    "apikey",
    "password",
    "secret",
    "signature",
    "token",
];

/// Every URL in `settings`, parted from their secrets, that holds a user, a password or a token.
#[must_use]
pub fn exposed(settings: &Value) -> Vec<SettingsProblem> {
    let mut problems = Vec::new();
    walk(settings, "", &mut problems);
    problems
}

fn walk(value: &Value, pointer: &str, problems: &mut Vec<SettingsProblem>) {
    match value {
        Value::String(text) => problems.extend(problem(text).map(|message| SettingsProblem {
            pointer: pointer.to_owned(),
            message,
        })),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{pointer}/{index}"), problems);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                walk(field, &format!("{pointer}/{}", escape(name)), problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is wrong with a text that is a URL and nothing else.
fn problem(text: &str) -> Option<String> {
    // As readers of URLs do before anything else.
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if scheme.is_empty() || !scheme.chars().all(is_scheme) || text.contains(char::is_whitespace) {
        return None;
    }
    let rest = rest.strip_prefix(['/', '\\'])?.strip_prefix(['/', '\\'])?;
    let rest = rest.trim_start_matches(['/', '\\']);
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some(
            "must not hold a user or a password, which would be kept and shown in clear: give them in settings of their own"
                .to_owned(),
        );
    }
    let (_, query) = rest.split_once(['?', '#'])?;
    let mut pairs = query
        .split(['&', ';', '?', '#'])
        .filter_map(|pair| pair.split_once('='));
    let (name, _) = pairs.find(|(name, value)| {
        // A variable of a template is no secret of the settings'.
        !value.is_empty() && !value.contains("{{") && is_secret(name)
    })?;
    let name: String = name.chars().take(40).collect();
    Some(format!(
        "must not hold the token '{name}' in its query, which would be kept and shown in clear: give it in a setting that is a secret"
    ))
}

fn is_secret(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    NAMES.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_url_gives_away_is_named_by_its_place() {
        for text in [
            "https://user:hunter2@hooks.example/",
            "https://token@hooks.example/x",
            " HTTPS:\\\\user:hunter2@hooks.example",
            "http:///user:hunter2@hooks.example/",
            "ht\ntps://us\ner:hunter2@hooks.example/",
            "smtp://user:hunter2@mail.example:587",
            "https://hooks.example/x?token=hunter2",
            "https://hooks.example?a=1&Access-Token=hunter2",
            "https://hooks.example/?api%5Fkey=hunter2",
            "https://hooks.example/x?sv=1;sig=hunter2",
            "https://hooks.example/x?X-Amz-Signature=hunter2",
            "https://hooks.example/#access_token=hunter2",
            "https://hooks.example/x?code=hunter2",
        ] {
            let settings = json!({"a/b": [{"endpoint": text}], "other": 1});
            let problems = exposed(&settings);
            assert_eq!(problems.len(), 1, "{text}");
            assert_eq!(problems[0].pointer, "/a~1b/0/endpoint");
            assert!(!problems[0].message.contains("hunter2"), "{text}");
        }
        for text in [
            "https://hooks.example/x?channel=mail&v=2&monkey=1",
            "https://hooks.example/x?token=",
            "https://hooks.example/reset?token={{token}}&email={{ user.email }}",
            "https://hooks.example/a@b",
            "ask at https://hooks.example/?token=x for more",
            "Example <noreply@example.com>",
            "mailto:me@example.com",
            "+49 151: //",
        ] {
            assert_eq!(exposed(&json!({ "endpoint": text })), [], "{text}");
        }
    }
}
