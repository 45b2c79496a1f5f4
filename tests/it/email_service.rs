//! The built-in e-mail service: the operator's integration, lent to tenants, counted and capped.

use sendbox::id::Digest;
use sendbox::time::Clock;
use sendbox_tests::guests;
use sendbox_tests::mail_peer::{MailPeer, Say, reply, usual};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::harness::House;

const CODE: &str = "482913";

/// A house whose operator lends `house/relay`, which submits to `peer` from 127.0.0.9.
async fn lending(peer: &MailPeer, caps: &Value) -> House {
    let house = House::start().await;
    for id in ["smtp", "builtin-email"] {
        let component = connector_bundle::component(id).unwrap();
        house.upload(component).await.expect(201);
    }
    house.upload(guests::COMPOSER).await.expect(201);
    for (path, body) in [
        (
            "egress/sources/own",
            json!({ "address": "127.0.0.9", "ehlo_name": "out.house.test" }),
        ),
        (
            "egress/pools/own",
            json!({ "sources": [{ "source": "own" }] }),
        ),
    ] {
        let path = format!("/v1/{path}");
        house.operate("PUT", &path, body).await.expect(200);
    }
    let tenant = json!({ "egress_pool": "own" });
    house
        .operate("PUT", "/v1/tenants/house", tenant)
        .await
        .expect(201);
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    let settings = json!({
        "host": "127.0.0.1", "port": peer.address.port(), "ignoreTLS": true, "auth": {},
        "fromEmail": "House <noreply@house.test>",
        "templates": usage_types.map(|usage_type| json!({
            "usageType": usage_type, "contentType": "text/plain", "subject": "own", "content": "own {{code}}",
        })),
    });
    house.integrate("house", "relay", "smtp", settings).await;
    let composers = [
        guests::COMPOSER,
        connector_bundle::component("builtin-email").unwrap(),
    ];
    let composers = composers.map(|component| Digest::of(component).to_string());
    let mut service = json!({ "tenant": "house", "integration": "relay", "connectors": composers });
    for (name, value) in caps.as_object().unwrap() {
        service[name] = value.clone();
    }
    house
        .operate("PUT", "/v1/email-service", service)
        .await
        .expect(200);
    house
}

/// A tenant whose e-mail goes by `connector`. Returns its key.
async fn borrower(house: &House, tenant: &str, connector: &str, settings: Value) -> String {
    let path = format!("/v1/tenants/{tenant}");
    house.operate("PUT", &path, json!({})).await.expect(201);
    house.integrate(tenant, "mail", connector, settings).await;
    let route = json!({ "integrations": ["mail"] });
    let path = format!("{path}/routes/email");
    house.operate("PUT", &path, route).await.expect(200);
    house.key(tenant).await
}

/// The end of one message, as its tenant sees it.
async fn send(house: &House, key: &str) -> Value {
    let message = json!({
        "channel": "email", "to": "person@example.net", "type": "SignIn", "expires_in_seconds": 1,
        "payload": { "code": CODE, "locale": "de", "organization": { "name": "{{code}} <b>Org</b>" } },
    });
    let answer = house
        .call(key, "POST", "/v1/messages?wait=30", &message)
        .await;
    let path = format!("/v1/messages/{}", answer.text_at("/id"));
    house
        .call(key, "GET", &path, &Value::Null)
        .await
        .expect(200)
        .json()
}

async fn used(house: &House, key: &str) -> Value {
    let answer = house.call(key, "GET", "/v1/email-use", &Value::Null).await;
    answer.expect(200).json()
}

fn failure(message: &Value) -> (&str, &str) {
    let failure = &message["attempts"][0]["outcome"]["failure"];
    let text = |name: &str| failure[name].as_str().unwrap_or_default();
    (text("kind"), text("code"))
}

fn mails(peer: &MailPeer) -> Vec<String> {
    let texts = peer.texts().into_iter();
    texts.filter(|text| text.ends_with("\r\n.\r\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_mail_leaves_through_the_operators_integration_and_is_counted() {
    let peer = MailPeer::start(None, false, usual).await;
    let house = lending(&peer, &json!({})).await;
    let key = borrower(
        &house,
        "acme",
        "builtin-email",
        json!({ "senderName": "Acme" }),
    )
    .await;
    let message = send(&house, &key).await;
    assert_eq!(message["state"], "sent", "{message}");
    assert_eq!(message["attempts"][0]["integration"], "mail");
    assert_eq!(message["attempts"][0]["connector"], "builtin-email");
    assert_eq!(
        message["attempts"][0]["exchanges"][0]["source_ip"],
        "127.0.0.9"
    );

    let mail = mails(&peer).pop().unwrap();
    let parsed = mail_parser::MessageParser::default()
        .parse(mail.as_bytes())
        .unwrap();
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.address.as_deref(), Some("noreply@house.test"));
    assert_eq!(from.name.as_deref(), Some("Acme"));
    assert!(peer.texts().contains(&"EHLO out.house.test".to_owned()));
    let text = parsed.body_text(0).unwrap();
    let html = parsed.body_html(0).unwrap();
    assert!(text.contains(CODE) && html.contains(CODE));
    assert!(!html.contains("<b>Org</b>"), "a value is markup: {html}");

    let usage = used(&house, &key).await;
    assert_eq!((&usage["count"], &usage["cap"]), (&json!(1), &json!(1_000)));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_holds_back_what_is_over_it_and_counts_for_one_tenant_only() {
    let peer = MailPeer::start(None, false, usual).await;
    let caps = json!({ "monthly_cap": 1, "tenant_caps": { "globex": 0 } });
    let house = lending(&peer, &caps).await;
    let acme = borrower(&house, "acme", "composer", json!({})).await;
    let initech = borrower(&house, "initech", "composer", json!({})).await;
    let globex = borrower(&house, "globex", "composer", json!({})).await;
    assert_eq!(send(&house, &acme).await["state"], "sent");
    let over = send(&house, &acme).await;
    assert_eq!(failure(&over), ("throttled", "email-cap"), "{over}");
    assert_eq!(send(&house, &initech).await["state"], "sent");
    assert_eq!(
        failure(&send(&house, &globex).await),
        ("throttled", "email-cap")
    );
    assert_eq!(used(&house, &acme).await["count"], 1);
    assert_eq!(used(&house, &globex).await["count"], 0);
    assert_eq!(mails(&peer).len(), 2);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_refused_is_not_counted() {
    let peer = MailPeer::start(None, false, |line| match line.text.as_str() {
        text if text.starts_with("RCPT") => reply("550 5.1.1 no such mailbox"),
        _ => usual(line),
    })
    .await;
    let house = lending(&peer, &json!({})).await;
    let key = borrower(&house, "acme", "composer", json!({})).await;
    let message = send(&house, &key).await;
    assert_eq!(failure(&message), ("rejected", "5.1.1"), "{message}");
    assert_eq!(used(&house, &key).await["count"], 0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_operators_settings_stays_with_the_operator() {
    let peer = MailPeer::start(None, false, |line| match line.text.as_str() {
        text if text.starts_with("MAIL") => reply("530 5.7.0 relay secret-of-the-house"),
        _ => usual(line),
    })
    .await;
    let house = lending(&peer, &json!({})).await;
    let key = borrower(&house, "acme", "composer", json!({})).await;
    let message = send(&house, &key).await;
    assert_eq!(
        failure(&message),
        ("unavailable", "email-service"),
        "{message}"
    );
    assert!(!message.to_string().contains("secret-of-the-house"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_composer_chooses_neither_address_nor_host_nor_number() {
    let peer = MailPeer::start(None, false, usual).await;
    let house = lending(&peer, &json!({})).await;
    let url = format!("http://{}/", peer.address);
    let key = borrower(
        &house,
        "acme",
        "composer",
        json!({ "act": "reach", "url": url }),
    )
    .await;
    // The text is the operator's: a tenant's template is not even shown to the composer.
    let details = json!({ "subject": "mine", "content": "mine" });
    let template = json!({ "languageTag": "en", "templateType": "SignIn", "details": details });
    let templates = json!({ "templates": [template] });
    house
        .call(&key, "PUT", "/v1/email-templates", &templates)
        .await
        .expect(200);
    assert_eq!(send(&house, &key).await["state"], "sent");
    let sent = peer.texts();
    assert!(
        !sent
            .iter()
            .any(|text| text.contains("evil.test") || text.starts_with("GET"))
    );
    // What is handed over is finished: no variable in it is filled in.
    assert!(mails(&peer).pop().unwrap().contains("{{code}}"));

    for (act, code) in [
        ("nothing", "handover"),
        ("twice", "handover"),
        ("flood", "handover"),
    ] {
        let tenant = format!("tenant-{act}");
        let key = borrower(&house, &tenant, "composer", json!({ "act": act })).await;
        let message = send(&house, &key).await;
        assert_eq!(failure(&message), ("rejected", code), "{act}: {message}");
        assert_eq!(used(&house, &key).await["count"], 0, "{act}");
    }
    assert_eq!(mails(&peer).len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lent_cannot_be_deleted_and_what_hands_over_cannot_be_lent() {
    let peer = MailPeer::start(None, false, |_| Say::Close).await;
    let house = lending(&peer, &json!({})).await;
    let relay = "/v1/tenants/house/integrations/relay";
    house
        .operate("DELETE", relay, Value::Null)
        .await
        .expect(409);
    let key = borrower(&house, "acme", "composer", json!({})).await;
    let own = json!({ "tenant": "acme", "integration": "mail" });
    let refused = house.operate("PUT", "/v1/email-service", own.clone()).await;
    assert_eq!(
        refused.expect(422).text_at("/errors/0/pointer"),
        "/integration"
    );
    for method in ["GET", "PUT", "DELETE"] {
        let answer = house.call(&key, method, "/v1/email-service", &own).await;
        answer.expect(403);
    }
    house
        .operate("DELETE", "/v1/email-service", Value::Null)
        .await
        .expect(204);
    let message = send(&house, &key).await;
    assert_eq!(failure(&message), ("unavailable", "route"), "{message}");
    house
        .operate("DELETE", relay, Value::Null)
        .await
        .expect(204);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_components_that_the_operator_names_hand_over() {
    let peer = MailPeer::start(None, false, usual).await;
    let house = lending(&peer, &json!({})).await;
    let put = async |connectors: Option<&[&str]>| {
        let mut service = json!({ "tenant": "house", "integration": "relay" });
        if let Some(connectors) = connectors {
            service["connectors"] = json!(connectors);
        }
        house.operate("PUT", "/v1/email-service", service).await
    };
    let own = connector_bundle::component("builtin-email").unwrap();
    let (own, composer) = (
        Digest::of(own).to_string(),
        Digest::of(guests::COMPOSER).to_string(),
    );
    let smtp = Digest::of(connector_bundle::component("smtp").unwrap()).to_string();
    let stranger = Digest::of(b"never uploaded").to_string();

    // Unless it is said otherwise, this server's own alone.
    let answer = put(None).await.expect(200);
    assert_eq!(answer.json()["connectors"], json!([own]));
    let builtin = borrower(&house, "acme", "builtin-email", json!({})).await;
    let foreign = borrower(&house, "globex", "composer", json!({})).await;
    assert_eq!(send(&house, &builtin).await["state"], "sent");
    let refused = send(&house, &foreign).await;
    assert_eq!(failure(&refused), ("unavailable", "route"), "{refused}");
    assert!(refused.to_string().contains(&composer), "{refused}");
    // A test is no way round it, and neither counts.
    let body = json!({ "to": "a@b.test" });
    let test = house.call(&foreign, "POST", "/v1/integrations/mail/test", &body);
    test.await.expect(409);
    assert_eq!(used(&house, &foreign).await["count"], 0);
    assert_eq!(mails(&peer).len(), 1);

    for wrong in [&smtp, &stranger] {
        let answer = put(Some(&[wrong])).await.expect(422);
        assert_eq!(answer.text_at("/errors/0/pointer"), "/connectors");
    }
    put(Some(&[&composer])).await.expect(200);
    assert_eq!(send(&house, &foreign).await["state"], "sent");
    assert_eq!(
        failure(&send(&house, &builtin).await),
        ("unavailable", "route")
    );
    put(Some(&[])).await.expect(200);
    assert_eq!(
        failure(&send(&house, &foreign).await),
        ("unavailable", "route")
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_through_the_operators_integration_counts_and_keeps_to_the_cap() {
    let peer = MailPeer::start(None, false, usual).await;
    let house = lending(&peer, &json!({ "monthly_cap": 1 })).await;
    let key = borrower(&house, "acme", "composer", json!({})).await;
    let test = || {
        let body = json!({ "to": "person@example.net" });
        let house = &house;
        let key = &key;
        async move {
            house
                .call(key, "POST", "/v1/integrations/mail/test", &body)
                .await
                .expect(200)
        }
    };
    assert_eq!(test().await.json()["ok"], true);
    assert_eq!(used(&house, &key).await["count"], 1);
    assert_eq!(test().await.text_at("/outcome/failure/code"), "email-cap");
    assert_eq!(
        failure(&send(&house, &key).await),
        ("throttled", "email-cap")
    );
    assert_eq!(mails(&peer).len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relays_words_keep_the_code_and_its_record_keeps_its_address() {
    for (reply_to_data, reply_to_rcpt) in [
        (
            "250 2.0.0 queued for 482913 person@example.net NDgyOTEz by 127.0.0.1",
            "250 ok",
        ),
        (
            "250 ok",
            "550 482913 person@example.net refused at 127.0.0.1:PORT",
        ),
        (
            "250 ok",
            "451 4.7.1 https://app.test/in?t=482913 at [127.0.0.1]",
        ),
    ] {
        let peer = MailPeer::start(None, false, move |line| match line.text.as_str() {
            "." => reply(reply_to_data),
            text if text.starts_with("RCPT") => reply(reply_to_rcpt),
            _ => usual(line),
        })
        .await;
        let house = lending(&peer, &json!({})).await;
        let key = borrower(&house, "acme", "composer", json!({})).await;
        let message = send(&house, &key).await;
        let attempt = &message["attempts"][0];
        let words = message.to_string();
        for private in [
            CODE,
            "person@example.net",
            "NDgyOTEz",
            "\"127.0.0.1",
            " 127.0.0.1",
            "[127.0.0.1",
        ] {
            assert!(!words.contains(private), "{private} in {words}");
        }
        assert!(
            words.contains("[code]") && words.contains("[relay]"),
            "{words}"
        );
        let exchange = &attempt["exchanges"][0];
        assert_eq!(
            (&exchange["authority"], &exchange["peer"]),
            (&json!("[relay]"), &Value::Null)
        );
        let stored = {
            let folder = house.stop().await;
            let file = folder.path().join("data/sendbox.db");
            String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()
        };
        assert!(!stored.contains(CODE), "the code is in the database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_name_that_misleads_is_not_used() {
    let peer = MailPeer::start(None, false, usual).await;
    let house = lending(&peer, &json!({})).await;
    for (number, sender) in [
        "ceo＠bank.test",
        "Bank\u{202e}tset.",
        "\u{2066}Bank\u{2069}",
        "ceo@bank.test",
    ]
    .into_iter()
    .enumerate()
    {
        let key = borrower(
            &house,
            &format!("t{number}"),
            "composer",
            json!({ "sender": sender }),
        )
        .await;
        assert_eq!(send(&house, &key).await["state"], "sent");
        let mail = mails(&peer).pop().unwrap();
        let parsed = mail_parser::MessageParser::default()
            .parse(mail.as_bytes())
            .unwrap();
        let from = parsed.from().unwrap().first().unwrap();
        assert_eq!(from.name.as_deref(), Some("House"), "{sender:?}");
        assert_eq!(from.address.as_deref(), Some("noreply@house.test"));
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_version_lent_stays_lent_to_every_version_of_the_servers_own() {
    let peer = MailPeer::start(None, false, usual).await;
    let house = lending(&peer, &json!({})).await;
    let own = connector_bundle::component("builtin-email").unwrap();
    // Another version of it, as an integration holds it over an update of the server.
    let mut older = own.to_vec();
    let described = memchr::memmem::find(&older, b"with ready texts in ten languages").unwrap();
    older[described..described + 4].copy_from_slice(b"With");
    house.upload(&older).await.expect(201);
    let key = borrower(&house, "acme", "builtin-email", json!({})).await;
    let stranger = borrower(&house, "globex", "composer", json!({ "act": "compose" })).await;
    let folder = house.stop().await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("data/sendbox.db"));
    let mut db = options.connect().await.unwrap();
    sqlx::query("UPDATE email_service SET record = json_remove(record, '$.connectors')")
        .execute(&mut db)
        .await
        .unwrap();
    db.close().await.unwrap();
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let path = "/v1/email-service";
    let service = house.operate("GET", path, Value::Null).await.expect(200);
    let mut named = [own, &older].map(|component| Digest::of(component).to_string());
    named.sort();
    let mut lent: Vec<String> =
        serde_json::from_value(service.json()["connectors"].clone()).unwrap();
    lent.sort();
    assert_eq!(lent, named);
    assert_eq!(send(&house, &key).await["state"], "sent");
    let refused = send(&house, &stranger).await;
    assert_eq!(failure(&refused), ("unavailable", "route"), "{refused}");
    house.stop().await;
}
