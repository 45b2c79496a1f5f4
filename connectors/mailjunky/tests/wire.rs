//! Replays the recorded peer, and what it does not cover.

use super::MailJunky;
use sendbox_guest::testing::{self, Deviation, message, response};
use sendbox_guest::{Failure, FailureKind};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "apiKey": "mj_live_key",
        "fromEmail": "noreply@example.com",
        "templates": testing::templates(&json!({"subject": "Hello {{name}}",
            "content": "<p>{{code}}</p>",
        })),
    })
}

fn failure(status: u16, body: &Value) -> Failure {
    let answer = response(status, &[("retry-after", "5")], &body.to_string());
    testing::answered::<MailJunky>(&settings(), answer).unwrap_err()
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<MailJunky>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<MailJunky>(&[
        // A value becomes no address.
        (
            "i18n-sendfrom-variable-unicode",
            Deviation::Body("/value/from", "Wörld 🌍 <noreply@example.com>"),
        ),
        (
            "i18n-sendfrom-quotes-brackets",
            Deviation::Body("/value/from", "Org Q X <team@acme.example>"),
        ),
        testing::inherited_subject("/value/subject"),
        testing::inherited("/value/html"),
        testing::inherited("/value/text"),
    ]);
}

#[test]
fn a_template_without_a_type_is_html() {
    let message = message("alice@example.net", "SignIn", &json!({"code": "123456"}));
    let request = testing::request::<MailJunky>(&settings(), &message).unwrap();
    let mail: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(mail["html"], "<p>123456</p>");
    assert_eq!(mail["text"], "123456");
    assert!(testing::schema_accepts::<MailJunky>(&settings()));
}

#[test]
fn the_receipt_carries_the_message_id() {
    let body = r#"{"id":"email_abc123","message_id":"<1@example.com>","status":"sent"}"#;
    let sent = testing::answered::<MailJunky>(&settings(), response(200, &[], body));
    let receipt = sent.unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("email_abc123"));
    assert_eq!(receipt.detail.as_deref(), Some("sent"));
}

#[test]
fn a_success_that_carries_an_error_is_a_failure() {
    for body in [
        json!({"status": "failed", "message": "bounced: alice@example.net"}),
        json!({"error": "bounced: alice@example.net"}),
        json!({"error": {"message": "bounced: alice@example.net"}}),
    ] {
        let failure = failure(200, &body);
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert_eq!(failure.message, "bounced: …");
    }
}

#[test]
fn the_status_decides_but_for_a_sender_that_is_not_verified() {
    for (status, words, kind) in [
        (400, "to is invalid", FailureKind::Rejected),
        (401, "Invalid API key", FailureKind::Unauthorized),
        (403, "Forbidden", FailureKind::Unauthorized),
        (403, "Domain not verified", FailureKind::InvalidSettings),
        (429, "Too many requests", FailureKind::Throttled),
        (500, "internal", FailureKind::Unknown),
        (503, "maintenance", FailureKind::Unavailable),
    ] {
        let failure = failure(status, &json!({"error": words}));
        assert_eq!(failure.kind, kind, "{words}");
        assert_eq!(failure.message, words);
        assert_eq!(failure.retry_after, Some(5000));
    }
}

#[test]
fn a_text_of_the_tenants_own_goes_in_both_forms() {
    let mail = testing::body::<MailJunky>(&settings(), &testing::mail_in_both_forms());
    assert_eq!(mail["html"], "<p>123456</p>");
    assert_eq!(mail["text"], "123456!");
}
