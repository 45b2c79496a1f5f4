//! Replays the recorded peer, and what it does not cover.

use super::SendGrid;
use sendbox_guest::testing::{self, Deviation, message, response};
use sendbox_guest::{Failure, FailureKind};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "apiKey": "SG.key",
        "fromEmail": "noreply@example.com",
        "templates": testing::templates(&json!({"type": "text/plain",
            "subject": "Hello {{user.name}}",
            "content": "{{code}}",
        })),
    })
}

fn failure(status: u16, body: &Value) -> Failure {
    let answer = response(status, &[], &body.to_string());
    testing::answered::<SendGrid>(&settings(), answer).unwrap_err()
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<SendGrid>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<SendGrid>(&[
        // A value becomes no address.
        (
            "i18n-sendfrom-variable-unicode",
            Deviation::Body("/value/from/name", "Wörld 🌍"),
        ),
        (
            "i18n-sendfrom-quotes-brackets",
            Deviation::Body("/value/from/name", "Org Q X <team@acme.example>"),
        ),
        (
            "i18n-sendfrom-crlf",
            Deviation::Body(
                "/value/from/name",
                "Evil Bcc: x@example.org <team@acme.example>",
            ),
        ),
        testing::inherited_subject("/value/subject"),
        testing::inherited("/value/content/0/value"),
    ]);
}

#[test]
fn the_receipt_carries_the_message_id() {
    let accepted = response(202, &[("x-message-id", "sg-1")], "");
    let receipt = testing::answered::<SendGrid>(&settings(), accepted).unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("sg-1"));
}

#[test]
fn a_name_with_a_line_break_cannot_leave_the_subject() {
    let payload = json!({"user": {"name": "A\r\nBcc: x@example.org"}});
    let message = message("alice@example.net", "SignIn", &payload);
    let request = testing::request::<SendGrid>(&settings(), &message).unwrap();
    let mail: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(mail["subject"], "Hello A Bcc: x@example.org");
}

#[test]
fn the_first_error_says_what_went_wrong() {
    let failure = failure(
        400,
        &json!({"errors": [
            {"message": "Does not contain a valid address.", "field": "personalizations.0.to"},
            {"message": "other", "field": null},
        ]}),
    );
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert_eq!(failure.code.as_deref(), Some("400"));
    assert_eq!(
        failure.message,
        "personalizations.0.to: Does not contain a valid address."
    );
}

#[test]
fn a_good_key_without_credits_or_sender_is_not_a_bad_key() {
    let error = |message: &str| json!({"errors": [{"message": message, "field": null}]});
    let credits = failure(401, &error("Maximum credits exceeded"));
    assert_eq!(credits.kind, FailureKind::Throttled);
    let sender = error("The from address does not match a verified Sender Identity.");
    assert_eq!(failure(403, &sender).kind, FailureKind::InvalidSettings);
    let key = error("The provided authorization grant is invalid, expired, or revoked");
    assert_eq!(failure(401, &key).kind, FailureKind::Unauthorized);
}

#[test]
fn a_text_of_the_tenants_own_goes_in_both_forms() {
    let mail = testing::body::<SendGrid>(&settings(), &testing::mail_in_both_forms());
    let text = json!({"type": "text/plain", "value": "123456!"});
    let html = json!({"type": "text/html", "value": "<p>123456</p>"});
    assert_eq!(mail["content"], json!([text, html]));
}
