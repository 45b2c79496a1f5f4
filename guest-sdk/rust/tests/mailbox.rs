//! The recorded mailbox functions of the peer's connector kit, and what values become in a mail.

use sendbox_guest::mailbox::without_controls;
use sendbox_guest::testing::{message, vectors};
use sendbox_guest::{Content, ContentType, Mailbox, Message, settings};
use serde_json::{Value, json};

fn parsed(args: &Value) -> Value {
    let argument = |index: usize| args[index].as_str().unwrap_or_default();
    let mailbox = Mailbox::parse(argument(0), argument(1), argument(2));
    if mailbox.name.is_empty() {
        json!({"email": mailbox.address})
    } else {
        json!({"email": mailbox.address, "name": mailbox.name})
    }
}

#[test]
fn mailboxes_are_read_and_written_as_the_peer_does() {
    for row in vectors("mailbox.jsonl") {
        let args = &row["args"];
        let text = args[0].as_str().unwrap();
        let seen = match row["fn"].as_str().unwrap() {
            "parseSendFrom" => parsed(args),
            "formatMailbox" => {
                let mailbox = Mailbox::new(text, args[1].as_str().unwrap_or_default());
                json!(mailbox.to_string())
            }
            "sanitizeMailboxDisplayName" => json!(Mailbox::new("", text).name),
            "stripHeaderControlChars" => json!(without_controls(text)),
            other => json!(format!("unknown function {other}")),
        };
        assert_eq!(seen, row["expect"], "{}", row["id"]);
    }
}

#[test]
fn a_line_break_cannot_leave_the_sender() {
    let mailbox = Mailbox::parse(
        "Evil\r\nBcc: x@y.example <a\n@b.example>",
        "c@d.example",
        "",
    );
    assert_eq!(mailbox.to_string(), "EvilBcc: x@y.example <a@b.example>");
}

/// What people may choose who ask for a message.
fn chosen(send_from: &str, reply_to: &str) -> Message {
    let payload = json!({"code": "123456", "name": "<a href=\"https://evil.test\">ceo@bank.test</a>, V\u{202e} <v@evil.test>", "mail": "v@evil.test"});
    Message {
        content: Some(Content {
            subject: "{{name}}".into(),
            body: "<p title=\"{{name}}\">{{code}}</p>".into(),
            content_type: ContentType::Html,
            text: Some("{{name}}".into()),
            reply_to: Some(reply_to.into()),
            send_from: Some(send_from.into()),
        }),
        ..message("alice@example.net", "SignIn", &payload)
    }
}

#[test]
fn a_value_is_a_name_and_never_an_address() {
    let shown = "a href= https //evil.test ceo bank.test /a V v evil.test";
    for (template, sender, text) in [
        (
            "{{name}}",
            format!("{shown} <own@x.test>"),
            Some(shown.to_owned()),
        ),
        (
            "{{mail}}",
            "v evil.test <own@x.test>".into(),
            Some("v evil.test".into()),
        ),
        (
            "{{name}} <team@x.test>",
            format!("{shown} <team@x.test>"),
            Some(format!("{shown} <team@x.test>")),
        ),
        (
            "Team <{{mail}}>",
            "Team <own@x.test>".into(),
            Some("Team".into()),
        ),
        ("<{{mail}}>", "Own <own@x.test>".into(), None),
        ("{{code}}@x.test", "Own <own@x.test>".into(), None),
        (
            "Team <team+{{code}}@x.test>",
            "Team <own@x.test>".into(),
            Some("Team".into()),
        ),
        (
            "{{name}}, {{mail}}",
            format!("{shown}, v evil.test <own@x.test>"),
            Some(format!("{shown}, v evil.test")),
        ),
        (
            "Team <team@x.test>",
            "Team <team@x.test>".into(),
            Some("Team <team@x.test>".into()),
        ),
    ] {
        let message = chosen(template, "");
        assert_eq!(
            message.sender("own@x.test", "Own").to_string(),
            sender,
            "{template}"
        );
        assert_eq!(message.content().unwrap().send_from, text, "{template}");
    }
    for (template, expected) in [
        ("{{mail}}", None),
        ("{{name}}", None),
        ("Help <{{mail}}>", None),
        ("help+{{code}}@x.test", None),
        (
            "Help {{mail}} <help@x.test>",
            Some("Help v evil.test <help@x.test>"),
        ),
        ("help@x.test", Some("help@x.test")),
    ] {
        let message = chosen("", template);
        assert_eq!(message.reply_to().as_deref(), expected, "{template}");
        assert_eq!(
            message.content().unwrap().reply_to.as_deref(),
            expected,
            "{template}"
        );
    }
}

#[test]
fn a_value_is_text_in_html_and_never_markup() {
    let message = chosen("", "");
    let escaped = "&lt;a href=&quot;https://evil.test&quot;&gt;ceo@bank.test&lt;/a&gt;, V\u{202e} &lt;v@evil.test&gt;";
    let plain = message.render("{{name}}");
    let content = message.content().unwrap();
    assert_eq!(content.body, format!("<p title=\"{escaped}\">123456</p>"));
    assert_eq!(content.text.as_deref(), Some(plain.as_str()));
    assert_eq!(
        message.content_as(ContentType::Plain).unwrap().body,
        format!("<p title=\"{plain}\">123456</p>")
    );
    let peer = Message {
        unescaped_html: true,
        ..message
    };
    assert_eq!(
        peer.content().unwrap().body,
        format!("<p title=\"{plain}\">123456</p>")
    );
    for (settings, unescaped) in [
        (r#"{"unescapedHtml":true}"#, true),
        (r#"{"unescapedHtml":false}"#, false),
        (r#"{"a":"\"unescapedHtml\":true"}"#, false),
        (r#"{"a":{"unescapedHtml":true}}"#, false),
        ("{}", false),
    ] {
        assert_eq!(settings::unescaped_html(settings), unescaped, "{settings}");
    }
}
