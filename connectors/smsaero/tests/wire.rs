//! Replays the recorded peer, and what it does not cover.

use super::SmsAero;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "email": "ops@example.com",
        "apiKey": "key",
        "senderName": "SMS Aero",
        "templates": testing::templates(&json!({"content": "{{code}}"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<SmsAero>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<SmsAero>(&[
        testing::inherited("/value/text"),
        ("resp-g200_html", Deviation::Failed(FailureKind::Unknown)),
        ("resp-g204", Deviation::Failed(FailureKind::Unknown)),
    ]);
}

#[test]
fn the_receipt_carries_the_messages_id() {
    let message = message("79001234567", "SignIn", &json!({"code": "1"}));
    let accepted = response(
        200,
        &[],
        r#"{"success":true,"data":{"id":7},"message":null}"#,
    );
    let receipt = testing::send::<SmsAero>(&settings(), &message, accepted).unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("7"));
}

#[test]
fn an_answer_that_is_no_success_is_a_failure_whatever_its_status_code() {
    let message = message("79001234567", "SignIn", &json!({"code": "1"}));
    let validation = r#"{"success":false,"data":{"number":["bad"]},"message":"Validation error."}"#;
    let credentials = r#"{"success":false,"data":null,"message":"Your request was made with invalid or expired credentials."}"#;
    for (status, body, kind, words) in [
        (200, validation, FailureKind::Rejected, "Validation error."),
        (400, validation, FailureKind::Rejected, "Validation error."),
        (
            401,
            credentials,
            FailureKind::Unauthorized,
            "Your request was made with invalid or expired credentials.",
        ),
        (
            200,
            r#"{"result":"reject","reason":"incorrect sender name"}"#,
            FailureKind::InvalidSettings,
            "incorrect sender name",
        ),
        (
            200,
            r#"{"result":"no credits"}"#,
            FailureKind::Throttled,
            r#"HTTP status 200: {"result":"no credits"}"#,
        ),
    ] {
        let sent = testing::send::<SmsAero>(&settings(), &message, response(status, &[], body));
        let failure = sent.unwrap_err();
        assert_eq!(failure.kind, kind, "{status} {body}");
        assert_eq!(failure.message, words);
    }
}

#[test]
fn a_rate_that_is_reached_keeps_its_delay() {
    let message = message("79001234567", "SignIn", &json!({"code": "1"}));
    let body = r#"{"success":false,"data":null,"message":"Too many requests"}"#;
    let answer = response(429, &[("retry-after", "3")], body);
    let failure = testing::send::<SmsAero>(&settings(), &message, answer).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Throttled);
    assert_eq!(failure.retry_after, Some(3_000));
}
