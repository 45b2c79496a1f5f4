//! Replays the recorded peer, and what it does not cover.

use super::Mailgun;
use sendbox_guest::testing::{self, Deviation, message, response};
use sendbox_guest::{Failure, FailureKind};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({
        "domain": "mg.example.com",
        "apiKey": "key",
        "from": "Example <noreply@mg.example.com>",
        "deliveries": {"Generic": {"subject": "Hello {{name}}", "html": "{{code}}"}},
    })
}

fn with(field: &str, value: &str) -> Value {
    let mut settings = settings();
    settings[field] = json!(value);
    settings
}

fn failure(status: u16, words: &str) -> Failure {
    let answer = response(status, &[], &json!({"message": words}).to_string());
    testing::answered::<Mailgun>(&settings(), answer).unwrap_err()
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<Mailgun>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<Mailgun>(&[
        // A value becomes no address.
        (
            "i18n-sendfrom-variable-unicode",
            Deviation::Body("/pairs/0/1", "Wörld 🌍 <noreply@mg.example.com>"),
        ),
        (
            "i18n-sendfrom-quotes-brackets",
            Deviation::Body("/pairs/0/1", "Org Q X <team@acme.example>"),
        ),
        ("i18n-replyto-variable", Deviation::Without("/pairs/3")),
        (
            "i18n-sendfrom-crlf",
            Deviation::Body("/pairs/0/1", "Evil Bcc: x@example.org <team@acme.example>"),
        ),
        testing::inherited_subject("/pairs/2/1"),
        testing::inherited("/pairs/3/1"),
    ]);
}

#[test]
fn the_receipt_carries_the_message_id() {
    let accepted = r#"{"id":"<1@mg.example.com>","message":"Queued. Thank you."}"#;
    let sent = testing::answered::<Mailgun>(&settings(), response(200, &[], accepted));
    let receipt = sent.unwrap();
    let id = receipt.provider_message_id.as_deref();
    assert_eq!(id, Some("<1@mg.example.com>"));
    assert_eq!(receipt.detail.as_deref(), Some("Queued. Thank you."));
}

#[test]
fn the_region_is_where_the_endpoint_says() {
    let message = message("alice@example.net", "SignIn", &json!({}));
    for (endpoint, url) in [
        (
            "https://api.eu.mailgun.net",
            "https://api.eu.mailgun.net/v3/mg.example.com/messages",
        ),
        (
            "https://api.mailgun.net",
            "https://api.mailgun.net/v3/mg.example.com/messages",
        ),
    ] {
        let request = testing::request::<Mailgun>(&with("endpoint", endpoint), &message).unwrap();
        assert_eq!(request.url, url);
    }
}

#[test]
fn the_key_goes_to_no_other_host() {
    let message = message("alice@example.net", "SignIn", &json!({}));
    for endpoint in [
        "https://api.mailgun.net.evil.example",
        "https://evil.example/x.mailgun.net",
        "https://evil.example?.mailgun.net",
        "https://evil.example#.mailgun.net",
        "https://evilmailgun.net",
        "https://api.mailgun.net/",
        "api.mailgun.net",
        "",
    ] {
        let settings = with("endpoint", endpoint);
        let failure = testing::request::<Mailgun>(&settings, &message).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidSettings, "{endpoint}");
        assert!(failure.message.starts_with("endpoint: "), "{endpoint}");
        assert!(!testing::schema_accepts::<Mailgun>(&settings), "{endpoint}");
    }
}

#[test]
fn a_domain_is_one_segment_of_the_path() {
    let message = message("alice@example.net", "SignIn", &json!({}));
    let request = testing::request::<Mailgun>(&with("domain", "a/../b?c"), &message).unwrap();
    assert_eq!(
        request.url,
        "https://api.mailgun.net/v3/a%2F..%2Fb%3Fc/messages"
    );
    let failure = testing::request::<Mailgun>(&with("domain", ".."), &message).unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
}

#[test]
fn a_delivery_without_html_and_template_names_its_field() {
    let mut settings = settings();
    settings["deliveries"]["SignIn"] = json!({"subject": "x"});
    let message = message("alice@example.net", "SignIn", &json!({}));
    let failure = testing::request::<Mailgun>(&settings, &message).unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSettings);
    assert!(
        failure.message.contains("html or template"),
        "{}",
        failure.message
    );
    assert!(!testing::schema_accepts::<Mailgun>(&settings));
}

#[test]
fn a_name_with_a_line_break_cannot_leave_the_subject() {
    let payload = json!({"name": "A\r\nBcc: x@example.org"});
    let message = message("alice@example.net", "SignIn", &payload);
    let request = testing::request::<Mailgun>(&settings(), &message).unwrap();
    let body = String::from_utf8(request.body).unwrap();
    assert!(body.contains("subject=Hello+A+Bcc%3A+x%40example.org"));
}

#[test]
fn the_words_of_a_refusal_decide_where_the_status_does_not() {
    use FailureKind::*;
    let to = "to parameter is not a valid address. please check documentation";
    let from = to.replacen("to", "from", 1);
    let domain = "Domain mg.example.com is not allowed to send: ";
    let unverified = format!("{domain}The domain is unverified and requires DNS configuration.");
    let limited = format!("{domain}recipient limit exceeded. Try again after …");
    let sandbox = "Sandbox subdomains are for test purposes only.";
    for (status, words, kind) in [
        (400, to, Rejected),
        (400, &from, InvalidSettings),
        (400, "template 'sign-in' not found", TemplateNotFound),
        (401, "Invalid private key", Unauthorized),
        (402, "The account has reached its limit", Throttled),
        (403, &unverified, InvalidSettings),
        (403, &limited, Throttled),
        (403, sandbox, InvalidSettings),
        (403, "Forbidden", Unauthorized),
        (404, "Domain not found: mg.example.com", InvalidSettings),
        (429, "Too many requests", Throttled),
        (500, "Internal Server Error", Unknown),
        (503, "Unavailable", Unavailable),
    ] {
        let failure = failure(status, words);
        assert_eq!(failure.kind, kind, "{words}");
        assert_eq!(failure.message, words);
        assert_eq!(failure.code, Some(status.to_string()));
    }
}

#[test]
fn a_throttled_answer_keeps_its_delay() {
    let answer = response(429, &[("retry-after", "60")], "slow down");
    let failure = testing::answered::<Mailgun>(&settings(), answer).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Throttled);
    assert_eq!(failure.retry_after, Some(60_000));

    let words = "Domain mg.example.com is not allowed to send: recipient limit exceeded. \
        Try again after Sun, 06 Nov 1994 09:49:37 GMT";
    let headers = [("date", "Sun, 06 Nov 1994 08:49:37 GMT")];
    let answer = response(403, &headers, &json!({"message": words}).to_string());
    let failure = testing::answered::<Mailgun>(&settings(), answer).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Throttled);
    assert_eq!(failure.retry_after, Some(3_600_000));
}

#[test]
fn a_text_of_the_tenants_own_goes_in_both_forms() {
    let request = testing::request::<Mailgun>(&settings(), &testing::mail_in_both_forms());
    let form = String::from_utf8(request.unwrap().body).unwrap();
    assert!(form.contains("html=%3Cp%3E123456%3C%2Fp%3E"), "{form}");
    assert!(form.contains("text=123456%21"), "{form}");
}
