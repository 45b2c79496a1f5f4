//! One submission as it stands on the wire: what is said when, what a server's deviations end in, and what
//! is written down.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use sendbox::egress::{
    Egress, EgressConfig, EgressError, SmtpAuth, SmtpEnvelope, SmtpError, SmtpReply, SmtpSecurity,
    SmtpServer, SmtpSubmission,
};
use sendbox::outcome::{Exchange, Progress};
use sendbox_tests::certificates::Authority;
use sendbox_tests::mail_peer::{Line, MailPeer, Say, reply, usual};

use crate::egress_kit::{HOST, Send, in_ten_minutes, live, secret, source, test_names};

mod answers;
mod sessions;
mod tls;

const TEXT: &str = "From: a@x.test\r\nSubject: hi\r\n\r\nhello\n.\nbye";
const ON_WIRE: &str = "From: a@x.test\r\nSubject: hi\r\n\r\nhello\r\n..\r\nbye\r\n.\r\n";

/// Reaches one server under [`HOST`], and trusts one authority.
fn config(peer: &MailPeer, authority: &Authority) -> EgressConfig {
    let mut config = test_names();
    config.allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    config.ports = vec![sendbox::egress::PortRange::one(peer.address.port())];
    config.hosts = BTreeMap::from([(HOST.to_owned(), vec![peer.address.ip()])]);
    config.extra_roots = Some(authority.file());
    config
}

fn in_clear(peer: &MailPeer, authority: &Authority) -> EgressConfig {
    EgressConfig {
        plaintext_hosts: vec![HOST.to_owned()],
        ..config(peer, authority)
    }
}

fn to(peer: &MailPeer, security: SmtpSecurity) -> SmtpSubmission {
    SmtpSubmission {
        server: SmtpServer {
            host: HOST.to_owned(),
            port: peer.address.port(),
            security,
            server_name: None,
            auth: SmtpAuth::None,
            name: Some("client.test".to_owned()),
            local_address: None,
            connect_timeout: None,
            command_timeout: None,
        },
        envelope: SmtpEnvelope {
            mail_from: "a@x.test".to_owned(),
            rcpt_to: vec!["b@y.test".to_owned()],
        },
        data: TEXT.into(),
    }
}

fn login(password: &str) -> SmtpAuth {
    SmtpAuth::Login {
        user: "u".to_owned(),
        password: password.to_owned(),
        mechanism: None,
    }
}

async fn submit(
    send: &Send,
    egress: &Arc<Egress>,
    submission: SmtpSubmission,
) -> (Result<SmtpReply, SmtpError>, Exchange) {
    let scope = send.live(egress);
    let result = scope.smtp(submission).await;
    (result, scope.wire().exchanges.pop().unwrap())
}

/// One submission under STARTTLS to a server that says `say`.
async fn under_starttls(
    say: impl Fn(&Line) -> Say + std::marker::Send + Sync + 'static,
    change: impl FnOnce(&mut SmtpSubmission),
) -> (Result<SmtpReply, SmtpError>, Exchange, Vec<Line>) {
    let authority = Authority::new();
    let peer = MailPeer::start(Some(authority.server(HOST)), false, say).await;
    let egress = live(&config(&peer, &authority));
    let mut submission = to(&peer, SmtpSecurity::StartTls);
    change(&mut submission);
    let (result, exchange) = submit(&Send::default(), &egress, submission).await;
    (result, exchange, peer.lines())
}

fn at(
    word: &'static str,
    said: &'static str,
) -> impl Fn(&Line) -> Say + std::marker::Send + Sync + Copy {
    move |line| match line.text.starts_with(word) && !line.text.is_empty() {
        true if said == "CLOSE" => Say::Close,
        true => reply(said),
        false => usual(line),
    }
}

fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

#[tokio::test]
async fn a_message_over_tls_is_written_in_few_pieces_and_recorded_to_its_answer() {
    let authority = Authority::new();
    let peer = MailPeer::start(Some(authority.server(HOST)), true, usual).await;
    let egress = live(&config(&peer, &authority));
    let (placeholder, placeholders) = secret("p@ss", false, false);
    let send = Send {
        placeholders,
        source: Some("127.0.0.5".parse().unwrap()),
        ..Send::default()
    };
    let mut submission = to(&peer, SmtpSecurity::Tls);
    submission.server.auth = login(&placeholder);
    submission.server.name = None;
    submission.server.local_address = Some("127.0.0.5".to_owned());
    let (result, exchange) = submit(&send, &egress, submission.clone()).await;
    let reply = result.unwrap();
    assert_eq!(
        (reply.code, reply.enhanced.as_deref()),
        (250, Some("2.0.0"))
    );
    let expected = [
        "EHLO [127.0.0.5]",
        "AUTH PLAIN AHUAcEBzcw==",
        "MAIL FROM:<a@x.test> SIZE=46",
        "RCPT TO:<b@y.test>",
        "DATA",
        ON_WIRE,
        ".",
    ];
    assert_eq!(peer.texts(), expected);
    assert!(peer.lines().iter().all(|line| line.encrypted));
    assert_eq!(exchange.method, "SMTP");
    assert_eq!(
        exchange.authority,
        format!("{HOST}:{}", peer.address.port())
    );
    assert_eq!(exchange.progress, Progress::Answered);
    assert_eq!(exchange.status, Some(250));
    assert_eq!(exchange.source_ip, Some("127.0.0.5".parse().unwrap()));
    assert_eq!(exchange.error, None);

    // The session serves its own integration, source and credentials again, and nobody else.
    submit(&send, &egress, submission.clone()).await.0.unwrap();
    assert_eq!(peer.lines().last().unwrap().connection, 0);
    let other_password = SmtpSubmission {
        server: SmtpServer {
            auth: login("other"),
            ..submission.server.clone()
        },
        ..submission.clone()
    };
    submit(&send, &egress, other_password).await.0.unwrap();
    let others = [
        Send {
            tenant: "other",
            ..send.clone()
        },
        Send {
            integration: "other",
            ..send.clone()
        },
        Send {
            revision: 2,
            ..send.clone()
        },
    ];
    for (index, other) in others.iter().enumerate() {
        submit(other, &egress, submission.clone()).await.0.unwrap();
        assert_eq!(peer.lines().last().unwrap().connection, index + 2);
    }
}

#[tokio::test]
async fn a_local_address_outside_the_pool_is_denied() {
    let (result, exchange, lines) = under_starttls(usual, |submission| {
        submission.server.local_address = Some("127.0.0.9".to_owned());
    })
    .await;
    let rule = "source.not-in-pool";
    assert_eq!(result, Err(EgressError::Denied { rule }.into()));
    assert_eq!(exchange.progress, Progress::Refused);
    assert!(lines.is_empty());
}

#[tokio::test]
async fn a_mail_leaves_by_the_source_of_the_pool_that_it_names_and_under_its_name() {
    let authority = Authority::new();
    let peer = MailPeer::start(Some(authority.server(HOST)), true, usual).await;
    let egress = live(&config(&peer, &authority));
    let address = |last: u8| IpAddr::from([127, 0, 0, last]);
    let armed = Arc::new(Mutex::new(Vec::new()));
    let names = Arc::clone(&armed);
    let send = Send {
        source: Some(address(5)),
        ehlo_name: Some("five.x.test"),
        pool: vec![source(address(6), Some("six.x.test"))],
        arm: Some(Arc::new(move |source| {
            names.lock().unwrap().push(source.unwrap().to_string());
            Box::pin(async { in_ten_minutes() })
        })),
        ..Send::default()
    };
    for (named, last, name) in [
        (None, 5, "five.x.test"),
        (Some(address(6)), 6, "six.x.test"),
        (Some(address(5)), 5, "five.x.test"),
        (Some(address(6)), 6, "six.x.test"),
    ] {
        let mut submission = to(&peer, SmtpSecurity::Tls);
        submission.server.name = None;
        submission.server.local_address = named.map(|address| address.to_string());
        let scope = send.live(&egress);
        scope.smtp(submission).await.unwrap();
        let exchange = scope.wire().exchanges.pop().unwrap();
        assert_eq!(exchange.source_ip, Some(address(last)));
        assert_eq!(
            scope.source().unwrap().as_str(),
            format!("ip-127-0-0-{last}")
        );
        assert_eq!(
            armed.lock().unwrap().pop(),
            scope.source().map(|name| name.to_string())
        );
        let line = peer.lines().pop().unwrap();
        assert_eq!(line.source.ip(), address(last));
        let mut own = peer
            .lines()
            .into_iter()
            .filter(|own| own.connection == line.connection);
        assert_eq!(own.next().unwrap().text, format!("EHLO {name}"));
    }
    // One session for each source.
    assert_eq!(peer.lines().pop().unwrap().connection, 1);
}

#[tokio::test]
async fn policy_holds_for_mail_as_for_the_web() {
    let authority = Authority::new();
    let peer = MailPeer::start(None, false, usual).await;
    let closed = EgressConfig {
        allow_addresses: Vec::new(),
        ..config(&peer, &authority)
    };
    for (config, port, rule) in [
        (closed, peer.address.port(), "address."),
        (test_names(), 25, "port.not-allowed"),
        (test_names(), 443, "port.web"),
        (test_names(), 2525, "port.not-allowed"),
    ] {
        let mut submission = to(&peer, SmtpSecurity::StartTls);
        submission.server.port = port;
        let (result, exchange) = submit(&Send::default(), &live(&config), submission).await;
        let Err(SmtpError::Egress(EgressError::Denied { rule: found })) = result else {
            panic!("{port}: {result:?}");
        };
        assert!(found.starts_with(rule), "{found}");
        assert_eq!(exchange.progress, Progress::Refused);
    }
    assert!(peer.lines().is_empty());
}
