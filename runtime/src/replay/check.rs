//! Compares what a case did with what it expects.
//!
//! Method and URL exactly; headers as a set, their names without case and without those that belong to a
//! client rather than to a request; JSON bodies by value and key order; form bodies as ordered pairs; an AWS
//! signature by verifying it; mail by its envelope, its decoded headers and its decoded text.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use super::ReplayCase;
use super::mail::ExpectedMail;
use super::result::{ReplayResult, ReplayedOutcome, ReplayedRequest};
use super::signature;
use crate::message::Content;
use crate::outcome::FailureKind;

/// Headers that every client sets for itself.
const CLIENTS_OWN: [&str; 6] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "user-agent",
];

/// What a case expects.
#[derive(Debug, Deserialize)]
pub struct Expectation {
    #[serde(default)]
    requests: Vec<ExpectedRequest>,
    #[serde(default)]
    smtp: Vec<ExpectedMail>,
    request_count: Option<usize>,
    content: Option<Content>,
    outcome: ExpectedOutcome,
}

#[derive(Debug, Deserialize)]
struct ExpectedRequest {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: ExpectedBody,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum ExpectedBody {
    Json { value: Value },
    Form { pairs: Vec<(String, String)> },
    Text { raw: String },
    Empty {},
}

#[derive(Debug, Deserialize)]
struct ExpectedOutcome {
    ok: bool,
    kind: Option<FailureKind>,
}

/// Every way in which `result` differs from what `case` expects, for people to read. None where it
/// expects nothing.
#[must_use]
pub fn check(case: &ReplayCase, result: &ReplayResult) -> Vec<String> {
    let Some(expect) = &case.expect else {
        return Vec::new();
    };
    let mut differences = Vec::new();
    let made = result.requests.len();
    if let Some(expected) = expect.request_count.filter(|expected| *expected != made) {
        differences.push(format!("requests: expected {expected}, made {made}"));
    }
    for (index, expected) in expect.requests.iter().enumerate() {
        match result.requests.get(index) {
            Some(request) => expected.compare(request, &case.settings, &mut differences),
            None => differences.push(format!("request {}: expected, not made", index + 1)),
        }
    }
    for (index, expected) in expect.smtp.iter().enumerate() {
        match result.smtp.get(index) {
            Some(mail) => differences.extend(expected.differences(mail)),
            None => differences.push(format!("session {}: expected, not held", index + 1)),
        }
    }
    if expect.content != result.content {
        let json = |content| serde_json::to_string(content).unwrap_or_default();
        let (expected, got) = (json(&expect.content), json(&result.content));
        differences.push(format!("content: expected {expected}, handed over {got}"));
    }
    differences.extend(expect.outcome.difference(&result.outcome));
    differences
}

impl ExpectedOutcome {
    fn difference(&self, outcome: &ReplayedOutcome) -> Option<String> {
        match outcome {
            ReplayedOutcome::Receipt { .. } => {
                (!self.ok).then(|| "outcome: expected a failure, got a receipt".to_owned())
            }
            ReplayedOutcome::Failure { kind, message, .. } if self.ok => Some(format!(
                "outcome: expected a receipt, got {}: {message}",
                kind.as_str()
            )),
            ReplayedOutcome::Failure { kind, .. } => {
                let expected = self.kind.filter(|expected| expected != kind)?;
                let (expected, got) = (expected.as_str(), kind.as_str());
                Some(format!("outcome: expected {expected}, got {got}"))
            }
        }
    }
}

impl ExpectedRequest {
    fn compare(&self, request: &ReplayedRequest, settings: &Value, out: &mut Vec<String>) {
        let mut differ = |what: &str, expected: &str, got: &str| {
            if expected != got {
                out.push(format!("{what}: expected {expected}, got {got}"));
            }
        };
        differ("method", &self.method, &request.method);
        differ("url", &self.url, &request.url);
        let body = &request.body;
        match &self.body {
            ExpectedBody::Json { value } => {
                // As text, because the order of keys counts and equality of values ignores it.
                let got = serde_json::from_slice::<Value>(body).map(|value| value.to_string());
                let got = got.unwrap_or_else(|_| "no JSON".to_owned());
                differ("body", &value.to_string(), &got);
            }
            ExpectedBody::Form { pairs } => {
                let got = form_pairs(&String::from_utf8_lossy(body));
                differ("body", &format!("{pairs:?}"), &format!("{got:?}"));
            }
            ExpectedBody::Text { raw } => differ("body", raw, &String::from_utf8_lossy(body)),
            ExpectedBody::Empty {} => differ("body", "", &String::from_utf8_lossy(body)),
        }
        self.compare_headers(request, settings, out);
    }

    fn compare_headers(&self, request: &ReplayedRequest, settings: &Value, out: &mut Vec<String>) {
        let mut recorded = self.headers.iter();
        let signed = recorded
            .any(|(name, value)| lower(name) == "authorization" && signature::is_signature(value));
        // What a signature covers is its signer's choice.
        let free = |name: &str| signed && signature::HEADERS.contains(&name);
        if signed && !signature::is_signed_with(request, settings) {
            out.push("header authorization: no valid signature".to_owned());
        }
        let headers = &request.headers;
        let expected: BTreeMap<_, _> = self
            .headers
            .iter()
            .map(|(name, value)| (lower(name), value))
            .filter(|(name, _)| !free(name))
            .collect();
        for (name, value) in &expected {
            let got: Vec<_> = headers
                .iter()
                .filter(|(other, _)| lower(other) == *name)
                .map(|(_, value)| value.trim())
                .collect();
            // Blanks around a value are no part of it (RFC 9110, section 5.5).
            if got != [value.trim()] {
                out.push(format!("header {name}: expected {value:?}, got {got:?}"));
            }
        }
        for (name, value) in headers {
            let name = lower(name);
            if !expected.contains_key(&name)
                && !CLIENTS_OWN.contains(&name.as_str())
                && !free(&name)
            {
                out.push(format!("header {name}: not expected, got {value:?}"));
            }
        }
    }
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Names and values of a form, in order.
fn form_pairs(body: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    body.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outcome::{Failure, Receipt};

    fn case(body: &str) -> ReplayCase {
        let text = format!(
            r#"{{"id":"a/b","settings":{{}},"message":{{"to":"1","type":"Generic","payload":{{}}}},
            "expect":{{"requests":[{{"method":"POST","url":"https://a.example.com/x?y=1",
            "headers":{{"Content-Type":"application/json"}},"body":{body}}}],
            "request_count":1,"outcome":{{"ok":false,"kind":"rejected"}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn result(kind: FailureKind, body: &'static str) -> ReplayResult {
        let failure = Failure::host(kind, "x", "y");
        let mut result = ReplayResult::new("a/b", Err(failure), Duration::ZERO);
        result.requests.push(ReplayedRequest {
            method: "POST".into(),
            url: "https://a.example.com/x?y=1".into(),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("host".into(), "a.example.com".into()),
            ],
            body: body.into(),
        });
        result
    }

    #[test]
    fn json_is_compared_by_value_and_key_order() {
        let case = case(r#"{"kind":"json","value":{"b":1,"a":"ü"},"raw":""}"#);
        let good = result(FailureKind::Rejected, r#"{ "b": 1, "a": "\u00fc" }"#);
        assert_eq!(check(&case, &good), Vec::<String>::new());
        let swapped = result(FailureKind::Rejected, r#"{"a":"ü","b":1}"#);
        assert_eq!(check(&case, &swapped).len(), 1);
    }

    #[test]
    fn forms_are_compared_as_ordered_pairs() {
        let case = case(r#"{"kind":"form","pairs":[["a","1 2"],["a","ü"]],"raw":""}"#);
        let good = result(FailureKind::Rejected, "a=1+2&a=%C3%BC");
        assert_eq!(check(&case, &good), Vec::<String>::new());
        let swapped = result(FailureKind::Rejected, "a=%C3%BC&a=1+2");
        assert_eq!(check(&case, &swapped).len(), 1);
    }

    #[test]
    fn outcomes_counts_and_headers_are_named_where_they_differ() {
        let case = case(r#"{"kind":"empty","raw":""}"#);
        let mut other = result(FailureKind::Unavailable, "");
        other.requests[0]
            .headers
            .push(("x-extra".into(), "1".into()));
        other.requests[0].headers[0].1 = "text/plain".into();
        let differences = check(&case, &other);
        assert!(
            differences
                .iter()
                .any(|text| text.contains("rejected, got unavailable"))
        );
        assert!(
            differences
                .iter()
                .any(|text| text.starts_with("header x-extra"))
        );
        assert!(
            differences
                .iter()
                .any(|text| text.starts_with("header content-type"))
        );
        let nothing = ReplayResult::new("a/b", Ok(Receipt::default()), Duration::ZERO);
        assert_eq!(check(&case, &nothing).len(), 3);
    }
}
