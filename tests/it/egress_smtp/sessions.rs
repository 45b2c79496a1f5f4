//! Sessions: how many are open, whose they are, and when they end.

use std::sync::Arc;
use std::time::Duration;

use sendbox::egress::{EgressConfig, EgressError, SmtpError, SmtpSecurity, SmtpSubmission};
use sendbox::outcome::Progress;
use sendbox_tests::certificates::Authority;
use sendbox_tests::mail_peer::{Line, MailPeer, Say, usual};

use super::{ON_WIRE, config, login, submit, to, under_starttls};
use crate::egress_kit::{HOST, Send, live};

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
