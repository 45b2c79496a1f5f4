//! Replays the recorded peer, and what it does not cover.

use super::HttpSms;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::json;

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<HttpSms>();
}

#[test]
fn it_does_what_the_peer_does() {
    let none: &[(&str, Deviation)] = &[];
    testing::replay::<HttpSms>(none);
}

#[test]
fn an_empty_authorization_is_not_sent() {
    let settings = json!({"endpoint": "https://hooks.example.com/", "authorization": ""});
    let message = message("4915112345678", "SignIn", &json!({}));
    let request = testing::request::<HttpSms>(&settings, &message).unwrap();
    assert!(request.credential == sendbox_guest::Credential::None);
}

#[test]
fn a_number_with_control_characters_is_rejected_before_any_request() {
    let settings = json!({"endpoint": "https://hooks.example.com/"});
    let message = message("49151\u{7f}", "SignIn", &json!({}));
    let failure = testing::request::<HttpSms>(&settings, &message).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected);
}

#[test]
fn the_endpoint_may_ask_to_wait() {
    let settings = json!({"endpoint": "https://hooks.example.com/"});
    let message = message("4915112345678", "SignIn", &json!({}));
    let busy = response(429, &[("retry-after", "7")], "busy");
    let failure = testing::send::<HttpSms>(&settings, &message, busy).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Throttled);
    assert_eq!(failure.retry_after, Some(7_000));
}
