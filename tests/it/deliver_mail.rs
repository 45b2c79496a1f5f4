//! Mail over SMTP through the whole house: by which source, and how long a server may take.

use sendbox::time::Clock;
use sendbox_tests::mail_peer::{Line, MailPeer, Say, reply, usual};
use serde_json::{Value, json};

use crate::harness::House;

/// A house whose tenant `acme` sends by two sources, 127.0.0.2 nearly always, to a server in clear.
async fn house(
    peer: &MailPeer,
    adapt: impl FnOnce(&mut sendbox::config::Config),
) -> (House, String) {
    let house = House::start_with(Clock::System, adapt).await;
    let key = house
        .tenant("acme", "http://127.0.0.1:9/", Some("127.0.0.2"))
        .await;
    let other = json!({"address": "127.0.0.3", "ehlo_name": "other.x.test"});
    house
        .operate("PUT", "/v1/egress/sources/other", other)
        .await
        .expect(200);
    let pool = json!({"sources": [{"source": "acme", "weight": 1000}, {"source": "other"}]});
    house
        .operate("PUT", "/v1/egress/pools/acme", pool)
        .await
        .expect(200);
    house
        .upload(connector_bundle::component("smtp").unwrap())
        .await;
    house
        .integrate("acme", "smtp", "smtp", settings(peer))
        .await;
    let route = json!({"integrations": ["smtp"]});
    house
        .operate("PUT", "/v1/tenants/acme/routes/email", route)
        .await
        .expect(200);
    (house, key)
}

/// Of an integration that sends to a server in clear.
fn settings(peer: &MailPeer) -> Value {
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    json!({
        "host": "127.0.0.1",
        "port": peer.address.port(),
        "ignoreTLS": true,
        "auth": {},
        "localAddress": "127.0.0.3",
        "fromEmail": "noreply@x.test",
        "templates": usage_types.map(|usage_type| json!({
            "usageType": usage_type, "contentType": "text/plain",
            "subject": "Code", "content": "{{code}}",
        })),
    })
}

async fn sent(house: &House, key: &str) -> Value {
    let message = json!({
        "channel": "email", "to": "b@y.test", "type": "SignIn",
        "payload": {"code": "1"},
    });
    let accepted = house
        .call(key, "POST", "/v1/messages", &message)
        .await
        .expect(202);
    house.finished(key, &accepted.text_at("/id")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_recorded_with_the_source_that_its_mail_named() {
    let peer = MailPeer::start(None, false, usual).await;
    let (house, key) = house(&peer, |_| {}).await;
    let message = sent(&house, &key).await;
    assert_eq!(message["state"], "sent", "{message}");
    let attempt = &message["attempts"][0];
    assert_eq!(attempt["source"], "other", "{message}");
    assert_eq!(attempt["exchanges"][0]["source_ip"], "127.0.0.3");
    let first = &peer.lines()[0];
    assert_eq!(first.source.ip().to_string(), "127.0.0.3");
    assert_eq!(first.text, "EHLO other.x.test");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_take_longer_with_a_mail_than_a_provider_with_a_request() {
    // 30 bytes, one every 20 ms.
    let slow = |line: &Line| match line.text.as_str() {
        "." => Say::Drip("250 2.0.0 looked at it closely\r\n".to_owned()),
        _ => usual(line),
    };
    let peer = MailPeer::start(None, false, slow).await;
    let (house, key) = house(&peer, |config| config.limits.wall_ms = 100).await;
    let message = sent(&house, &key).await;
    assert_eq!(message["state"], "sent", "{message}");
    assert_eq!(message["attempts"].as_array().unwrap().len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_goes_on_where_a_server_speaks_of_the_sender_and_ends_where_it_speaks_of_the_recipient()
 {
    for (stage, said, goes_on) in [
        ("MAIL", "550 5.4.5 Daily user sending limit exceeded", true),
        (
            "MAIL",
            "553 5.7.1 Sender address rejected: not owned by user",
            true,
        ),
        (
            "RCPT",
            "553 5.7.1 Sender address rejected: not owned by user",
            true,
        ),
        ("DATA", "554 5.7.1 The account is suspended", true),
        (".", "550 5.7.0 The sending identity is not verified", true),
        ("RCPT", "550 5.1.1 No such user here", false),
    ] {
        let first = MailPeer::start(None, false, move |line: &Line| {
            match line.text.split([' ', ':']).next() == Some(stage) {
                true => reply(said),
                false => usual(line),
            }
        })
        .await;
        let second = MailPeer::start(None, false, usual).await;
        let (house, key) = house(&first, |_| {}).await;
        house
            .integrate("acme", "second", "smtp", settings(&second))
            .await;
        let route = json!({"integrations": ["smtp", "second"]});
        let path = "/v1/tenants/acme/routes/email";
        house.operate("PUT", path, route).await.expect(200);
        let message = sent(&house, &key).await;
        let case = format!("{stage}: {said}: {message:#}");
        let state = if goes_on { "sent" } else { "failed" };
        assert_eq!(message["state"], state, "{case}");
        let mails = second.texts().iter().filter(|line| *line == "DATA").count();
        assert_eq!(mails, usize::from(goes_on), "{case}");
        assert_eq!(message["possible_duplicate"], false, "{case}");
        house.stop().await;
    }
}
