//! Replays the recorded peer, and what it does not cover.

use super::GatewayApi;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, message, response};
use serde_json::{Value, json};

fn settings(endpoint: &str) -> Value {
    json!({
        "endpoint": endpoint,
        "apiToken": "token",
        "sender": "Example",
        "templates": testing::templates(&json!({"content": "{{code}}"})),
    })
}

const EUROPE: &str = "https://gatewayapi.eu/rest/mtsms";

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<GatewayApi>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<GatewayApi>(&[testing::inherited("/value/message")]);
}

#[test]
fn the_european_setup_is_another_endpoint() {
    let message = message("4512345678", "SignIn", &json!({"code": "1"}));
    let request = testing::request::<GatewayApi>(&settings(EUROPE), &message).unwrap();
    assert_eq!(request.url, EUROPE);
}

#[test]
fn an_endpoint_that_is_no_web_address_is_named() {
    let message = message("4512345678", "SignIn", &json!({"code": "1"}));
    let failure = testing::request::<GatewayApi>(&settings("gatewayapi.com"), &message);
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
    assert!(failure.message.starts_with("endpoint: "));
}

#[test]
fn the_receipt_carries_the_messages_id() {
    let message = message("4512345678", "SignIn", &json!({"code": "1"}));
    let accepted = response(200, &[], r#"{"ids":[421332671]}"#);
    let receipt = testing::send::<GatewayApi>(&settings(EUROPE), &message, accepted).unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("421332671"));
}

#[test]
fn a_refusal_has_its_kind_and_the_providers_code_and_words() {
    let message = message("4512345678", "SignIn", &json!({"code": "1"}));
    for (status, words, kind) in [
        (401, "Unauthorized", FailureKind::Unauthorized),
        (403, "Unauthorized IP", FailureKind::Unauthorized),
        (403, "Insufficient credit", FailureKind::Throttled),
        (422, "Invalid MSISDN", FailureKind::Rejected),
        (429, "Too many requests", FailureKind::Throttled),
        (500, "Internal error", FailureKind::Unknown),
    ] {
        let problem = json!({"code": "0x0213", "incident_uuid": "d8", "message": words});
        let answer = response(status, &[("retry-after", "2")], &problem.to_string());
        let failure = testing::send::<GatewayApi>(&settings(EUROPE), &message, answer).unwrap_err();
        assert_eq!(failure.kind, kind, "{status} {words}");
        assert_eq!(failure.code.as_deref(), Some("0x0213"));
        assert_eq!(failure.message, words);
        assert_eq!(failure.retry_after, Some(2_000));
    }
}
