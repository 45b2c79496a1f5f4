//! Replays the recorded peer, and what it does not cover.

use super::Postmark;
use sendbox_guest::testing::{self, response};
use sendbox_guest::{FailureKind, Response};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "serverToken": "token",
        "fromEmail": "noreply@example.com",
        "templates": testing::templates(&json!({"templateAlias": "code"})),
    })
}

fn failure(response: Response) -> sendbox_guest::Failure {
    testing::answered::<Postmark>(&settings(), response).unwrap_err()
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<Postmark>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<Postmark>(&[]);
}

#[test]
fn the_receipt_carries_the_message_id() {
    let accepted =
        r#"{"To":"alice@example.net","MessageID":"b7bc2f4a","ErrorCode":0,"Message":"OK"}"#;
    let sent = testing::answered::<Postmark>(&settings(), response(200, &[], accepted));
    let receipt = sent.unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("b7bc2f4a"));
    assert_eq!(receipt.detail.as_deref(), Some("OK"));
}

#[test]
fn a_success_that_carries_an_error_code_is_a_failure() {
    let body = r#"{"ErrorCode":406,"Message":"inactive: alice@example.net"}"#;
    let failure = failure(response(200, &[], body));
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert_eq!(failure.code.as_deref(), Some("406"));
    assert_eq!(failure.message, "inactive: …");
}

#[test]
fn every_error_code_that_matters_has_its_kind() {
    for (status, code, kind) in [
        (401, 10, FailureKind::Unauthorized),
        (503, 100, FailureKind::Unavailable),
        (422, 300, FailureKind::Rejected),
        (422, 400, FailureKind::InvalidSettings),
        (422, 401, FailureKind::InvalidSettings),
        (422, 405, FailureKind::Throttled),
        (422, 406, FailureKind::Rejected),
        (422, 412, FailureKind::Unauthorized),
        (429, 429, FailureKind::Throttled),
        (422, 1101, FailureKind::TemplateNotFound),
        (500, 9999, FailureKind::Unknown),
    ] {
        let body = json!({"ErrorCode": code, "Message": "words"}).to_string();
        assert_eq!(failure(response(status, &[], &body)).kind, kind, "{code}");
    }
}

#[test]
fn without_a_code_the_status_decides() {
    let failure = failure(response(503, &[("retry-after", "30")], "unavailable"));
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!(failure.retry_after, Some(30_000));
}

#[test]
fn a_text_of_the_tenants_own_takes_the_templates_place() {
    let mut message = testing::mail_in_both_forms();
    let request = testing::request::<Postmark>(&settings(), &message).unwrap();
    assert_eq!(request.url, "https://api.postmarkapp.com/email");
    let expected = json!({
        "From": "noreply@example.com",
        "To": "alice@example.net",
        "Subject": "Hello 123456",
        "HtmlBody": "<p>123456</p>",
        "TextBody": "123456!",
    });
    assert_eq!(testing::body::<Postmark>(&settings(), &message), expected);

    let content = message.content.as_mut().unwrap();
    content.send_from = Some("Example".into());
    content.reply_to = Some("help@example.com".into());
    let mail = testing::body::<Postmark>(&settings(), &message);
    assert_eq!(mail["From"], "Example <noreply@example.com>");
    assert_eq!(mail["ReplyTo"], "help@example.com");
}
