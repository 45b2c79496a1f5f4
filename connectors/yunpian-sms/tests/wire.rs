//! Replays the recorded peer, and what it does not cover.

use super::Yunpian;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "apikey": "key",
        "templates": testing::templates(&json!({"content": "【X】{{code}}"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<Yunpian>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<Yunpian>(&[
        testing::inherited("/pairs/2/1"),
        (
            "phone-us-cn-only",
            Deviation::Refused(FailureKind::Rejected),
        ),
        (
            "phone-cn_12x-cn-only",
            Deviation::Refused(FailureKind::Rejected),
        ),
    ]);
}

#[test]
fn the_receipt_carries_the_messages_id() {
    let message = message("8613800138000", "SignIn", &json!({"code": "1"}));
    let accepted = response(200, &[], r#"{"code":0,"msg":"OK","sid":3310228982}"#);
    let receipt = testing::send::<Yunpian>(&settings(), &message, accepted).unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("3310228982"));
}

#[test]
fn a_number_of_another_country_is_rejected_in_the_operators_words() {
    let mut settings = settings();
    settings["unsupportedCountriesMsg"] = json!("暂不支持该国家或地区");
    let message = message("14155552671", "SignIn", &json!({"code": "1"}));
    let failure = testing::request::<Yunpian>(&settings, &message).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert_eq!(failure.message, "暂不支持该国家或地区");
}

#[test]
fn every_code_that_matters_has_its_kind_whatever_the_status_code() {
    let message = message("8613800138000", "SignIn", &json!({"code": "1"}));
    for (status, code, kind, wait) in [
        (400, -1, FailureKind::Unauthorized, None),
        (400, -3, FailureKind::Unauthorized, None),
        (400, -5, FailureKind::Throttled, None),
        (200, 2, FailureKind::Rejected, None),
        (400, 3, FailureKind::Throttled, None),
        (400, 4, FailureKind::Rejected, None),
        (400, 5, FailureKind::TemplateNotFound, None),
        (400, 8, FailureKind::Throttled, Some(30_000)),
        (400, 9, FailureKind::Throttled, Some(300_000)),
        (400, 10, FailureKind::Rejected, None),
        (400, 18, FailureKind::InvalidSettings, None),
        (200, 22, FailureKind::Throttled, Some(3_600_000)),
        (500, -50, FailureKind::Unknown, None),
        (500, -51, FailureKind::Unavailable, None),
    ] {
        let problem =
            json!({"http_status_code": status, "code": code, "msg": "no", "detail": "why"});
        let answer = response(status, &[], &problem.to_string());
        let failure = testing::send::<Yunpian>(&settings(), &message, answer).unwrap_err();
        assert_eq!(failure.kind, kind, "{code}");
        assert_eq!(failure.retry_after, wait, "{code}");
        assert_eq!(failure.code, Some(code.to_string()));
        assert_eq!(failure.message, "no: why");
    }
}
