//! Replays the recorded peer, and what it does not cover.

use super::MailJunky;
use super::text::plain;
use sendbox_guest::testing::{self, Deviation, message, response};
use sendbox_guest::{Failure, FailureKind};
use serde_json::{Value, json};

/// Inherited names count as missing.
macro_rules! inherited {
    () => {
        "{{constructor}}|{{toString}}|{{__proto__}}|{{hasOwnProperty.name}}|{{valueOf.x}}"
    };
}

fn settings() -> Value {
    let template = |usage_type: &str| {
        json!({
            "usageType": usage_type,
            "subject": "Hello {{name}}",
            "content": "<p>{{code}}</p>",
        })
    };
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    json!({
        "apiKey": "mj_live_key",
        "fromEmail": "noreply@example.com",
        "templates": usage_types.map(template),
    })
}

fn failure(status: u16, body: &Value) -> Failure {
    let message = message("alice@example.net", "SignIn", &json!({}));
    let answer = response(status, &[("retry-after", "5")], &body.to_string());
    testing::send::<MailJunky>(&settings(), &message, answer).unwrap_err()
}

#[test]
fn it_says_of_itself_what_the_contract_asks_for() {
    testing::check_about::<MailJunky>();
}

#[test]
fn it_does_what_the_peer_does() {
    testing::replay::<MailJunky>(&[
        (
            "to-crlf_injection",
            Deviation::Refused(FailureKind::Rejected),
        ),
        (
            "render-quirk_prototype_keys",
            Deviation::Body("/value/subject", concat!("S: ", inherited!())),
        ),
        (
            "render-quirk_prototype_keys",
            Deviation::Body("/value/html", inherited!()),
        ),
        (
            "render-quirk_prototype_keys",
            Deviation::Body("/value/text", inherited!()),
        ),
    ]);
}

#[test]
fn a_template_without_a_type_is_html() {
    let message = message("alice@example.net", "SignIn", &json!({"code": "123456"}));
    let request = testing::request::<MailJunky>(&settings(), &message).unwrap();
    let mail: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(mail["html"], "<p>123456</p>");
    assert_eq!(mail["text"], "123456");
    assert!(testing::schema_accepts::<MailJunky>(&settings()));
}

#[test]
fn the_receipt_carries_the_message_id() {
    let message = message("alice@example.net", "SignIn", &json!({}));
    let body = r#"{"id":"email_abc123","message_id":"<1@example.com>","status":"sent"}"#;
    let sent = testing::send::<MailJunky>(&settings(), &message, response(200, &[], body));
    let receipt = sent.unwrap();
    assert_eq!(receipt.provider_message_id.as_deref(), Some("email_abc123"));
    assert_eq!(receipt.detail.as_deref(), Some("sent"));
}

#[test]
fn a_success_that_carries_an_error_is_a_failure() {
    for body in [
        json!({"status": "failed", "message": "bounced: alice@example.net"}),
        json!({"error": "bounced: alice@example.net"}),
        json!({"error": {"message": "bounced: alice@example.net"}}),
    ] {
        let failure = failure(200, &body);
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert_eq!(failure.message, "bounced: …");
    }
}

#[test]
fn the_status_decides_but_for_a_sender_that_is_not_verified() {
    for (status, words, kind) in [
        (400, "to is invalid", FailureKind::Rejected),
        (401, "Invalid API key", FailureKind::Unauthorized),
        (403, "Forbidden", FailureKind::Unauthorized),
        (403, "Domain not verified", FailureKind::InvalidSettings),
        (429, "Too many requests", FailureKind::Throttled),
        (500, "internal", FailureKind::Unknown),
        (503, "maintenance", FailureKind::Unavailable),
    ] {
        let failure = failure(status, &json!({"error": words}));
        assert_eq!(failure.kind, kind, "{words}");
        assert_eq!(failure.message, words);
        assert_eq!(failure.retry_after, Some(5000));
    }
}

#[test]
fn html_becomes_readable_text() {
    for (html, text) in [
        (
            "<h1>Hi</h1><p>Your <b>code</b>: 1</p><a href=\"https://x.y/z\">link</a><ul><li>a</li></ul>",
            "HI\n\nYour code: 1\n\nlink [https://x.y/z]\n * a",
        ),
        ("a<br>b<br/>c</br>d", "a\nb\nc\nd"),
        ("<p>one<p>two", "one\n\ntwo"),
        ("<ol start=9><li>a<li>b<br>c</ol>", " 9.  a\n 10. b\n     c"),
        (
            "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>",
            " * a\n   * b\n * c",
        ),
        (
            "a<hr>b",
            "a\n\n----------------------------------------\n\nb",
        ),
        (
            "<a href='https://x.y'>https://x.y</a> <a href=\"mailto:a@b.c\">a@b.c</a> <a href=#top>top</a> <a href=https://x.y></a>",
            "https://x.y a@b.c top https://x.y",
        ),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", " a\n \n b"),
        (
            "&copy;&#128512;&#x41;&euro;&apos;&thetasym; &no; & &#x; &#0;",
            "©😀A€'ϑ &no; & &#x; \u{fffd}",
        ),
        ("1 < 2 &amp;&amp; 3 > 2", "1  2 && 3  2"),
    ] {
        assert_eq!(plain(html), text, "{html}");
    }
}

#[test]
fn what_is_not_shown_is_not_in_the_text() {
    for (html, text) in [
        ("<title>T</title><body>b</body>after", "b"),
        ("a<!-- <b>x</b> -->b<!doctype html><?xml?>c", "abc"),
        (
            "a<style>p > a {}</style><SCRIPT>if (a</b) x()</script >b",
            "ab",
        ),
        ("a<img src=x alt=y>b", "ab"),
        ("Hello <b", "Hello"),
        ("Hello <b title=\"x", "Hello"),
        ("Hello <script", "Hello script"),
        ("</ ><>a</b>", "a"),
    ] {
        assert_eq!(plain(html), text, "{html}");
    }
}

#[test]
fn markup_without_an_end_ends() {
    let deep = "<div><a href=x><li>".repeat(5000);
    assert!(plain(&deep).len() < 100_000);
}
