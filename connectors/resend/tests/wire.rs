//! Replays cases made from Resend's documents, and what they do not cover.

use super::Resend;
use sendbox_guest::testing::{self, message, response};
use sendbox_guest::{Failure, FailureKind};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "apiKey": "re_key",
        "fromEmail": "noreply@example.com",
        "templates": testing::templates(&json!({"type": "text/plain",
            "subject": "Hello {{name}}",
            "content": "{{code}}",
        })),
    })
}

fn failure(status: u16, name: &str, words: &str) -> Failure {
    let body = json!({"statusCode": status, "name": name, "message": words}).to_string();
    testing::answered::<Resend>(&settings(), response(status, &[], &body)).unwrap_err()
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<Resend>();
}

#[test]
fn it_does_what_the_documents_say() {
    testing::replay_own::<Resend>(include_str!("cases.jsonl"));
}

#[test]
fn the_receipt_carries_the_message_id() {
    let accepted = response(200, &[], r#"{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}"#);
    let receipt = testing::answered::<Resend>(&settings(), accepted).unwrap();
    let id = receipt.provider_message_id.as_deref();
    assert_eq!(id, Some("49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"));
}

#[test]
fn a_name_with_a_line_break_cannot_leave_the_subject() {
    let payload = json!({"name": "A\r\nBcc: x@example.org"});
    let message = message("alice@example.net", "SignIn", &payload);
    let request = testing::request::<Resend>(&settings(), &message).unwrap();
    let mail: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(mail["subject"], "Hello A Bcc: x@example.org");
}

#[test]
fn every_error_that_matters_has_its_kind() {
    use FailureKind::*;
    for (status, name, words, kind) in [
        (400, "validation_error", "Invalid `to` field.", Rejected),
        (422, "validation_error", "Bad `from`.", InvalidSettings),
        (422, "invalid_from_address", "From.", InvalidSettings),
        (422, "missing_required_field", "Subject?", InvalidSettings),
        (401, "missing_api_key", "Missing API key.", Unauthorized),
        (401, "restricted_api_key", "Only to send.", Unauthorized),
        (403, "invalid_api_key", "API key is invalid.", Unauthorized),
        (403, "validation_error", "Domain.", InvalidSettings),
        (409, "concurrent_idempotent_requests", "Wait.", Unavailable),
        (409, "invalid_idempotent_request", "Other payload.", Unknown),
        (429, "rate_limit_exceeded", "Too many requests.", Throttled),
        (429, "daily_quota_exceeded", "Daily quota.", Throttled),
        (429, "monthly_quota_exceeded", "Monthly quota.", Throttled),
        (451, "security_error", "A security issue.", Rejected),
        (500, "application_error", "Unexpected.", Unknown),
        (200, "validation_error", "Invalid `to` field.", Rejected),
    ] {
        let failure = failure(status, name, words);
        assert_eq!(failure.kind, kind, "{status} {name}");
        assert_eq!(failure.code.as_deref(), Some(name));
        assert_eq!(failure.message, words);
    }
}

#[test]
fn a_refusal_does_not_repeat_the_recipient() {
    let failure = failure(422, "validation_error", "Invalid: alice@example.net");
    assert_eq!(failure.message, "Invalid: …");
}

#[test]
fn a_text_of_the_tenants_own_goes_in_both_forms() {
    let mail = testing::body::<Resend>(&settings(), &testing::mail_in_both_forms());
    assert_eq!(mail["html"], "<p>123456</p>");
    assert_eq!(mail["text"], "123456!");
}
