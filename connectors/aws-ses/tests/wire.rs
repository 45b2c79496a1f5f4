//! Replays the recorded peer, and what it does not cover.

use super::AwsSes;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::{Value, json};

fn settings(region: &str) -> Value {
    json!({
        "accessKeyId": "AKIDEXAMPLE",
        "accessKeySecret": "secret",
        "region": region,
        "templates": testing::templates(&json!({"subject": "S", "content": "C"})),
    })
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<AwsSes>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<AwsSes>(&[
        ("resp-g200_bom_json", Deviation::Accepted),
        (
            "resp-fail-then-ok",
            Deviation::Failed(FailureKind::Unavailable),
        ),
        testing::inherited_subject("/value/Content/Simple/Subject/Data"),
        testing::inherited("/value/Content/Simple/Body/Html/Data"),
    ]);
}

#[test]
fn every_partition_has_its_domain() {
    let message = message("alice@example.net", "SignIn", &json!({}));
    for (region, host) in [
        ("eu-central-1", "email.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "email.us-gov-west-1.amazonaws.com"),
        ("cn-northwest-1", "email.cn-northwest-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "email.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", "email.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "email.us-isob-east-1.sc2s.sgov.gov"),
        ("eu-isoe-west-1", "email.eu-isoe-west-1.cloud.adc-e.uk"),
        ("us-isof-south-1", "email.us-isof-south-1.csp.hci.ic.gov"),
    ] {
        let request = testing::request::<AwsSes>(&settings(region), &message).unwrap();
        assert_eq!(
            request.url,
            format!("https://{host}/v2/email/outbound-emails")
        );
        testing::verify(&request, "secret").unwrap();
    }
    for region in ["", "eu central 1", "evil.example/", "EU-CENTRAL-1", "a--b"] {
        let failure = testing::request::<AwsSes>(&settings(region), &message).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidSettings, "{region}");
        assert!(failure.message.starts_with("region: "));
    }
}

#[test]
fn the_receipt_carries_the_message_id() {
    let accepted = response(200, &[], r#"{"MessageId":"0100-1"}"#);
    let receipt = testing::answered::<AwsSes>(&settings("us-east-1"), accepted).unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("0100-1"));
}

#[test]
fn every_error_that_matters_has_its_kind() {
    use FailureKind::*;
    for (status, name, kind) in [
        (400, "Throttling", Throttled),
        (400, "LimitExceededException", Throttled),
        (429, "TooManyRequestsException", Throttled),
        (400, "AccountSuspendedException", Unauthorized),
        (403, "SignatureDoesNotMatch", Unauthorized),
        (403, "UnrecognizedClientException:http://x", Unauthorized),
        (400, "com.amazonaws.sesv2#MessageRejected", Rejected),
        (400, "BadRequestException", Rejected),
        (404, "NotFoundException", InvalidSettings),
        (400, "MailFromDomainNotVerifiedException", InvalidSettings),
        (400, "SendingPausedException", Unavailable),
        (403, "RequestExpired", Unavailable),
        (500, "InternalFailure", Unknown),
        (503, "ServiceUnavailable", Unavailable),
    ] {
        let body = json!({"message": "no to alice@example.net"}).to_string();
        let in_header = response(status, &[("x-amzn-errortype", name)], &body);
        let body = json!({"__type": name, "Message": "no to alice@example.net"}).to_string();
        for answer in [in_header, response(status, &[], &body)] {
            let sent = testing::answered::<AwsSes>(&settings("us-east-1"), answer);
            let failure = sent.unwrap_err();
            assert_eq!(failure.kind, kind, "{name}");
            assert_eq!(failure.message, "no to …");
            assert!(!failure.code.unwrap().contains([':', '#']));
        }
    }
}

#[test]
fn a_text_of_the_tenants_own_goes_in_both_forms() {
    let mail = testing::body::<AwsSes>(&settings("us-east-1"), &testing::mail_in_both_forms());
    let body = &mail["Content"]["Simple"]["Body"];
    assert_eq!(body["Html"]["Data"], "<p>123456</p>");
    assert_eq!(body["Text"]["Data"], "123456!");
}
