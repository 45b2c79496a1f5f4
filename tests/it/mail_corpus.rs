//! Every shared bad input that concerns mail gets the verdict that it names, through the connector `smtp` in
//! its sandbox and through the egress floor alone, controls included.

use std::sync::Arc;
use std::time::Duration;

use mail_parser::{HeaderForm, Message, MessageParser};
use sendbox::connector::CallReport;
use sendbox::egress::{
    Capture, CapturedMail, Ceiling, EgressConfig, EgressError, PortRange, SmtpAuth, SmtpEnvelope,
    SmtpError, SmtpReply, SmtpSecurity, SmtpServer, SmtpSubmission, Transport,
};
use sendbox::message::OutgoingMessage;
use sendbox::outcome::{Failure, FailureKind, Progress};
use sendbox_tests::certificates::Authority;
use sendbox_tests::mail_peer::{Line, MailPeer, Say, reply, usual};
use serde_json::{Value, json};

use crate::egress_kit::{HOST, Send, bad_inputs, live, test_names};
use crate::mail_kit::{Bundled, code_for, mail_peer_host, smtp_settings, text_for};

/// What a mail of [`Bundled`] has besides the headers of the case.
const HEADERS: [&str; 8] = [
    "From",
    "To",
    "Subject",
    "Message-ID",
    "Date",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// A recorded server on the port of submissions.
fn recorded() -> (Arc<Capture>, EgressConfig) {
    let config = EgressConfig {
        ports: vec![PortRange::one(587)],
        ..test_names()
    };
    (Arc::new(Capture::new(Vec::new())), config)
}

/// One submission by the egress floor alone.
async fn submit(
    envelope: SmtpEnvelope,
    data: &str,
) -> (Result<SmtpReply, SmtpError>, Vec<CapturedMail>) {
    let (capture, config) = recorded();
    let scope = Send::default().captured(&capture, &config);
    let submission = SmtpSubmission {
        server: SmtpServer {
            host: HOST.to_owned(),
            port: 587,
            security: SmtpSecurity::StartTls,
            server_name: None,
            auth: SmtpAuth::None,
            name: None,
            local_address: None,
            connect_timeout: None,
            command_timeout: None,
        },
        envelope,
        data: data.to_owned().into(),
    };
    (scope.smtp(submission).await, capture.mails())
}

/// One send of the connector to a recorded server.
async fn compose(
    smtp: &Bundled,
    settings: Value,
    message: OutgoingMessage,
) -> (CallReport, Vec<CapturedMail>) {
    let (capture, config) = recorded();
    let ceiling = Arc::new(Ceiling::new(&config).unwrap());
    let transport = Transport::Capture(Arc::clone(&capture));
    let send = Send::default();
    let report = smtp
        .call(&send, transport, &ceiling, settings, message)
        .await;
    (report, capture.mails())
}

fn settings(subject: &str, more: &Value) -> Value {
    smtp_settings(587, subject, "{{code}}", more)
}

fn refused(report: CallReport) -> Failure {
    report.result.expect_err("a failure")
}

#[tokio::test]
async fn no_malformed_envelope_reaches_a_server() {
    let smtp = Bundled::new("smtp").await;
    let envelope = |from: &str, to: Vec<String>| SmtpEnvelope {
        mail_from: from.to_owned(),
        rcpt_to: to,
    };
    for (id, input, expect) in bad_inputs("smtp-envelope") {
        let from = input["from"].as_str();
        let to: Vec<String> = match &input["rcpt"] {
            Value::Null => vec!["b@y.test".to_owned()],
            Value::String(path) => vec![path.clone()],
            list => serde_json::from_value(list.clone()).unwrap(),
        };
        let words = match expect.as_str() {
            "deny:envelope" => "an address of the envelope is malformed",
            "limit:recipients 10" => "an envelope may have 10 recipients",
            other => panic!("{id}: unknown verdict {other}"),
        };
        let (result, mails) = submit(envelope(from.unwrap_or("a@x.test"), to.clone()), "x").await;
        assert_eq!(
            result,
            Err(EgressError::Invalid(words.to_owned()).into()),
            "{id}"
        );
        assert!(mails.is_empty(), "{id}");
        // A guest of the bundle does not even ask.
        let [to] = to.as_slice() else { continue };
        let more = from.map_or(json!({}), |from| json!({ "fromEmail": from }));
        let (report, mails) = compose(&smtp, settings("Code", &more), code_for(to)).await;
        assert!(report.result.is_err() && mails.is_empty(), "{id}");
    }
    let ten = (0..10).map(|at| format!("u{at}@x.test")).collect();
    let (result, mails) = submit(envelope("a@x.test", ten), "x").await;
    assert!(result.is_ok());
    assert_eq!(mails[0].rcpt_to.len(), 10);
    for to in ["a.b+c@x.test", "\"a b\"@x.test"] {
        let (report, mails) = compose(&smtp, settings("Code", &json!({})), code_for(to)).await;
        assert!(report.result.is_ok(), "{to}: {:?}", report.result);
        assert_eq!(mails[0].rcpt_to, [format!("<{to}>")]);
    }
}

/// The one mail that was handed over, with its text.
fn one(id: &str, mails: &[CapturedMail]) -> String {
    let [mail] = mails else {
        panic!("{id}: {} mails", mails.len());
    };
    assert_eq!(mail.rcpt_to, ["<b@y.test>"], "{id}");
    String::from_utf8(mail.data.clone().expect("handed over")).unwrap()
}

fn parsed<'m>(id: &str, text: &'m str) -> Message<'m> {
    let longest = text.split("\r\n").map(str::len).max();
    assert!(longest <= Some(998), "{id}: a line of {longest:?}");
    MessageParser::default().parse(text).expect("a mail")
}

/// Each header stands once, and none came in by another's value.
fn has_its_own_headers(id: &str, mail: &Message<'_>, more: &[&str]) {
    let mut names: Vec<_> = mail.headers().iter().map(|header| header.name()).collect();
    let mut expected = [&HEADERS, more].concat();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "{id}");
}

#[tokio::test]
async fn a_header_is_refused_or_stands_alone_as_it_was_given() {
    let smtp = Bundled::new("smtp").await;
    for (id, input, expect) in bad_inputs("smtp-header") {
        let text = |field: &str| input[field].as_str().map(str::to_owned);
        let mut subject = text("subject").unwrap_or_else(|| "Code".to_owned());
        let mut message = code_for("b@y.test");
        let mut more = json!({});
        if input["subject_var"].is_string() {
            subject = "Code {{code}}".to_owned();
            message.payload = json!({"code": "1\r\nBcc: v@evil.test"}).to_string();
        } else if let Some(name) = text("from_name") {
            more = json!({ "fromEmail": format!("{name} <noreply@x.test>") });
        } else if let Some(header) = input["header"].as_array() {
            more = json!({ "customHeaders": { header[0].as_str().unwrap(): header[1] } });
        } else {
            assert!(input["subject"].is_string(), "{id}: unknown input");
        }
        let (report, mails) = compose(&smtp, settings(&subject, &more), message).await;
        match expect.split([' ', ',']).next().unwrap() {
            "deny:header-name" => {
                assert_eq!(refused(report).kind, FailureKind::InvalidSettings, "{id}");
                assert!(mails.is_empty(), "{id}");
            }
            // Text that would end a header is put on its one line: none begins another.
            "deny:header-value" => {
                let text = one(&id, &mails);
                let mail = parsed(&id, &text);
                has_its_own_headers(&id, &mail, &[]);
                let told = format!("{:?} {:?}", mail.subject(), mail.from());
                assert!(told.contains("v@evil.test"), "{id}: {told}");
                assert!(!told.contains(['\r', '\n']), "{id}: {told}");
            }
            "normalize:" => {
                let text = one(&id, &mails);
                assert_eq!(parsed(&id, &text).subject(), Some(subject.as_str()), "{id}");
            }
            other => panic!("{id}: unknown verdict {other}"),
        }
    }
    let more = json!({"customHeaders": {"X-A": "b", "X-Ü": "c"}});
    let (report, _) = compose(&smtp, settings("Grüße", &more), code_for("b@y.test")).await;
    assert_eq!(refused(report).kind, FailureKind::InvalidSettings);
    let more = json!({"customHeaders": {"X-A": "b ü"}});
    let (_, mails) = compose(&smtp, settings("Grüße", &more), code_for("b@y.test")).await;
    let text = one("control", &mails);
    let mail = parsed("control", &text);
    has_its_own_headers("control", &mail, &["X-A"]);
    assert_eq!(mail.subject(), Some("Grüße"));
    let own = mail.header_as("X-A", HeaderForm::Text);
    let own: Vec<_> = own.iter().filter_map(|own| own.as_text()).collect();
    assert_eq!(own, ["b ü"]);
}

#[tokio::test]
async fn a_body_is_one_message_with_the_text_that_was_asked_for() {
    let smtp = Bundled::new("smtp").await;
    let control = (
        "control".to_owned(),
        json!("Grüße\r\n..\r\n"),
        "normalize".to_owned(),
    );
    for (id, input, expect) in bad_inputs("smtp-body").into_iter().chain([control]) {
        assert!(
            expect.starts_with("normalize"),
            "{id}: unknown verdict {expect}"
        );
        let long = input["repeat"].as_str().map(|part| {
            let times = usize::try_from(input["times"].as_u64().unwrap()).unwrap();
            part.repeat(times)
        });
        let body = long
            .clone()
            .unwrap_or_else(|| input.as_str().unwrap().to_owned());
        let lines = |text: &str| -> Vec<String> {
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            text.trim_end().split('\n').map(str::to_owned).collect()
        };
        for content_type in ["text/plain", "text/html"] {
            let content = json!({"subject": "Code", "content": body, "contentType": content_type});
            let content = serde_json::from_value(content).unwrap();
            let (report, mails) = compose(
                &smtp,
                settings("", &json!({})),
                text_for("b@y.test", content),
            )
            .await;
            assert!(report.result.is_ok(), "{id}: {:?}", report.result);
            let text = one(&id, &mails);
            let mail = parsed(&id, &text);
            let found = match content_type {
                "text/plain" => mail.body_text(0),
                _ => mail.body_html(0),
            };
            assert_eq!(lines(&found.unwrap()), lines(&body), "{id}");
        }
        // A guest that encodes nothing.
        let envelope = SmtpEnvelope {
            mail_from: "a@x.test".to_owned(),
            rcpt_to: vec!["b@y.test".to_owned()],
        };
        let (result, mails) = submit(envelope, &body).await;
        if long.is_some() {
            let words = "a line of the message is longer than 998 bytes";
            assert_eq!(
                result,
                Err(EgressError::Invalid(words.to_owned()).into()),
                "{id}"
            );
            assert!(mails.is_empty(), "{id}");
        } else {
            assert!(result.is_ok(), "{id}: {result:?}");
            assert_eq!(lines(&one(&id, &mails)), lines(&body), "{id}");
        }
    }
}

/// What a server does, how it is asked, and what comes of it.
struct Trial {
    say: Box<dyn Fn(&Line) -> Say + std::marker::Send + Sync>,
    /// The name in its certificate; none where it has no TLS.
    certificate: Option<&'static str>,
    settings: Value,
    /// The operator allows plain text.
    clear: bool,
    kind: FailureKind,
    code: &'static str,
    progress: Progress,
    /// What it must have heard last, or its beginning.
    last: &'static str,
}

impl Trial {
    fn new(
        say: impl Fn(&Line) -> Say + std::marker::Send + Sync + 'static,
        kind: FailureKind,
        code: &'static str,
        progress: Progress,
        last: &'static str,
    ) -> Self {
        Self {
            say: Box::new(say),
            certificate: Some(HOST),
            settings: json!({"requireTLS": true}),
            clear: false,
            kind,
            code,
            progress,
            last,
        }
    }

    async fn run(self, id: &str, smtp: &Bundled) -> Failure {
        let authority = Authority::new();
        let acceptor = self.certificate.map(|name| authority.server(name));
        let peer = MailPeer::start(acceptor, false, self.say).await;
        let mut config = mail_peer_host(&peer, &authority);
        if self.clear {
            config.plaintext_hosts = vec![HOST.to_owned()];
        }
        let settings = smtp_settings(peer.address.port(), "Code", "{{code}}", &self.settings);
        let report = smtp
            .send(
                &Send::default(),
                &live(&config),
                settings,
                code_for("b@y.test"),
            )
            .await;
        let lines = peer.lines();
        let secret = |line: &&Line| line.text.starts_with("AUTH") || line.text.starts_with("MAIL");
        assert!(
            lines.iter().filter(secret).all(|line| line.encrypted),
            "{id}"
        );
        let last = lines
            .last()
            .map(|line| line.text.as_str())
            .unwrap_or_default();
        assert!(last.starts_with(self.last), "{id}: {last}");
        let [exchange] = report.wire.exchanges.as_slice() else {
            panic!("{id}: {:?}", report.wire);
        };
        assert_eq!(exchange.progress, self.progress, "{id}");
        let failure = report.result.expect_err("a failure");
        let code = failure.code.as_deref().unwrap_or_default();
        assert_eq!(
            (failure.kind, code),
            (self.kind, self.code),
            "{id}: {}",
            failure.message
        );
        failure
    }
}

/// The usual server, but for what it says after a line that begins so.
fn at(
    word: &'static str,
    said: &'static str,
) -> impl Fn(&Line) -> Say + std::marker::Send + Sync + Copy {
    move |line| match word == line.text || (!word.is_empty() && line.text.starts_with(word)) {
        true if said == "CLOSE" => Say::Close,
        true => reply(said),
        false => usual(line),
    }
}

fn greets(say: Say) -> impl Fn(&Line) -> Say + std::marker::Send + Sync {
    move |line| match line.text.is_empty() {
        true => say.clone(),
        false => usual(line),
    }
}

#[tokio::test]
async fn each_deviation_of_a_server_ends_as_it_must() {
    use FailureKind::{InvalidSettings, Rejected, Unauthorized, Unavailable, Unknown};
    use Progress::{Answered, Complete, Incomplete, NotConnected, Refused};
    let smtp = Bundled::new("smtp").await;
    let clear_offers = "250-mx.test\r\n250 AUTH PLAIN LOGIN";
    for (id, input, _) in bad_inputs("smtp-server") {
        let trial = match id.as_str() {
            "smtp-server-001" => Trial {
                certificate: None,
                ..Trial::new(
                    at("EHLO", clear_offers),
                    Unavailable,
                    "tls",
                    NotConnected,
                    "EHLO",
                )
            },
            "smtp-server-003" => {
                let refuses = at("STARTTLS", "454 4.7.0 not now");
                Trial::new(refuses, Unavailable, "tls", NotConnected, "STARTTLS")
            }
            "smtp-server-004" => {
                let injects = |line: &Line| match line.text.as_str() {
                    "STARTTLS" => Say::StartTls(b"220 go\r\n250 injected\r\n".to_vec()),
                    _ => usual(line),
                };
                Trial::new(injects, Unavailable, "tls", NotConnected, "STARTTLS")
            }
            // Without STARTTLS and with leave for plain text: what is offered does not matter.
            "smtp-server-006" => Trial {
                certificate: None,
                settings: json!({}),
                clear: true,
                ..Trial::new(
                    at("EHLO", clear_offers),
                    Unavailable,
                    "tls",
                    NotConnected,
                    "EHLO",
                )
            },
            "smtp-server-008" => {
                let floods = greets(Say::Endless("220-more\r\n".to_owned()));
                Trial::new(floods, Unavailable, "connect", NotConnected, "")
            }
            "smtp-server-009" => {
                let long = greets(Say::Endless(
                    "220 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
                ));
                Trial::new(long, Unavailable, "connect", NotConnected, "")
            }
            // The time is for the whole greeting, not for each byte; `egress/smtp/session.rs` has its default.
            "smtp-server-010" => Trial {
                settings: json!({"greetingTimeout": 300, "requireTLS": true}),
                ..Trial::new(
                    greets(Say::Drip("220 mx.test".repeat(1_000))),
                    Unavailable,
                    "timeout",
                    NotConnected,
                    "",
                )
            },
            "smtp-server-011" => {
                let busy = greets(reply("421 4.3.2 busy"));
                Trial::new(busy, Unavailable, "4.3.2", NotConnected, "")
            }
            "smtp-server-012" => {
                let greylists = at("RCPT", "450 4.2.0 greylisted");
                Trial::new(greylists, Unavailable, "4.2.0", Answered, "DATA")
            }
            "smtp-server-013" => {
                let unknown = at("RCPT", "550 5.1.1 unknown");
                Trial::new(unknown, Rejected, "5.1.1", Answered, "DATA")
            }
            "smtp-server-015" => {
                let wants = at("AUTH", "530 5.7.0 log in first");
                let trial = Trial::new(wants, Unauthorized, "5.7.0", NotConnected, "AUTH");
                trial.run(&id, &smtp).await;
                let bad = at("AUTH", "535 5.7.8 bad credentials");
                Trial::new(bad, Unauthorized, "5.7.8", NotConnected, "AUTH")
            }
            "smtp-server-016" => Trial::new(
                at("DATA", "CLOSE"),
                Unavailable,
                "connect",
                Incomplete,
                "DATA",
            ),
            "smtp-server-017" => {
                Trial::new(at(".", "CLOSE"), Unknown, "interrupted", Complete, ".")
            }
            "smtp-server-022" => {
                let says = at("RCPT", "550 5.7.1 \u{1b}[31mno\rX-Log: forged");
                let trial = Trial::new(says, Rejected, "5.7.1", Answered, "DATA");
                let failure = trial.run(&id, &smtp).await;
                assert!(!failure.message.contains(char::is_control), "{failure:?}");
                continue;
            }
            "smtp-server-025" => Trial {
                certificate: Some("other.test"),
                ..Trial::new(usual, Unavailable, "tls", NotConnected, "STARTTLS")
            },
            "smtp-server-027" => {
                private_address(&id, &smtp).await;
                continue;
            }
            "smtp-server-028" => Trial {
                settings: json!({"port": 25}),
                ..Trial::new(usual, InvalidSettings, "denied", Refused, "")
            },
            other => panic!("{other} has no test: {input}"),
        };
        trial.run(&id, &smtp).await;
    }
}

/// A server whose name resolves to an address that the operator did not open.
async fn private_address(id: &str, smtp: &Bundled) {
    let authority = Authority::new();
    let peer = MailPeer::start(Some(authority.server(HOST)), false, usual).await;
    let config = EgressConfig {
        allow_addresses: Vec::new(),
        ..mail_peer_host(&peer, &authority)
    };
    let settings = smtp_settings(peer.address.port(), "Code", "{{code}}", &json!({}));
    let report = smtp
        .send(
            &Send::default(),
            &live(&config),
            settings,
            code_for("b@y.test"),
        )
        .await;
    assert_eq!(report.wire.exchanges[0].progress, Progress::Refused, "{id}");
    assert_eq!(refused(report).code.as_deref(), Some("denied"), "{id}");
    assert!(peer.lines().is_empty(), "{id}");
}

#[tokio::test]
async fn a_server_without_a_deviation_takes_the_mail() {
    let smtp = Bundled::new("smtp").await;
    let authority = Authority::new();
    let peer = MailPeer::start(Some(authority.server(HOST)), false, usual).await;
    let settings = smtp_settings(peer.address.port(), "Code", "{{code}}", &json!({}));
    let egress = live(&mail_peer_host(&peer, &authority));
    let send = Send {
        deadline: Duration::from_secs(90),
        ..Send::default()
    };
    let report = smtp
        .send(&send, &egress, settings, code_for("b@y.test"))
        .await;
    assert!(report.result.is_ok(), "{:?}", report.result);
    assert_eq!(report.wire.exchanges[0].status, Some(250));
}
