//! Replays cases made from Meta's documents and the peer's code, and what they do not cover.

use super::WhatsApp;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, message, response};
use serde_json::{Value, json};

fn settings(phone_number_id: &str) -> Value {
    json!({
        "accessToken": "token",
        "phoneNumberId": phone_number_id,
        "templates": testing::templates(&json!({"templateName": "sign_in_code"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<WhatsApp>();
}

#[test]
fn it_does_what_the_documents_say() {
    testing::replay_own::<WhatsApp>(include_str!("cases.jsonl"));
}

#[test]
fn the_receipt_carries_the_messages_id_and_its_state() {
    let message = message("4915112345678", "SignIn", &json!({"code": "123456"}));
    let body = r#"{"messages":[{"id":"wamid.A","message_status":"accepted"}]}"#;
    let sent = testing::send::<WhatsApp>(&settings("1"), &message, response(200, &[], body));
    let receipt = sent.unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("wamid.A"));
    assert_eq!(receipt.detail.as_deref(), Some("accepted"));
}

#[test]
fn a_phone_number_id_that_would_climb_the_path_is_refused() {
    let message = message("4915112345678", "SignIn", &json!({"code": "123456"}));
    let failure = testing::request::<WhatsApp>(&settings(".."), &message).unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
    assert!(failure.message.starts_with("phoneNumberId: "));
}

#[test]
fn a_code_that_is_a_number_is_sent_as_its_text() {
    let message = message("4915112345678", "SignIn", &json!({"code": 123_456}));
    let request = testing::request::<WhatsApp>(&settings("1"), &message).unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let sent = body.pointer("/template/components/0/parameters/0/text");
    assert_eq!(sent, Some(&json!("123456")));
}

#[test]
fn a_refusal_is_told_in_metas_words_without_the_recipient() {
    let message = message("4915112345678", "SignIn", &json!({"code": "123456"}));
    let problem = json!({"error": {
        "message": "(#131026) Message undeliverable",
        "type": "OAuthException",
        "code": 131_026,
        "error_data": {"messaging_product": "whatsapp", "details": "4915112345678 is unreachable"},
        "fbtrace_id": "A1",
    }});
    let answer = response(400, &[], &problem.to_string());
    let failure = testing::send::<WhatsApp>(&settings("1"), &message, answer).unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("131026"));
    assert_eq!(
        failure.message,
        "(#131026) Message undeliverable: … is unreachable"
    );
}
