//! The connector `smtp`, through sandbox and egress, against a real mail server: what arrives is what was
//! asked for, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sendbox::connector::{Call, EngineConfig, GuestClock};
use sendbox::egress::{
    CapturedMail, Egress, EgressConfig, EgressPolicy, EgressScope, PortRange, Transport,
};
use sendbox::id::Digest;
use sendbox::limits::Limits;
use sendbox::message::OutgoingMessage;
use sendbox::outcome::{FailureKind, Progress};
use sendbox::replay::ReplayedMail;
use sendbox::settings::PreparedSettings;
use sendbox::source::EgressSource;
use sendbox_tests::certificates::Authority;
use sendbox_tests::postfix::Postfix;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::egress_kit::{HOST, live, test_names};
use crate::sandbox::runtime;

const PASSWORD: &str = "p@ss wörd";
const MAILBOX: &str = "b@y.test";
const BODY: &str = "Hällo {{code}}\n.\nMAIL FROM:<x@evil.test>\r\n.leading\r\n=3D end";

fn config(server: &Postfix, authority: &Authority) -> EgressConfig {
    EgressConfig {
        allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
        ports: [server.starttls, server.tls].map(PortRange::one).to_vec(),
        hosts: BTreeMap::from([(HOST.to_owned(), vec!["127.0.0.1".parse().unwrap()])]),
        extra_roots: Some(authority.file()),
        ..test_names()
    }
}

fn settings(port: u16, more: &Value) -> Value {
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    let mut settings = json!({
        "host": HOST,
        "port": port,
        "auth": {"user": "apikey", "pass": PASSWORD},
        "fromEmail": "Wörld, Inc. <noreply@x.test>",
        "templates": usage_types.map(|usage_type| json!({
            "usageType": usage_type, "contentType": "text/plain",
            "subject": "Ihr Code: {{code}} 🌍", "content": BODY,
        })),
    });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings
}

fn scope(
    egress: &Arc<Egress>,
    policy: EgressPolicy,
    placeholders: &sendbox::settings::Placeholders,
) -> EgressScope {
    let source: EgressSource = serde_json::from_value(json!({
        "name": "own", "address": "127.0.0.7", "ehlo_name": "out.x.test",
    }))
    .unwrap();
    EgressScope::new(
        Transport::Live(Arc::clone(egress)),
        "acme".parse().unwrap(),
        "mail".parse().unwrap(),
        1,
        Some(source),
        Arc::new(policy),
        placeholders.clone(),
        Arc::new(Limits::default()),
        Instant::now() + Duration::from_secs(15),
        None,
    )
}

/// Until so many messages were delivered.
async fn delivered(server: &Postfix, count: usize) -> Vec<String> {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_000 {
        ticks.tick().await;
        let mails = server.delivered();
        if mails.len() >= count {
            return mails;
        }
    }
    panic!("{count} messages were not delivered in time");
}

#[tokio::test]
async fn postfix_gets_each_message_once_as_it_was_asked_for() {
    let authority = Authority::new();
    let Some(server) = Postfix::start(&authority, HOST, MAILBOX, "apikey", PASSWORD) else {
        return;
    };
    let egress = live(&config(&server, &authority));
    let runtime = runtime(EngineConfig::default());
    let (_, bytes) = connector_bundle::BUNDLED
        .iter()
        .find(|(id, _)| *id == "smtp")
        .unwrap();
    let bytes = Bytes::from_static(bytes);
    let connector = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
    let send = async |settings: Value, to: &str| {
        assert_eq!(connector.schema.problems(&settings), []);
        let policy = EgressPolicy::new(egress.ceiling(), None, &connector.info.hosts, &settings);
        let (settings, secrets) = connector.schema.split(settings);
        let prepared = PreparedSettings::new(settings, &secrets, &connector.info.secret_grants);
        let (settings, placeholders) = prepared.fill([7; 16]);
        let call = Call {
            settings,
            message: OutgoingMessage {
                recipient: to.to_owned(),
                usage_type: "SignIn".to_owned(),
                payload: r#"{"code":"123456"}"#.to_owned(),
                locale: None,
                client_ip: None,
                content: None,
                idempotency_key: "0199-one".to_owned(),
                expires_in: Duration::from_secs(600),
            },
            egress: Arc::new(scope(&egress, policy.unwrap(), &placeholders)),
            placeholders,
            limits: Arc::new(Limits::default()),
            deadline: Instant::now() + Duration::from_secs(15),
            clock: GuestClock::System,
        };
        runtime.call(&connector, call).await
    };

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
        let report = send(settings(*port, more), MAILBOX).await;
        assert!(
            report.result.is_ok(),
            "{more} {:?}\n{}",
            report.result,
            server.log()
        );
        let exchange = &report.wire.exchanges[0];
        assert_eq!(
            (exchange.progress, exchange.status),
            (Progress::Answered, Some(250))
        );
        let mails = delivered(&server, count + 1).await;
        assert_eq!(mails.len(), count + 1);
    }
    for text in server.delivered() {
        let mail = ReplayedMail::from(&CapturedMail {
            data: Some(text.clone().into_bytes()),
            ..CapturedMail::default()
        });
        let header = |wanted: &str| {
            let mut headers = mail.headers.iter().filter(|(name, _)| name == wanted);
            let value = headers.next().map(|(_, value)| value.clone());
            assert!(headers.next().is_none(), "{wanted} stands twice");
            value.unwrap_or_default()
        };
        assert_eq!(header("Return-Path"), "<noreply@x.test>");
        assert_eq!(header("Delivered-To"), MAILBOX);
        assert!(
            header("Received").starts_with("from out.x.test (unknown [127.0.0.7])"),
            "{text}"
        );
        assert_eq!(header("Subject"), "Ihr Code: 123456 🌍");
        assert_eq!(
            header("From").replace('"', ""),
            "Wörld, Inc. <noreply@x.test>"
        );
        assert_eq!(header("Message-ID"), "<0199-one@x.test>");
        let body = mail.text.unwrap().replace("\r\n", "\n");
        let asked = BODY.replace("{{code}}", "123456").replace("\r\n", "\n");
        assert_eq!(body.trim_end(), asked);
    }

    let refusals = [
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
        let failure = send(settings(server.starttls, &more), to)
            .await
            .result
            .unwrap_err();
        assert_eq!(failure.kind, kind, "{}", failure.message);
        assert!(!failure.message.contains(PASSWORD));
    }
    assert_eq!(server.delivered().len(), ways.len());
}
