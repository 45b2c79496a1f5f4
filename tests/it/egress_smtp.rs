//! One submission as it stands on the wire: what is said when, what a server's deviations end in, and what
//! is written down.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sendbox::egress::{
    Egress, EgressConfig, EgressError, SmtpAuth, SmtpEnvelope, SmtpError, SmtpReply, SmtpSecurity,
    SmtpServer, SmtpSubmission,
};
use sendbox::outcome::{Exchange, Progress};
use sendbox_tests::certificates::{Authority, self_signed};
use sendbox_tests::mail_peer::{Line, MailPeer, Say, reply, usual};

use crate::egress_kit::{HOST, Send, armed_by, live, secret, source, test_names};

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
async fn a_reply_that_reflects_a_secret_has_its_placeholder_instead() {
    use base64::Engine as _;
    let authority = Authority::new();
    let plain = base64::prelude::BASE64_STANDARD.encode("\0u\0p@ss-p@ss");
    let said = format!("550-p@ss-p@ss?\r\n550 5.7.1 you said {plain}");
    let say = move |line: &Line| match line.text.starts_with("RCPT") {
        true => reply(&said),
        false => usual(line),
    };
    let peer = MailPeer::start(Some(authority.server(HOST)), true, say).await;
    let (placeholder, placeholders) = secret("p@ss-p@ss", false, false);
    let send = Send {
        placeholders,
        ..Send::default()
    };
    let mut submission = to(&peer, SmtpSecurity::Tls);
    submission.server.auth = login(&placeholder);
    let (result, _) = submit(&send, &live(&config(&peer, &authority)), submission).await;
    let Err(SmtpError::Rejected(refused)) = result else {
        panic!("{result:?}");
    };
    assert!(peer.texts().contains(&format!("AUTH PLAIN {plain}")));
    assert_eq!(
        refused.text.matches(&placeholder).count(),
        2,
        "{}",
        refused.text
    );
    assert!(!refused.text.contains("p@ss"), "{}", refused.text);
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
        arm: Some(armed_by(Arc::new(move |source| {
            names.lock().unwrap().push(source.unwrap().to_string());
            Box::pin(async { true })
        }))),
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
async fn no_more_sessions_are_open_than_an_integration_may_have() {
    let authority = Authority::new();
    let peer = MailPeer::start(Some(authority.server(HOST)), true, usual).await;
    let egress = live(&EgressConfig {
        smtp_sessions_per_integration: 2,
        ..config(&peer, &authority)
    });
    let sends = (0..8).map(|_| {
        let (egress, submission) = (Arc::clone(&egress), to(&peer, SmtpSecurity::Tls));
        tokio::spawn(async move { submit(&Send::default(), &egress, submission).await.0 })
    });
    for sent in sends.collect::<Vec<_>>() {
        sent.await.unwrap().unwrap();
    }
    let connections = |peer: &MailPeer| peer.lines().iter().map(|line| line.connection).max();
    assert_eq!(connections(&peer), Some(1));

    // Two idle sessions make room for one with other credentials.
    let mut other = to(&peer, SmtpSecurity::Tls);
    other.server.auth = login("p");
    submit(&Send::default(), &egress, other).await.0.unwrap();
    assert_eq!(connections(&peer), Some(2));
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !peer.texts().iter().any(|text| text == "QUIT") {
        ticks.tick().await;
    }
}

#[tokio::test]
async fn a_send_that_finds_no_place_for_a_session_ends_in_time_and_all_tenants_share_the_rest() {
    let authority = Authority::new();
    let silent = |line: &Line| match line.text.starts_with("RCPT TO:<slow") {
        true => Say::Silence,
        false => usual(line),
    };
    let peer = MailPeer::start(Some(authority.server(HOST)), true, silent).await;
    let egress = live(&EgressConfig {
        smtp_sessions: 1,
        ..config(&peer, &authority)
    });
    let mut slow = to(&peer, SmtpSecurity::Tls);
    slow.envelope.rcpt_to = vec!["slow@y.test".to_owned()];
    let busy = Arc::clone(&egress);
    let task = tokio::spawn(async move { submit(&Send::default(), &busy, slow).await.0 });
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !peer.texts().iter().any(|text| text.starts_with("RCPT")) {
        ticks.tick().await;
    }
    let mut other = Send {
        tenant: "globex",
        ..Send::default()
    };
    other.limits.connect_ms = 50;
    let (result, exchange) = submit(&other, &egress, to(&peer, SmtpSecurity::Tls)).await;
    assert_eq!(result, Err(EgressError::Timeout.into()));
    assert_eq!(exchange.progress, Progress::NotConnected);
    task.abort();
    let _ = task.await;
    submit(&other, &egress, to(&peer, SmtpSecurity::Tls))
        .await
        .0
        .unwrap();
    // The idle session of one tenant makes room for another's.
    submit(&Send::default(), &egress, to(&peer, SmtpSecurity::Tls))
        .await
        .0
        .unwrap();
}

#[tokio::test]
async fn starttls_comes_before_all_else_and_what_was_offered_in_clear_is_forgotten() {
    let (result, _, lines) = under_starttls(usual, |submission| {
        submission.server.auth = login("p");
    })
    .await;
    result.unwrap();
    let clear: Vec<_> = lines.iter().filter(|line| !line.encrypted).collect();
    assert_eq!(clear.len(), 2);
    assert_eq!(clear[0].text, "EHLO client.test");
    assert_eq!(clear[1].text, "STARTTLS");
    assert_eq!(lines[2].text, "EHLO client.test");
    assert_eq!(lines.last().unwrap().text, ".");
}

#[tokio::test]
async fn without_tls_nothing_leaves_but_where_operator_and_integration_both_say_so() {
    let authority = Authority::new();
    let offers = "250-mx.test\r\n250 AUTH PLAIN";
    let peer = MailPeer::start(None, false, at("EHLO", offers)).await;
    let (strict, open) = (
        live(&config(&peer, &authority)),
        live(&in_clear(&peer, &authority)),
    );
    let both = [&strict, &open];
    for (security, auth, taken) in [
        (SmtpSecurity::StartTls, SmtpAuth::None, [false, false]),
        (SmtpSecurity::Opportunistic, SmtpAuth::None, [false, true]),
        (SmtpSecurity::Opportunistic, login("p"), [false, false]),
        (SmtpSecurity::None, SmtpAuth::None, [false, true]),
        (SmtpSecurity::None, login("p"), [false, true]),
    ] {
        for (egress, taken) in both.into_iter().zip(taken) {
            let before = peer.lines().len();
            let mut submission = to(&peer, security);
            submission.server.auth = auth.clone();
            let (result, exchange) = submit(&Send::default(), egress, submission).await;
            assert_eq!(result.is_ok(), taken, "{security:?} {result:?}");
            if !taken {
                assert!(exchange.progress <= Progress::NotConnected);
                let said = peer.texts().split_off(before);
                assert!(said.iter().all(|text| text.starts_with("EHLO")), "{said:?}");
            }
        }
    }
}

#[tokio::test]
async fn starttls_that_is_refused_or_tampered_with_ends_the_session() {
    let injected = |line: &Line| match line.text.as_str() {
        "STARTTLS" => Say::StartTls(b"220 go\r\n250 injected\r\n".to_vec()),
        _ => usual(line),
    };
    let with_password = |submission: &mut SmtpSubmission| submission.server.auth = login("p");
    for (result, exchange, lines) in [
        under_starttls(at("STARTTLS", "454 4.7.0 not now"), with_password).await,
        under_starttls(injected, with_password).await,
    ] {
        assert!(
            matches!(result, Err(SmtpError::Egress(EgressError::Tls(_)))),
            "{result:?}"
        );
        assert_eq!(exchange.progress, Progress::NotConnected);
        assert_eq!(texts(&lines), ["EHLO client.test", "STARTTLS"]);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_the_servers_ends_the_session() {
    let authority = Authority::new();
    for acceptor in [
        authority.server("other.test"),
        authority.expired(HOST),
        self_signed(HOST),
    ] {
        for implicit in [true, false] {
            let peer = MailPeer::start(Some(acceptor.clone()), implicit, usual).await;
            let egress = live(&config(&peer, &authority));
            let security = match implicit {
                true => SmtpSecurity::Tls,
                false => SmtpSecurity::Opportunistic,
            };
            let mut submission = to(&peer, security);
            submission.server.auth = login("p");
            let (result, _) = submit(&Send::default(), &egress, submission).await;
            assert!(
                matches!(result, Err(SmtpError::Egress(EgressError::Tls(_)))),
                "{result:?}"
            );
            assert!(peer.lines().iter().all(|line| !line.encrypted));
        }
    }
}

#[tokio::test]
async fn each_refusal_has_its_kind_and_only_the_final_dot_makes_a_message_sent() {
    let error = |result: &Result<SmtpReply, SmtpError>| match result {
        Ok(_) => "taken",
        Err(error) => error.code(),
    };
    for (word, said, expected, progress) in [
        ("EHLO", "421 busy", "smtp.deferred", Progress::NotConnected),
        (
            "AUTH",
            "535 5.7.8 bad",
            "smtp.unauthorized",
            Progress::NotConnected,
        ),
        (
            "AUTH",
            "454 4.7.0 later",
            "smtp.deferred",
            Progress::NotConnected,
        ),
        (
            "MAIL",
            "530 5.7.0 log in",
            "smtp.unauthorized",
            Progress::Answered,
        ),
        (
            "RCPT",
            "450 4.2.0 greylisted",
            "smtp.deferred",
            Progress::Answered,
        ),
        (
            "RCPT",
            "550 5.1.1 unknown",
            "smtp.rejected",
            Progress::Answered,
        ),
        ("RCPT", "CLOSE", "egress.connect", Progress::Incomplete),
        (
            "DATA",
            "554 5.5.1 none",
            "smtp.rejected",
            Progress::Answered,
        ),
        ("DATA", "CLOSE", "egress.connect", Progress::Incomplete),
        (".", "550 5.7.1 spam", "smtp.rejected", Progress::Answered),
        (".", "451 4.3.0 later", "smtp.deferred", Progress::Answered),
        (".", "CLOSE", "egress.interrupted", Progress::Complete),
        (".", "hello", "egress.interrupted", Progress::Complete),
        (".", "250 2.0.0 OK", "taken", Progress::Answered),
    ] {
        let (result, exchange, lines) = under_starttls(at(word, said), |submission| {
            submission.server.auth = login("p");
        })
        .await;
        assert_eq!(error(&result), expected, "{word} {said}");
        assert_eq!(exchange.progress, progress, "{word} {said}");
        let handed_over = lines.iter().any(|line| line.text == ON_WIRE);
        assert_eq!(handed_over, word == ".", "{word} {said}");
    }
}

#[tokio::test]
async fn a_message_is_for_all_recipients_or_for_none() {
    let partly = |line: &Line| match line.text.as_str() {
        "RCPT TO:<c@y.test>" => reply("550 5.1.1 unknown"),
        _ => usual(line),
    };
    let (result, _, lines) = under_starttls(partly, |submission| {
        submission.envelope.rcpt_to.push("c@y.test".to_owned());
    })
    .await;
    assert!(matches!(result, Err(SmtpError::Rejected(reply)) if reply.code == 550));
    assert_eq!(lines.last().unwrap().text, "RSET");

    // One recipient, `DATA` along with it, and a server that takes the message nevertheless.
    let careless = |line: &Line| match line.text.split(' ').next() {
        Some("RCPT") => reply("550 5.1.1 unknown"),
        _ => usual(line),
    };
    let (result, _, lines) = under_starttls(careless, |_| {}).await;
    assert!(matches!(result, Err(SmtpError::Rejected(_))));
    assert_eq!(lines.last().unwrap().text, "DATA");
}

#[tokio::test]
async fn an_attempt_is_armed_once_after_the_server_asks_for_the_message() {
    for armed in [true, false] {
        let authority = Authority::new();
        let peer = MailPeer::start(Some(authority.server(HOST)), true, usual).await;
        let egress = live(&config(&peer, &authority));
        let calls = Arc::new(AtomicUsize::new(0));
        let (counter, seen) = (Arc::clone(&calls), peer.clone());
        let send = Send {
            arm: Some(armed_by(Arc::new(move |_| {
                counter.fetch_add(1, Ordering::Relaxed);
                assert_eq!(seen.texts().last().unwrap(), "DATA");
                Box::pin(async move { armed })
            }))),
            ..Send::default()
        };
        let scope = send.live(&egress);
        let result = scope.smtp(to(&peer, SmtpSecurity::Tls)).await;
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(result.is_ok(), armed);
        if armed {
            continue;
        }
        assert_eq!(result, Err(EgressError::NotArmed.into()));
        assert_eq!(peer.texts().last().unwrap(), "DATA");
        assert_eq!(scope.wire().exchanges[0].progress, Progress::Incomplete);
    }
}

#[tokio::test]
async fn every_way_to_log_in_is_spoken_under_tls() {
    let asks = |line: &Line| match line.text.as_str() {
        "AUTH LOGIN" => reply("334 VXNlcm5hbWU6"),
        "dQ==" => reply("334 UGFzc3dvcmQ6"),
        "AUTH CRAM-MD5" => reply("334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"),
        text if text.starts_with("AUTH XOAUTH2 YmFk") => reply("334 eyJzdGF0dXMiOiI0MDEifQ=="),
        "" if line.encrypted => reply("535 5.7.8 bad token"),
        _ if line.encrypted && !line.text.contains([' ', '.']) => match line.text.as_str() {
            "DATA" | "RSET" => usual(line),
            _ => reply("235 2.7.0 welcome"),
        },
        _ => usual(line),
    };
    let with = |mechanism: &str, user: &str, password: &str| SmtpAuth::Login {
        user: user.to_owned(),
        password: password.to_owned(),
        mechanism: Some(mechanism.to_owned()),
    };
    let token = SmtpAuth::OAuth2 {
        user: "me@x.test".to_owned(),
        token: "ya29".to_owned(),
    };
    for (auth, line) in [
        (with("PLAIN", "u", "p"), "AUTH PLAIN AHUAcA=="),
        (with("LOGIN", "u", "p"), "cA=="),
        (
            with("CRAM-MD5", "tim", "tanstaaftanstaaf"),
            "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw",
        ),
        (
            token,
            "AUTH XOAUTH2 dXNlcj1tZUB4LnRlc3QBYXV0aD1CZWFyZXIgeWEyOQEB",
        ),
    ] {
        let (result, _, lines) =
            under_starttls(asks, |submission| submission.server.auth = auth).await;
        assert!(result.is_ok(), "{line} {result:?} {:?}", texts(&lines));
        assert!(texts(&lines).contains(&line), "{:?}", texts(&lines));
    }
    let (result, _, lines) = under_starttls(usual, |submission| {
        submission.server.auth = with("SCRAM-SHA-256", "u", "p");
    })
    .await;
    assert!(
        matches!(result, Err(SmtpError::Egress(EgressError::Invalid(_)))),
        "{result:?}"
    );
    assert!(!texts(&lines).iter().any(|text| text.starts_with("AUTH")));
}

#[tokio::test]
async fn replies_without_end_and_silence_end_the_session_in_bounds() {
    let endless = |line: &Line| match line.text.as_str() {
        "" => Say::Endless("220-more\r\n".to_owned()),
        _ => usual(line),
    };
    let long = |line: &Line| match line.text.as_str() {
        "" => Say::Endless("220 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()),
        _ => usual(line),
    };
    let silent = |line: &Line| match line.text.as_str() {
        "" => Say::Silence,
        _ => usual(line),
    };
    let soon = |submission: &mut SmtpSubmission| {
        submission.server.command_timeout = Some(Duration::from_millis(200));
    };
    for (result, exchange) in [
        {
            let (r, e, _) = under_starttls(endless, |_| {}).await;
            (r, e)
        },
        {
            let (r, e, _) = under_starttls(long, |_| {}).await;
            (r, e)
        },
    ] {
        assert!(
            matches!(result, Err(SmtpError::Egress(EgressError::Connect(_)))),
            "{result:?}"
        );
        assert_eq!(exchange.progress, Progress::NotConnected);
    }
    let (result, _, _) = under_starttls(silent, soon).await;
    assert_eq!(result, Err(EgressError::Timeout.into()));
}

#[tokio::test]
async fn a_session_that_its_server_closed_while_idle_is_replaced_and_nothing_is_sent_twice() {
    let authority = Authority::new();
    let after_first = |line: &Line| match (line.connection, line.text.as_str()) {
        (0, "MAIL FROM:<second@x.test> SIZE=46") => Say::Close,
        _ => usual(line),
    };
    let peer = MailPeer::start(Some(authority.server(HOST)), true, after_first).await;
    let egress = live(&config(&peer, &authority));
    submit(&Send::default(), &egress, to(&peer, SmtpSecurity::Tls))
        .await
        .0
        .unwrap();
    let mut second = to(&peer, SmtpSecurity::Tls);
    second.envelope.mail_from = "second@x.test".to_owned();
    let (result, exchange) = submit(&Send::default(), &egress, second).await;
    result.unwrap();
    assert_eq!(exchange.status, Some(250));
    let messages = peer.lines().into_iter().filter(|line| line.text == ON_WIRE);
    assert_eq!(
        messages.map(|line| line.connection).collect::<Vec<_>>(),
        [0, 1]
    );
}

#[tokio::test]
async fn an_idle_session_is_closed_with_a_goodbye() {
    let authority = Authority::new();
    let peer = MailPeer::start(Some(authority.server(HOST)), true, usual).await;
    let config = EgressConfig {
        smtp_idle_ms: 40,
        ..config(&peer, &authority)
    };
    let egress = live(&config);
    let sent = submit(&Send::default(), &egress, to(&peer, SmtpSecurity::Tls)).await;
    sent.0.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..1_000 {
        ticks.tick().await;
        if peer.texts().last().is_some_and(|text| text == "QUIT") {
            return;
        }
    }
    panic!("the session is still open");
}

#[tokio::test]
async fn what_the_server_cannot_take_is_said_before_the_envelope() {
    let plain = at("EHLO", "250-mx.test\r\n250-STARTTLS\r\n250 SIZE 60");
    let cases: [fn(&mut SmtpSubmission); 3] = [
        |submission| submission.envelope.rcpt_to = vec!["jörg@y.test".to_owned()],
        |submission| submission.data = "Subject: x\r\n\r\nü".into(),
        |submission| submission.data = "a".repeat(100).into(),
    ];
    for change in cases {
        let (result, exchange, lines) = under_starttls(plain, change).await;
        assert!(
            matches!(result, Err(SmtpError::Egress(EgressError::Invalid(_)))),
            "{result:?}"
        );
        assert_eq!(exchange.progress, Progress::NotConnected);
        assert!(!texts(&lines).iter().any(|text| text.starts_with("MAIL")));
    }
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
