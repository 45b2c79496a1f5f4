//! Replays the recorded peer, and what it does not cover.

use super::Smtp2Go;
use sendbox_guest::testing::{self, Deviation, message, response};
use sendbox_guest::{Connector, Failure, FailureKind, Response};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "apiKey": "api-key",
        "sender": "noreply@example.com",
        "templates": testing::templates(&json!({"type": "text/plain",
            "subject": "Hello {{name}}",
            "content": "{{code}}",
        })),
    })
}

fn failure(answer: Response) -> Failure {
    testing::answered::<Smtp2Go>(&settings(), answer).unwrap_err()
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<Smtp2Go>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<Smtp2Go>(&[
        // A value becomes no address.
        (
            "i18n-sendfrom-variable-unicode",
            Deviation::Body("/value/sender", "Wörld 🌍 <noreply@example.com>"),
        ),
        (
            "i18n-sendfrom-quotes-brackets",
            Deviation::Body("/value/sender", "Org Q X <team@acme.example>"),
        ),
        (
            "i18n-replyto-variable",
            Deviation::Without("/value/custom_headers"),
        ),
        (
            "resp-ok_but_failed",
            Deviation::Failed(FailureKind::Rejected),
        ),
        ("resp-g200_bom_json", Deviation::Accepted),
        testing::inherited_subject("/value/subject"),
        testing::inherited("/value/text_body"),
    ]);
}

#[test]
fn the_key_may_stand_in_the_body_and_nowhere_else() {
    let grants = Smtp2Go::ABOUT.secret_grants;
    assert_eq!(grants.len(), 1);
    assert!(grants.iter().all(|g| g.body && !g.query && !g.signing));
}

#[test]
fn the_receipt_carries_the_message_id() {
    let data = json!({"succeeded": 1, "failed": 0, "failures": [], "email_id": "1abc"});
    let body = json!({"request_id": "r", "data": data}).to_string();
    let sent = testing::answered::<Smtp2Go>(&settings(), response(200, &[], &body));
    assert_eq!(sent.unwrap().provider_message_id.as_deref(), Some("1abc"));
}

#[test]
fn a_name_with_a_line_break_cannot_leave_the_subject() {
    let payload = json!({"name": "A\r\nBcc: x@example.org"});
    let message = message("alice@example.net", "SignIn", &payload);
    let request = testing::request::<Smtp2Go>(&settings(), &message).unwrap();
    let mail: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(mail["subject"], "Hello A Bcc: x@example.org");
}

#[test]
fn a_success_whose_recipient_failed_is_a_failure() {
    for (words, kind) in [
        ("alice@example.net: suppressed", FailureKind::Rejected),
        (
            "550 From header sender domain not verified (example.com)",
            FailureKind::InvalidSettings,
        ),
    ] {
        let data = json!({"succeeded": 0, "failed": 1, "failures": [words]});
        let body = json!({"request_id": "r", "data": data}).to_string();
        let failure = failure(response(200, &[], &body));
        assert_eq!(failure.kind, kind, "{words}");
        assert!(!failure.message.contains("alice@example.net"));
    }
}

#[test]
fn an_error_without_a_code_has_the_status_as_one() {
    let failure = failure(response(400, &[], r#"{"data":{"error":"words"}}"#));
    assert_eq!(failure.code.as_deref(), Some("400"));
    assert_eq!(failure.message, "words");
}

#[test]
fn an_answer_of_somebody_else_may_stand_for_a_sent_message() {
    let failure = failure(response(200, &[], "<html>ok</html>"));
    assert_eq!(failure.kind, FailureKind::Unknown);
}

#[test]
fn the_field_at_fault_decides_in_both_shapes_of_the_error() {
    for (field, kind) in [
        ("api_key", FailureKind::Unauthorized),
        ("sender", FailureKind::InvalidSettings),
        ("to", FailureKind::Rejected),
    ] {
        let error = json!({
            "error": "An error occurred processing the json data",
            "error_code": "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD",
            "field_validation_errors": {"fieldname": field, "message": "is wrong"},
        });
        let shell = json!({"request_id": "r", "data": error.clone()});
        for body in [error, shell] {
            let failure = failure(response(400, &[], &body.to_string()));
            assert_eq!(failure.kind, kind, "{field}");
            assert_eq!(failure.code.as_deref(), Some("NON_VALIDATING_IN_PAYLOAD"));
            assert_eq!(failure.message, format!("{field}: is wrong"));
        }
    }
}

#[test]
fn without_a_field_the_status_decides() {
    for (status, kind) in [
        (200, FailureKind::InvalidSettings),
        (400, FailureKind::InvalidSettings),
        (401, FailureKind::Unauthorized),
        (403, FailureKind::Unauthorized),
        (429, FailureKind::Throttled),
        (503, FailureKind::Unavailable),
    ] {
        let error = json!({"error": "words", "error_code": "E_ApiResponseCodes.API_EXCEPTION"});
        let body = json!({"data": error}).to_string();
        let failure = failure(response(status, &[("retry-after", "5")], &body));
        assert_eq!(failure.kind, kind, "{status}");
        assert_eq!(failure.code.as_deref(), Some("API_EXCEPTION"));
        assert_eq!(failure.message, "words");
        assert_eq!(failure.retry_after, Some(5000));
    }
}

#[test]
fn a_text_of_the_tenants_own_goes_in_both_forms() {
    let mail = testing::body::<Smtp2Go>(&settings(), &testing::mail_in_both_forms());
    assert_eq!(mail["html_body"], "<p>123456</p>");
    assert_eq!(mail["text_body"], "123456!");
}
