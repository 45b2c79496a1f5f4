//! Encryption: from the start, by STARTTLS, or not at all; and logins under it.

use sendbox::egress::{EgressError, SmtpAuth, SmtpError, SmtpSecurity, SmtpSubmission};
use sendbox::outcome::Progress;
use sendbox_tests::certificates::{Authority, self_signed};
use sendbox_tests::mail_peer::{Line, MailPeer, Say, reply, usual};

use super::{at, config, in_clear, login, submit, texts, to, under_starttls};
use crate::egress_kit::{HOST, Send, live};

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
