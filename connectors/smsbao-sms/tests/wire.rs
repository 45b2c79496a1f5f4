//! Replays the recorded peer, and what it does not cover.

use super::SmsBao;
use sendbox_guest::FailureKind;
use sendbox_guest::testing::{self, Deviation, message, response};
use serde_json::{Value, json};

fn settings(templates: &Value) -> Value {
    json!({"username": "user", "passwordOrApiKey": "s3cret", "templates": templates})
}

fn generic() -> Value {
    settings(&json!([{"usageType": "Generic", "content": "{{code}}"}]))
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<SmsBao>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<SmsBao>(&[(
        "render-quirk_prototype_keys",
        Deviation::Url(concat!(
            "https://api.smsbao.com/sms?u=user1&p=d41d8cd98f00b204e9800998ecf8427e&m=13800138000",
            "&c=%7B%7Bconstructor%7D%7D%7C%7B%7BtoString%7D%7D%7C%7B%7B__proto__%7D%7D%7C",
            "%7B%7BhasOwnProperty.name%7D%7D%7C%7B%7BvalueOf.x%7D%7D",
        )),
    )]);
}

#[test]
fn every_code_inside_a_200_has_its_kind() {
    let message = message("13800138000", "SignIn", &json!({"code": "1"}));
    for (body, kind) in [
        ("30", FailureKind::Unauthorized),
        ("40", FailureKind::Unauthorized),
        ("41\n", FailureKind::Throttled),
        ("43", FailureKind::Unauthorized),
        ("50", FailureKind::Rejected),
        ("51", FailureKind::Rejected),
        ("99", FailureKind::InvalidSettings),
        ("00", FailureKind::Unknown),
        ("", FailureKind::Unknown),
        ("<html>", FailureKind::Unknown),
    ] {
        let sent = testing::send::<SmsBao>(&generic(), &message, response(200, &[], body));
        let failure = sent.unwrap_err();
        assert_eq!(failure.kind, kind, "{body}");
        assert_eq!(failure.code.as_deref(), Some(body.trim()));
    }
}

#[test]
fn without_a_template_of_its_own_and_without_generic_nothing_is_sent() {
    let settings = settings(&json!([{"usageType": "SignIn", "content": "{{code}}"}]));
    let message = message("13800138000", "BindMfa", &json!({"code": "1"}));
    let failure = testing::request::<SmsBao>(&settings, &message).unwrap_err();
    assert_eq!(failure.kind, FailureKind::TemplateNotFound);
}

#[test]
fn settings_that_cannot_work_name_their_field() {
    let message = message("13800138000", "SignIn", &json!({"code": "1"}));
    for templates in [json!([]), json!([{"usageType": "SignIn", "content": ""}])] {
        let settings = settings(&templates);
        assert!(!testing::schema_accepts::<SmsBao>(&settings));
        let failure = testing::request::<SmsBao>(&settings, &message).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidSettings);
        assert!(failure.message.starts_with("templates: "), "{failure:?}");
    }
}

#[test]
fn debug_of_the_request_shows_neither_secret_nor_recipient() {
    let message = message("13800138000", "SignIn", &json!({"code": "123456"}));
    let request = testing::request::<SmsBao>(&generic(), &message).unwrap();
    assert_eq!(format!("{request:?}"), "GET https://api.smsbao.com/sms");
}
