//! Replays the recorded peer, and what it does not cover.

use super::TwilioSms;
use sendbox_guest::testing::{self, Deviation, message, response};
use sendbox_guest::{Content, ContentType, FailureKind};
use serde_json::{Value, json};

fn settings(account: &str) -> Value {
    json!({
        "accountSID": account,
        "authToken": "token",
        "fromMessagingServiceSID": "MG1",
        "templates": testing::templates(&json!({"content": "{{code}}"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<TwilioSms>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<TwilioSms>(&[
        (
            "sid-special-chars",
            Deviation::Url(
                "https://api.twilio.com/2010-04-01/Accounts/AC%2F..%2Fx%3Fy%23z/Messages.json",
            ),
        ),
        (
            "sid-replace-pattern",
            Deviation::Url("https://api.twilio.com/2010-04-01/Accounts/AC%24%26x/Messages.json"),
        ),
        testing::inherited("/pairs/2/1"),
    ]);
}

#[test]
fn an_account_that_would_climb_the_path_is_refused() {
    let message = message("14155552671", "SignIn", &json!({}));
    let failure = testing::request::<TwilioSms>(&settings(".."), &message).unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
    assert!(failure.message.starts_with("accountSID: "));
}

#[test]
fn the_receipt_carries_the_sid_and_the_state() {
    let message = message("14155552671", "SignIn", &json!({}));
    let created = r#"{"sid":"SM1","status":"accepted","error_code":null}"#;
    let sent = testing::send::<TwilioSms>(&settings("AC1"), &message, response(201, &[], created));
    let receipt = sent.unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("SM1"));
    assert_eq!(receipt.detail.as_deref(), Some("accepted"));
}

#[test]
fn a_message_that_was_created_as_failed_is_a_failure() {
    let message = message("14155552671", "SignIn", &json!({}));
    let created = r#"{"sid":"SM1","status":"failed","error_code":30007,"error_message":"spam"}"#;
    let sent = testing::send::<TwilioSms>(&settings("AC1"), &message, response(201, &[], created));
    let failure = sent.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert_eq!(failure.code.as_deref(), Some("30007"));
    assert_eq!(failure.message, "spam");
}

#[test]
fn every_code_that_matters_has_its_kind() {
    let message = message("14155552671", "SignIn", &json!({}));
    for (status, code, kind) in [
        (401, 20003, FailureKind::Unauthorized),
        (404, 20404, FailureKind::InvalidSettings),
        (429, 20429, FailureKind::Throttled),
        (400, 21211, FailureKind::Rejected),
        (400, 21408, FailureKind::InvalidSettings),
        (400, 21610, FailureKind::Rejected),
        (400, 21611, FailureKind::Throttled),
        (404, 21703, FailureKind::InvalidSettings),
        (500, 20500, FailureKind::Unknown),
        (503, 20503, FailureKind::Unavailable),
    ] {
        let problem = json!({"code": code, "message": "no to 14155552671", "status": status});
        let answer = response(status, &[], &problem.to_string());
        let sent = testing::send::<TwilioSms>(&settings("AC1"), &message, answer);
        let failure = sent.unwrap_err();
        assert_eq!(failure.kind, kind, "{code}");
        assert_eq!(failure.message, "no to …");
    }
}

#[test]
fn a_text_of_the_hosts_overrides_the_templates() {
    let mut message = message("14155552671", "SignIn", &json!({"code": "1"}));
    message.content = Some(Content {
        subject: String::new(),
        body: "Code {{code}}".into(),
        content_type: ContentType::Plain,
        text: None,
        reply_to: None,
        send_from: None,
    });
    let request = testing::request::<TwilioSms>(&settings("AC1"), &message).unwrap();
    let body = String::from_utf8(request.body).unwrap();
    assert!(body.contains("&Body=Code+1&"), "{body}");
}
