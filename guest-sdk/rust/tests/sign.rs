//! Signatures against the published examples of those who verify them, and keys that sign nothing.
#![expect(clippy::unwrap_used, reason = "a missing value ends the test")]

use sendbox_guest::sign::{AccessKey, Scope, rpc, sigv4, tc3};
use sendbox_guest::testing::{message, verify};
use sendbox_guest::{FailureKind, Message, Request};
use serde_json::json;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn at(now_ms: u64) -> Message {
    Message {
        now_ms,
        nonce: 0x2535_fea6_0bb9_4ee6_8d6c_f6b0_0007_6e76_u128.to_be_bytes(),
        ..message("1", "Generic", &json!({}))
    }
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    let mut headers = request.headers.iter();
    &headers.find(|(known, _)| known == name).unwrap().1
}

#[test]
fn a_tencent_request_has_the_recorded_signature() {
    let body = json!({
        "SmsSdkAppId": "1400000000", "SignName": "腾讯云", "TemplateId": "449739",
        "TemplateParamSet": ["123456"], "PhoneNumberSet": ["4915112345678"],
    });
    let request = Request::post("https://sms.tencentcloudapi.com/")
        .json(&body)
        .unwrap()
        .replace_header("content-type", "application/json; charset=utf-8");
    let key = AccessKey {
        id: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        secret: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
    };
    let signed = tc3(request, key, "sms", &at(1_704_164_645_000)).unwrap();
    verify(&signed, key.secret).unwrap();
    let signature = "94c8788d3fb8013f6a57df9a99b510472519069917d58371a2cb2b89708917fa";
    assert!(header(&signed, "authorization").ends_with(signature));
    assert!(verify(&signed, "another").is_err());
}

#[test]
fn an_aws_request_is_verified_and_every_change_of_it_is_noticed() {
    let request =
        Request::post("https://email.eu-central-1.amazonaws.com/v2/email/outbound-emails")
            .json(&json!({"a": "ü"}))
            .unwrap();
    let key = AccessKey {
        id: "AKIDEXAMPLE",
        secret: SECRET,
    };
    let scope = Scope {
        region: "eu-central-1",
        service: "ses",
    };
    let signed = sigv4(request, key, scope, &at(1_709_251_199_999)).unwrap();
    assert_eq!(header(&signed, "x-amz-date"), "20240229T235959Z");
    verify(&signed, SECRET).unwrap();
    for change in [
        |request: &mut Request| request.method = "PUT",
        |request: &mut Request| request.url.push('x'),
        |request: &mut Request| request.body.push(b' '),
        |request: &mut Request| request.headers[0].1.push('x'),
    ] {
        let mut changed = signed.clone();
        change(&mut changed);
        assert!(verify(&changed, SECRET).is_err());
    }
}

#[test]
fn a_form_is_signed_whatever_stands_in_it() {
    let key = AccessKey {
        id: "testid",
        secret: "testsecret",
    };
    let parameters = [
        ("Action", "A"),
        ("Subject", "é ~*'()!+%&=/\u{1F510}"),
        ("B", ""),
    ];
    let signed = rpc("https://x.example/", &parameters, key, &at(0)).unwrap();
    verify(&signed, key.secret).unwrap();
    let body = String::from_utf8(signed.body).unwrap();
    let nonce = "SignatureNonce=2535fea6-0bb9-4ee6-8d6c-f6b000076e76";
    assert!(body.contains(nonce), "{body}");
}

#[test]
fn a_nonce_is_a_random_uuid_whatever_its_bytes() {
    let mut message = at(0);
    message.nonce = [0xFF; 16];
    assert_eq!(message.uuid(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

#[test]
fn an_empty_secret_signs_nothing() {
    let key = AccessKey {
        id: "x",
        secret: "",
    };
    let failure = rpc("https://x.example/", &[], key, &at(0)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
    assert!(failure.message.starts_with("accessKeySecret: "));
}
