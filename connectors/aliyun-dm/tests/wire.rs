//! Replays the recorded peer, and what it does not cover.

use super::AliyunDm;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::{Value, json};

fn settings(region: &str) -> Value {
    json!({
        "accessKeyId": "id",
        "accessKeySecret": "secret",
        "regionId": region,
        "accountName": "noreply@example.com",
        "templates": testing::templates(&json!({"subject": "S", "content": "C"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<AliyunDm>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<AliyunDm>(&[
        // A value becomes no address.
        (
            "i18n-sendfrom-variable-unicode",
            Deviation::Body("/pairs/10/1", "Wörld 🌍"),
        ),
        (
            "i18n-sendfrom-quotes-brackets",
            Deviation::Body("/pairs/10/1", "Org Q X <team@acme.example>"),
        ),
        (
            "i18n-sendfrom-variable-unicode",
            Deviation::Body("/pairs/16/1", "L6U/5UTXo5YJ3TIXHxO/ujohFf0="),
        ),
        (
            "i18n-sendfrom-quotes-brackets",
            Deviation::Body("/pairs/16/1", "Yp6jC2tdXZ8Wxams81TJ49HHlJo="),
        ),
        ("resp-g200_bom_json", Deviation::Accepted),
        (
            "i18n-sendfrom-crlf",
            Deviation::Body("/pairs/10/1", "Evil Bcc: x@example.org <team@acme.example>"),
        ),
        (
            "i18n-sendfrom-crlf",
            Deviation::Body("/pairs/16/1", "e15te7Hg7PZGp7hEQ9ghR6Zp1TA="),
        ),
        testing::inherited_subject("/pairs/11/1"),
        testing::inherited("/pairs/12/1"),
        (
            "render-quirk_prototype_keys",
            Deviation::Body("/pairs/16/1", "+FwNEqdls93cy13kfSg1l+qz+sM="),
        ),
    ]);
}

#[test]
fn each_region_has_its_endpoint() {
    let message = message("alice@example.net", "SignIn", &json!({}));
    for (region, host) in [
        ("cn-hangzhou", "dm.aliyuncs.com"),
        ("ap-southeast-1", "dm.ap-southeast-1.aliyuncs.com"),
        ("ap-southeast-2", "dm.ap-southeast-2.aliyuncs.com"),
        ("eu-central-1", "dm.eu-central-1.aliyuncs.com"),
        ("us-east-1", "dm.us-east-1.aliyuncs.com"),
    ] {
        let request = testing::request::<AliyunDm>(&settings(region), &message).unwrap();
        assert_eq!(request.url, format!("https://{host}/"));
        testing::verify(&request, "secret").unwrap();
        let body = String::from_utf8(request.body).unwrap();
        assert!(body.contains(&format!("&RegionId={region}&")), "{body}");
        assert!(!body.contains("FromAlias"), "{body}");
    }
    let failure = testing::request::<AliyunDm>(&settings("cn-beijing"), &message).unwrap_err();
    assert!(
        failure.message.starts_with("regionId: "),
        "{}",
        failure.message
    );
}

#[test]
fn the_receipt_carries_the_envelope_id_and_errors_their_kind() {
    let send = |status, body: &str| {
        let answer = response(status, &[], body);
        testing::answered::<AliyunDm>(&settings("cn-hangzhou"), answer)
    };
    let receipt = send(200, r#"{"EnvId":"6000","RequestId":"R"}"#).unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("6000"));
    for (status, code, kind) in [
        (
            404,
            "InvalidAccessKeyId.NotFound",
            FailureKind::Unauthorized,
        ),
        (
            404,
            "InvalidMailAddress.NotFound",
            FailureKind::InvalidSettings,
        ),
        (400, "InvalidToAddress", FailureKind::Rejected),
        (400, "Throttling.User", FailureKind::Throttled),
        (200, "InvalidToAddress", FailureKind::Rejected),
        (503, "ServiceUnavailable", FailureKind::Unavailable),
    ] {
        let body = json!({"Code": code, "Message": "words", "RequestId": "R"}).to_string();
        assert_eq!(send(status, &body).unwrap_err().kind, kind, "{code}");
    }
}

#[test]
fn a_text_of_the_tenants_own_goes_in_both_forms() {
    let request =
        testing::request::<AliyunDm>(&settings("eu-central-1"), &testing::mail_in_both_forms());
    let form = String::from_utf8(request.unwrap().body).unwrap();
    assert!(form.contains("HtmlBody=%3Cp%3E123456%3C%2Fp%3E"), "{form}");
    assert!(form.contains("TextBody=123456%21"), "{form}");
}
