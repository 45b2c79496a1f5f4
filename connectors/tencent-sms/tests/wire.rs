//! Replays the recorded peer, and what it does not cover.

use super::TencentSms;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "accessKeyId": "id",
        "accessKeySecret": "secret",
        "signName": "腾讯云",
        "sdkAppId": "1400006666",
        "region": "ap-guangzhou",
        "templates": testing::templates(&json!({"templateCode": "1"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<TencentSms>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<TencentSms>(&[("resp-g200_bom_json", Deviation::Accepted)]);
}

#[test]
fn the_receipt_carries_the_serial_number() {
    let message = message("+8613800138000", "SignIn", &json!({"code": "1"}));
    let sent = json!({"Response": {"SendStatusSet": [
        {"SerialNo": "5000:1", "Code": "Ok", "Message": "send success"},
    ]}});
    let answer = response(200, &[], &sent.to_string());
    let receipt = testing::send::<TencentSms>(&settings(), &message, answer).unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("5000:1"));
}

#[test]
fn every_code_that_matters_has_its_kind() {
    use FailureKind::*;
    let message = message("+8613800138000", "SignIn", &json!({"code": "1"}));
    for (code, kind) in [
        ("AuthFailure.SignatureFailure", Unauthorized),
        ("AuthFailure.SecretIdNotFound", Unauthorized),
        ("AuthFailure.SignatureExpire", Unavailable),
        (
            "UnauthorizedOperation.RequestIpNotInWhitelist",
            Unauthorized,
        ),
        (
            "UnauthorizedOperation.SmsSdkAppIdVerifyFail",
            InvalidSettings,
        ),
        (
            "FailedOperation.SignatureIncorrectOrUnapproved",
            InvalidSettings,
        ),
        (
            "FailedOperation.TemplateUnapprovedOrNotExist",
            TemplateNotFound,
        ),
        ("FailedOperation.InsufficientBalanceInSmsPackage", Throttled),
        ("FailedOperation.ContainSensitiveWord", Rejected),
        ("InvalidParameterValue.IncorrectPhoneNumber", Rejected),
        ("LimitExceeded.PhoneNumberThirtySecondLimit", Throttled),
        ("RequestLimitExceeded", Throttled),
        ("InternalError.Timeout", Unknown),
    ] {
        let problem = json!({"Code": code, "Message": "no to +8613800138000"});
        for body in [
            json!({"Response": {"Error": problem}}),
            json!({"Response": {"SendStatusSet": [problem]}}),
        ] {
            let answer = response(200, &[], &body.to_string());
            let failure = testing::send::<TencentSms>(&settings(), &message, answer).unwrap_err();
            assert_eq!(failure.kind, kind, "{code}");
            assert_eq!(failure.code.as_deref(), Some(code));
            assert_eq!(failure.message, "no to …");
        }
    }
}
