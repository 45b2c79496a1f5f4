//! What a replayed send looks like to its author: the message, the requests that would have left with secrets
//! hidden, what the stand-in answered, and the guest's own words.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::Case;
use crate::connector::LoadedConnector;
use crate::redaction::Finder;
use crate::replay::{ReplayResult, ReplayedOutcome, ReplayedRequest, check};
use crate::secret::Secret;

/// Headers that the host writes, and nobody needs to read.
const HOSTS_OWN: [&str; 4] = ["host", "accept-encoding", "user-agent", "content-length"];
/// Characters of a body that are shown.
const BODY_MAX: usize = 8 << 10;
/// Characters of an answer that are shown.
const ANSWER_MAX: usize = 200;
/// How deep a request stands.
const INDENT: &str = "    ";

/// A replayed case in lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The lines.
    pub(super) lines: Vec<String>,
    /// Whether it did what it says; one that says nothing must not be ended against its will.
    pub(super) well: bool,
}

/// Shows what a case did.
pub(super) fn show(connector: &LoadedConnector, case: &Case, result: &ReplayResult) -> Shown {
    let veil = Veil::of(connector, case);
    let message = &case.replay.message;
    let mut lines = vec![
        format!("case {}", result.id),
        format!(
            "  message   {} to {}: {}",
            message.usage_type,
            message.to,
            message.payload.get()
        ),
    ];
    for (index, request) in result.requests.iter().enumerate() {
        lines.extend(show_request(request, &veil));
        if let Some(answer) = case.replay.responses.get(index) {
            let answer = one_line(&answer.to_string());
            lines.push(format!("  stand-in  answers {answer}"));
        }
    }
    for mail in &result.smtp {
        let from = mail.mail_from.as_deref().unwrap_or_default();
        lines.push(format!(
            "  mail      from {from} to {}",
            mail.rcpt_to.join(", ")
        ));
        for (name, value) in &mail.headers {
            lines.push(format!("{INDENT}{name}: {}", veil.over(value)));
        }
        lines.extend(indented(
            &veil.over(mail.text.as_deref().unwrap_or_default()),
        ));
    }
    if let Some(content) = &result.content {
        lines.push(format!("  hands over  {}", content.subject));
        lines.extend(indented(&content.body));
    }
    if result.requests.is_empty() && result.smtp.is_empty() && result.content.is_none() {
        lines.push("  request   none left".to_owned());
    }
    lines.push(outcome(&result.outcome));
    lines.extend(result.log.iter().map(|line| format!("  log       {line}")));
    let differences = check(&case.replay, result);
    let well = differences.is_empty() && !result.trapped;
    let differing = differences.iter();
    lines.extend(differing.map(|difference| format!("  differs   {}", veil.over(difference))));
    Shown { lines, well }
}

fn show_request(request: &ReplayedRequest, veil: &Veil) -> Vec<String> {
    let mut lines = vec![format!(
        "  request   {} {}",
        request.method,
        veil.over(&request.url)
    )];
    let mut media_type = "";
    for (name, value) in &request.headers {
        if name == "content-type" {
            media_type = value;
        }
        if !HOSTS_OWN.contains(&name.as_str()) {
            lines.push(format!("{INDENT}{name}: {}", veil.over(value)));
        }
    }
    let body = veil.over(&String::from_utf8_lossy(&request.body));
    if !body.is_empty() {
        lines.push(String::new());
        lines.extend(indented(&readable(media_type, &body)));
    }
    lines
}

/// JSON over many lines; a form with one field a line, decoded; anything else as it is.
fn readable(media_type: &str, body: &str) -> String {
    if media_type.starts_with("application/x-www-form-urlencoded") {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = body.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            format!("{}: {}", decoded(name), decoded(value))
        });
        return pairs.collect::<Vec<_>>().join("\n");
    }
    let json = serde_json::from_str::<Value>(body);
    let pretty = json.and_then(|value| serde_json::to_string_pretty(&value));
    pretty.unwrap_or_else(|_| body.to_owned())
}

fn indented(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = Vec::new();
    let mut shown = 0;
    for line in text.lines() {
        shown += line.len();
        if shown > BODY_MAX {
            lines.push(format!("{INDENT}… {} bytes in all", text.len()));
            break;
        }
        let printable = |c: char| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        };
        lines.push(format!(
            "{INDENT}{}",
            line.chars().map(printable).collect::<String>()
        ));
    }
    lines
}

/// The beginning of a text, on one line.
fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(ANSWER_MAX).map(shown).collect()
}

fn outcome(outcome: &ReplayedOutcome) -> String {
    match outcome {
        ReplayedOutcome::Receipt { receipt, .. } => {
            let id = receipt.provider_message_id.as_deref();
            format!(
                "  receipt   {}",
                id.unwrap_or("without the provider's name for the message")
            )
        }
        ReplayedOutcome::Failure {
            kind,
            code,
            message,
            ..
        } => {
            let code = code.as_deref().map(|code| format!(" ({code})"));
            let message = message.replace('\n', &format!("\n{INDENT}"));
            format!(
                "  failure   {}{}: {message}",
                kind.as_str(),
                code.unwrap_or_default()
            )
        }
    }
}

/// Hides the secrets of a case's settings, in every form in which a request may hold them.
struct Veil {
    finder: Finder,
    pointers: Vec<String>,
}

impl Veil {
    fn of(connector: &LoadedConnector, case: &Case) -> Self {
        let (_, secrets) = connector.schema.split(case.replay.settings.clone());
        Self::over_secrets(&secrets)
    }

    fn over_secrets(secrets: &BTreeMap<String, Secret>) -> Self {
        Self {
            finder: Finder::of(secrets.values().map(Secret::expose)),
            pointers: secrets.keys().cloned().collect(),
        }
    }

    /// `text` with `<secret /pointer>` in place of each.
    fn over(&self, text: &str) -> String {
        let seen = self.finder.replace(text.as_bytes(), usize::MAX, |index| {
            let pointer = self.pointers.get(index).map(String::as_str);
            format!("<secret {}>", pointer.unwrap_or_default())
        });
        String::from_utf8_lossy(&seen.unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_by_its_place() {
        let secret = Secret::new("p4ssw0rd&more".to_owned());
        let veil = Veil::over_secrets(&BTreeMap::from([("/token".to_owned(), secret)]));
        assert_eq!(veil.over("Bearer p4ssw0rd&more"), "Bearer <secret /token>");
        assert_eq!(veil.over("?key=p4ssw0rd%26more"), "?key=<secret /token>");
    }

    #[test]
    fn json_and_forms_are_shown_one_value_a_line() {
        let json = readable("application/json", r#"{"to":"1","n":{"b":2}}"#);
        assert_eq!(
            json,
            "{\n  \"to\": \"1\",\n  \"n\": {\n    \"b\": 2\n  }\n}"
        );
        let form = readable(
            "application/x-www-form-urlencoded",
            "To=%2B1415&Body=Your+code",
        );
        assert_eq!(form, "To: +1415\nBody: Your code");
    }
}
