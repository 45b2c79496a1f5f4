//! The connector `smtp`, through sandbox and egress, against real mail servers: what arrives is what was
//! asked for, once.

use std::sync::Arc;
use std::time::Duration;

use mail_parser::{HeaderForm, MessageParser};
use sendbox::egress::Egress;
use sendbox::outcome::{FailureKind, Progress};
use sendbox_tests::certificates::Authority;
use sendbox_tests::exim::Exim;
use sendbox_tests::mail_folder::Wanted;
use sendbox_tests::postfix::Postfix;
use serde_json::{Value, json};

use crate::egress_kit::{HOST, Send, live};
use crate::mail_kit::{Bundled, code_for, mail_host, smtp_settings};

const PASSWORD: &str = "p@ss wörd";
const MAILBOX: &str = "b@y.test";
const BODY: &str = "Hällo {{code}}\n.\nMAIL FROM:<x@evil.test>\r\n.leading\r\n=3D end";

fn wanted(authority: &Authority) -> Wanted<'_> {
    Wanted {
        authority,
        name: HOST,
        mailbox: MAILBOX,
        user: "apikey",
        password: PASSWORD,
    }
}

/// A server as the tests use it.
struct Running<'s> {
    starttls: u16,
    tls: u16,
    delivered: &'s dyn Fn() -> Vec<String>,
    log: &'s dyn Fn() -> String,
}

impl Running<'_> {
    /// When so many messages were delivered.
    async fn delivered(&self, count: usize) -> Vec<String> {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..1_000 {
            ticks.tick().await;
            let mails = (self.delivered)();
            if mails.len() >= count {
                return mails;
            }
        }
        panic!(
            "{count} messages were not delivered in time: {}",
            (self.log)()
        );
    }
}

#[tokio::test]
async fn postfix_gets_each_message_once_as_it_was_asked_for() {
    let authority = Authority::new();
    let Some(server) = Postfix::start(wanted(&authority)) else {
        return;
    };
    let running = Running {
        starttls: server.starttls,
        tls: server.tls,
        delivered: &|| server.delivered(),
        log: &|| server.log(),
    };
    gets_each_message_once(&running, &authority).await;
}

#[tokio::test]
async fn exim_gets_each_message_once_as_it_was_asked_for() {
    let authority = Authority::new();
    let Some(server) = Exim::start(wanted(&authority)) else {
        return;
    };
    let running = Running {
        starttls: server.starttls,
        tls: server.tls,
        delivered: &|| server.delivered(),
        log: &|| server.log(),
    };
    gets_each_message_once(&running, &authority).await;
}

/// From one source of a pool, with its name.
fn from_source() -> Send {
    Send {
        source: Some("127.0.0.7".parse().unwrap()),
        ehlo_name: Some("out.x.test"),
        ..Send::default()
    }
}

async fn gets_each_message_once(server: &Running<'_>, authority: &Authority) {
    let smtp = Bundled::new("smtp").await;
    let egress = live(&mail_host(&[server.starttls, server.tls], authority));
    let ways = [
        (server.starttls, json!({"requireTLS": true})),
        (server.starttls, json!({"authMethod": "LOGIN"})),
        (
            server.tls,
            json!({"secure": true, "authMethod": "CRAM-MD5"}),
        ),
        (
            server.tls,
            json!({"secure": true, "localAddress": "127.0.0.7"}),
        ),
    ];
    for (count, (port, more)) in ways.iter().enumerate() {
        let settings = smtp_settings(*port, "Ihr Code: {{code}} 🌍", BODY, more);
        let report = smtp
            .send(&from_source(), &egress, settings, code_for(MAILBOX))
            .await;
        let (result, log) = (&report.result, &server.log);
        assert!(result.is_ok(), "{more} {result:?}\n{}", log());
        let exchange = &report.wire.exchanges[0];
        let found = (exchange.progress, exchange.status);
        assert_eq!(found, (Progress::Answered, Some(250)));
        assert_eq!(server.delivered(count + 1).await.len(), count + 1);
    }
    for text in (server.delivered)() {
        is_as_asked_for(&text);
    }
    refuses(server, &smtp, &egress).await;
    assert_eq!((server.delivered)().len(), ways.len());
}

/// Envelope, source, headers and body of a mail as a server kept it.
fn is_as_asked_for(text: &str) {
    let mail = MessageParser::default().parse(text).expect("a mail");
    let header = |name: &'static str, form: HeaderForm| {
        let mut values = mail.header_as(name, form);
        assert_eq!(values.len(), 1, "{name} in {text}");
        values.remove(0)
    };
    let line = |name: &'static str| {
        let value = header(name, HeaderForm::Text);
        value.as_text().unwrap_or_default().to_owned()
    };
    assert_eq!(line("Return-Path"), "<noreply@x.test>");
    let recipient = ["Delivered-To", "Envelope-To"]
        .into_iter()
        .find_map(|name| mail.header_as(name, HeaderForm::Text).pop())
        .and_then(|value| value.as_text().map(str::to_owned));
    assert_eq!(recipient.as_deref(), Some(MAILBOX));
    let received = mail.header_as("Received", HeaderForm::Raw).pop();
    let received = received.and_then(|value| value.as_text().map(str::to_owned));
    let received = received.unwrap_or_default();
    assert!(received.contains("[127.0.0.7]"), "{received}");
    assert!(received.contains("out.x.test"), "{received}");
    assert_eq!(line("Subject"), "Ihr Code: 123456 🌍");
    let from = header("From", HeaderForm::Addresses);
    let from = from.as_address().and_then(|from| from.first()).unwrap();
    assert_eq!(from.name(), Some("Wörld, Inc."));
    assert_eq!(from.address(), Some("noreply@x.test"));
    assert_eq!(line("Message-ID"), "<0199-one@x.test>");
    let lines = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
    let body = mail.body_text(0).unwrap();
    assert_eq!(lines(&body), lines(&BODY.replace("{{code}}", "123456")));
    assert_eq!(mail.parts.len(), 1);
}

async fn refuses(server: &Running<'_>, smtp: &Bundled, egress: &Arc<Egress>) {
    let refusals: [(Value, &str, FailureKind); 3] = [
        (
            json!({"auth": {"user": "apikey", "pass": "wrong"}}),
            MAILBOX,
            FailureKind::Unauthorized,
        ),
        (json!({}), "nobody@y.test", FailureKind::Rejected),
        // A session under TLS on a port that begins in clear, and the other way round.
        (
            json!({"secure": true}),
            MAILBOX,
            FailureKind::InvalidSettings,
        ),
    ];
    for (more, to, kind) in refusals {
        let settings = smtp_settings(server.starttls, "Code", BODY, &more);
        let report = smtp
            .send(&from_source(), egress, settings, code_for(to))
            .await;
        let failure = report.result.unwrap_err();
        assert_eq!(failure.kind, kind, "{}", failure.message);
        assert!(!failure.message.contains(PASSWORD));
    }
}
