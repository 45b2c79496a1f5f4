//! Replays the recorded peer, and what it does not cover.

use super::Vonage;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "apiKey": "abcd1234",
        "apiSecret": "secret",
        "brandName": "Example",
        "templates": testing::templates(&json!({"content": "{{code}}"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<Vonage>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<Vonage>(&[
        testing::inherited("/value/text"),
        (
            "resp-ok_empty_object",
            Deviation::Failed(FailureKind::Unknown),
        ),
        ("resp-g200_html", Deviation::Failed(FailureKind::Unknown)),
        ("resp-g204", Deviation::Failed(FailureKind::Unknown)),
    ]);
}

#[test]
fn the_receipt_carries_the_id_of_the_first_part() {
    let message = message("447700900000", "SignIn", &json!({"code": "1"}));
    let body = r#"{"messages":[{"status":"0","message-id":"A"},{"status":"0","message-id":"B"}]}"#;
    let receipt = testing::send::<Vonage>(&settings(), &message, response(200, &[], body)).unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("A"));
}

#[test]
fn every_status_inside_a_200_has_its_kind() {
    let message = message("447700900000", "SignIn", &json!({"code": "1"}));
    for (status, kind) in [
        ("1", FailureKind::Throttled),
        ("3", FailureKind::Rejected),
        ("4", FailureKind::Unauthorized),
        ("5", FailureKind::Unavailable),
        ("6", FailureKind::Rejected),
        ("7", FailureKind::Rejected),
        ("8", FailureKind::Unauthorized),
        ("9", FailureKind::Throttled),
        ("15", FailureKind::InvalidSettings),
        ("29", FailureKind::InvalidSettings),
    ] {
        let part = json!({"status": status, "error-text": "no to 447700900000"});
        let answer = response(200, &[], &json!({"messages": [part]}).to_string());
        let failure = testing::send::<Vonage>(&settings(), &message, answer).unwrap_err();
        assert_eq!(failure.kind, kind, "{status}");
        assert_eq!(failure.code.as_deref(), Some(status));
        assert_eq!(failure.message, "no to …");
    }
}

#[test]
fn a_text_that_went_out_in_part_may_have_been_sent() {
    let message = message("447700900000", "SignIn", &json!({"code": "1"}));
    let body = r#"{"messages":[{"status":"0","message-id":"A"},{"status":"1"}]}"#;
    let failure = testing::send::<Vonage>(&settings(), &message, response(200, &[], body));
    assert_eq!(failure.unwrap_err().kind, FailureKind::Unknown);
}

#[test]
fn a_problem_is_told_in_the_providers_words() {
    let message = message("447700900000", "SignIn", &json!({"code": "1"}));
    let problem = r#"{"type":"x","title":"Unauthorized","detail":"wrong key","instance":"y"}"#;
    let answer = response(401, &[], problem);
    let failure = testing::send::<Vonage>(&settings(), &message, answer).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert_eq!(failure.message, "Unauthorized: wrong key");
}
