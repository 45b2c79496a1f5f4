//! What a server answers, and what is told of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sendbox::egress::{EgressError, SmtpError, SmtpReply, SmtpSecurity, SmtpSubmission};
use sendbox::outcome::Progress;
use sendbox_tests::certificates::Authority;
use sendbox_tests::mail_peer::{Line, MailPeer, reply, usual};

use super::{ON_WIRE, at, config, login, submit, texts, to, under_starttls};
use crate::egress_kit::{HOST, Send, in_ten_minutes, live, secret};

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
            "MAIL",
            "550 5.4.5 daily limit exceeded",
            "smtp.rejected",
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
        (
            "DATA",
            "250 2.0.0 OK",
            "egress.connect",
            Progress::Incomplete,
        ),
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
        let of_sender = matches!(&result, Err(SmtpError::Rejected(reply)) if reply.text.starts_with("MAIL FROM: "));
        assert_eq!(of_sender, said.contains("daily limit"), "{word} {said}");
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
            arm: Some(Arc::new(move |_| {
                counter.fetch_add(1, Ordering::Relaxed);
                assert_eq!(seen.texts().last().unwrap(), "DATA");
                Box::pin(async move { in_ten_minutes().filter(|_| armed) })
            })),
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
