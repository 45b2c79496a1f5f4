//! Replays the recorded peer, and what it does not cover.

use super::HttpEmail;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, message, response};
use serde_json::json;

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<HttpEmail>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<HttpEmail>(&[]);
}

#[test]
fn an_address_that_is_no_web_address_names_the_field() {
    for endpoint in [
        "",
        "ftp://hooks.example.com/x",
        "http://unix:/var/run/docker.sock:/x",
    ] {
        let settings = json!({"endpoint": endpoint});
        let message = message("a@b.example", "SignIn", &json!({}));
        let failure = testing::request::<HttpEmail>(&settings, &message).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidSettings);
        assert!(failure.message.starts_with("endpoint: "), "{failure:?}");
    }
}

#[test]
fn an_empty_authorization_is_sent_empty() {
    let settings = json!({"endpoint": "https://hooks.example.com/", "authorization": ""});
    let message = message("a@b.example", "SignIn", &json!({}));
    let request = testing::request::<HttpEmail>(&settings, &message).unwrap();
    let empty = sendbox_guest::Credential::Header("authorization".into(), String::new());
    assert!(request.credential == empty);
}

#[test]
fn a_redirect_is_a_failure_and_says_so() {
    let settings = json!({"endpoint": "https://hooks.example.com/"});
    let message = message("a@b.example", "SignIn", &json!({}));
    let moved = response(308, &[("location", "https://other.example/")], "");
    let failure = testing::send::<HttpEmail>(&settings, &message, moved).unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
    assert!(failure.message.contains("redirects are not followed"));
}

#[test]
fn a_failure_repeats_neither_recipient_nor_code() {
    let settings = json!({"endpoint": "https://hooks.example.com/"});
    let message = message("alice@b.example", "SignIn", &json!({"code": "482913"}));
    let echo = response(422, &[], r#"{"to":"alice@b.example","code":"482913"}"#);
    let failure = testing::send::<HttpEmail>(&settings, &message, echo).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert_eq!(failure.message, r#"HTTP status 422: {"to":"…","code":"…"}"#);
}

#[test]
fn a_text_of_the_tenants_own_stands_beside_the_variables() {
    let settings = json!({"endpoint": "https://example.com/send"});
    let expected = json!({
        "to": "alice@example.net",
        "type": "SignIn",
        "payload": {"code": "123456"},
        "content": {
            "subject": "Hello 123456",
            "content": "<p>123456</p>",
            "contentType": "text/html",
            "text": "123456!",
        },
    });
    let message = testing::mail_in_both_forms();
    assert_eq!(testing::body::<HttpEmail>(&settings, &message), expected);
}
