//! Replays the recorded peer, and what it does not cover.

use super::{AliyunSms, is_chinese};
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "accessKeyId": "id",
        "accessKeySecret": "secret",
        "signName": "阿里云",
        "templates": testing::templates(&json!({"templateCode": "SMS_1"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<AliyunSms>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<AliyunSms>(&[("resp-g200_bom_json", Deviation::Accepted)]);
}

#[test]
fn a_number_is_chinese_by_its_digits() {
    for (number, loosely, strictly) in [
        ("8613800138000", true, true),
        ("+8613800138000", true, true),
        ("008613800138000", true, true),
        ("13800138000", true, false),
        ("+13800138000", false, false),
        ("85212345678", false, false),
        ("861380013800", false, false),
        ("86138001380001", false, false),
        ("86138001380x0", false, false),
    ] {
        assert_eq!(is_chinese(number, false), loosely, "{number}");
        assert_eq!(is_chinese(number, true), strictly, "{number}");
    }
}

#[test]
fn a_refusal_inside_a_200_is_a_failure_and_a_limit_passes() {
    let message = message("8613800138000", "SignIn", &json!({"code": "123456"}));
    let limit =
        json!({"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "8613800138000: 触发分钟级流控"});
    for status in [200, 400] {
        let answer = response(status, &[], &limit.to_string());
        let failure = testing::send::<AliyunSms>(&settings(), &message, answer).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Throttled);
        assert_eq!(failure.message, "…: 触发分钟级流控");
    }
}
