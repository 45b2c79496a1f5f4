//! Replays the recorded peer, and what it does not cover.

use super::{AliyunSmsMas, chinese};
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use sendbox_guest::usage::ALL;
use serde_json::{Value, json};

fn settings(usage_types: &[&str]) -> Value {
    let template = |usage_type: &&str| json!({"usageType": usage_type, "templateCode": "100001"});
    json!({
        "accessKeyId": "id",
        "accessKeySecret": "secret",
        "signName": "速通互联验证码",
        "templates": usage_types.iter().map(template).collect::<Vec<_>>(),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<AliyunSmsMas>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<AliyunSmsMas>(&[("resp-g200_bom_json", Deviation::Accepted)]);
}

#[test]
fn each_of_the_nine_usage_types_needs_its_template() {
    let message = message("8613800138000", "SignIn", &json!({"code": "1"}));
    for missing in ALL {
        let others: Vec<_> = ALL.into_iter().filter(|u| *u != missing).collect();
        let failure = testing::request::<AliyunSmsMas>(&settings(&others), &message).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidSettings);
        assert!(failure.message.ends_with(missing), "{}", failure.message);
        assert!(!testing::schema_accepts::<AliyunSmsMas>(&settings(&others)));
    }
}

#[test]
fn only_numbers_of_china_with_their_country_code_are_taken() {
    for (number, national) in [
        ("8613800138000", Some("13800138000")),
        ("+86 138-0013-8000", Some("13800138000")),
        ("008613800138000", Some("13800138000")),
        ("13800138000", None),
        ("+14155552671", None),
        ("861", None),
        ("86138001380x0", None),
        ("", None),
    ] {
        assert_eq!(chinese(number).as_deref(), national, "{number}");
    }
}

#[test]
fn a_limit_inside_a_200_passes_and_a_bad_number_does_not() {
    let message = message("8613800138000", "SignIn", &json!({"code": "123456"}));
    for (code, kind) in [
        ("BUSINESS_LIMIT_CONTROL", FailureKind::Throttled),
        ("FREQUENCY_FAIL", FailureKind::Throttled),
        ("MOBILE_NUMBER_ILLEGAL", FailureKind::Rejected),
        ("FUNCTION_NOT_OPENED", FailureKind::Unauthorized),
    ] {
        let body = json!({"Code": code, "Message": "words"}).to_string();
        let answer = response(200, &[], &body);
        let sent = testing::send::<AliyunSmsMas>(&settings(&ALL), &message, answer);
        let failure = sent.unwrap_err();
        assert_eq!((failure.kind, failure.code.as_deref()), (kind, Some(code)));
    }
}
