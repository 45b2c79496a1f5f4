//! Test sends: messages like others, with one attempt through one integration.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use sendbox::time::Clock;
use serde_json::{Value, json};

use crate::fault_kit::Run;
use crate::harness::{Answer, Held, House, Provider, patient};

const TEST: &str = "/v1/integrations/mail/test";
const TO: &str = "leonhard@euler.example";

async fn test(house: &House, key: &str) -> Answer {
    house.call(key, "POST", TEST, &json!({ "to": TO })).await
}

async fn messages(house: &House, key: &str) -> Vec<Value> {
    let page = house.call(key, "GET", "/v1/messages", &Value::Null).await;
    page.expect(200).json()["data"].as_array().unwrap().clone()
}

/// The only message of a tenant, in its final state.
async fn only(house: &House, key: &str) -> Value {
    let found = messages(house, key).await;
    assert_eq!(found.len(), 1, "{found:?}");
    house.finished(key, found[0]["id"].as_str().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_a_message_with_its_attempt_and_without_a_secret() {
    let provider = Provider::accepting().await;
    let endpoint = format!("http://{}/", provider.address);
    let house = House::start().await;
    let key = house.tenant("acme", &endpoint, None).await;
    let body = json!({
        "to": TO, "payload": { "code": "577215" },
        "settings": { "endpoint": endpoint, "authorization": "Bearer unsaved-0123456789" },
    });
    let answer = house.call(&key, "POST", TEST, &body).await.expect(200);
    assert_eq!(answer.json()["ok"], true, "{}", answer.text);
    let arrival = provider.arrivals().pop().unwrap();
    assert_eq!(arrival.authorization, "Bearer unsaved-0123456789");

    let message = only(&house, &key).await;
    assert_eq!(message["id"], answer.json()["id"]);
    assert_eq!(
        (&message["origin"], &message["state"]),
        (&json!("test"), &json!("sent"))
    );
    let attempt = &message["attempts"][0];
    assert_eq!(attempt["integration"], "mail");
    for field in ["outcome", "exchanges"] {
        assert_eq!(attempt[field], answer.json()[field], "{field}");
    }
    // What is saved is as it was, and what was tried is nowhere.
    let saved = house
        .call(&key, "GET", "/v1/integrations/mail", &Value::Null)
        .await;
    assert_eq!(saved.expect(200).json()["secrets"], json!([]));
    let folder = house.stop().await;
    for file in ["sendbox.db", "sendbox.db-wal"] {
        let bytes = std::fs::read(folder.path().join("data").join(file)).unwrap_or_default();
        for text in ["unsaved-0123456789", "577215", TO] {
            let found = bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes());
            assert!(!found, "{text} in {file}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_sent_once_whatever_comes_of_it() {
    for (status, state) in [
        (StatusCode::SERVICE_UNAVAILABLE, "failed"),
        (StatusCode::TOO_MANY_REQUESTS, "failed"),
        (StatusCode::UNAUTHORIZED, "failed"),
        (StatusCode::BAD_REQUEST, "failed"),
    ] {
        let provider = Provider::start(move |_| (status, HeaderMap::new(), "{}".to_owned())).await;
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let house = House::start_with(Clock::Manual(clock.clone()), |_| {}).await;
        let endpoint = format!("http://{}/", provider.address);
        let key = house.tenant("acme", &endpoint, None).await;
        let spare = json!({ "endpoint": endpoint });
        house.integrate("acme", "spare", "http-email", spare).await;
        let route = json!({ "integrations": ["mail", "spare"] });
        let path = "/v1/tenants/acme/routes/email";
        house.operate("PUT", path, route).await.expect(200);
        let answer = test(&house, &key).await.expect(200);
        assert_eq!(answer.json()["ok"], false, "{}", answer.text);
        // Whatever could be tried again would be due by now.
        clock.fetch_add(300_000, Ordering::SeqCst);
        house.server.app().delivery.wake();
        let message = only(&house, &key).await;
        assert_eq!(
            (&message["state"], &message["attempt_count"]),
            (&json!(state), &json!(1))
        );
        assert_eq!(provider.count(), 1, "{status}");
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_messages_hold_for_tests_and_of_both_together() {
    let provider = Provider::accepting().await;
    let house = House::start_with(Clock::System, |config| {
        config.tenant_limits.recipient_per_hour = Some(2);
    })
    .await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    test(&house, &key).await.expect(200);
    let message = json!({
        "channel": "email", "to": TO, "type": "SignIn", "payload": { "code": "577215" },
    });
    let posted = house.call(&key, "POST", "/v1/messages?wait=30", &message);
    assert_eq!(posted.await.expect(202).json()["origin"], "api");
    for _ in 0..3 {
        let answer = test(&house, &key).await.expect(429);
        assert_eq!(answer.text_at("/code"), "limit.recipient");
    }
    assert_eq!(
        (provider.count(), messages(&house, &key).await.len()),
        (2, 2)
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_takes_one_of_its_tenants_places() {
    let mut held = Held::start().await;
    let house = House::start_with(Clock::System, |config| {
        config.delivery.tenant_concurrency = 2;
        patient(config);
    })
    .await;
    let key = house.tenant("acme", &held.endpoint(), None).await;
    let other = house.tenant("other", &held.endpoint(), None).await;
    let (one, two) = (test(&house, &key), test(&house, &key));
    let over = async {
        held.arrived(2).await;
        let answer = test(&house, &key).await.expect(429);
        assert_eq!(answer.text_at("/code"), "limit.concurrency");
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(
            messages(&house, &key).await.len(),
            2,
            "one that has no place leaves no row"
        );
        // A neighbour has places of its own.
        let neighbour = test(&house, &other);
        let let_go = async {
            held.arrived(3).await;
            held.let_go();
        };
        tokio::join!(neighbour, let_go).0.expect(200);
    };
    let (one, two, ()) = tokio::join!(one, two, over);
    for answer in [one, two] {
        assert_eq!(answer.expect(200).json()["ok"], true);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_and_a_server_that_stops_change_nothing() {
    let mut held = Held::start().await;
    let house = House::start_with(Clock::System, patient).await;
    let key = house.tenant("acme", &held.endpoint(), None).await;
    {
        let caller = test(&house, &key);
        tokio::select! {
            answer = caller => panic!("{answer:?}"),
            () = held.arrived(1) => {}
        }
    }
    let [message] = messages(&house, &key).await.try_into().unwrap();
    assert_eq!(message["state"], "sending");
    // The test is under way and nobody waits for it: the server stops once it has ended.
    let address = house.server.address;
    let stopped = house.stop();
    let let_go = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        held.let_go();
    };
    let (folder, ()) = tokio::join!(stopped, let_go);
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let message = only(&house, &key).await;
    assert_eq!(
        (&message["state"], &message["attempt_count"]),
        (&json!("sent"), &json!(1))
    );
    assert_eq!(held.provider.count(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_ends_a_test_and_no_start_sends_it_again() {
    let mut run = Run::new().await;
    let mut sent = 0;
    for (number, (step, state, arrives)) in [
        ("accept.committed", "failed", false),
        ("call.prepared", "failed", false),
        ("arm.committed", "unknown", false),
        ("call.answered", "unknown", true),
    ]
    .into_iter()
    .enumerate()
    {
        run.plan(&format!("{step} kill"));
        assert!(run.start());
        let body = json!({ "to": TO, "payload": { "code": format!("nr-{number:06}-ok") } });
        let answer = run.test("acme", "mail", &body.to_string()).await;
        assert!(answer.is_err(), "{step}: {answer:?}");
        run.ended().await;
        sent += usize::from(arrives);
        run.plan("");
        assert!(run.start());
        let page = run
            .call("acme", "GET", "/v1/messages?limit=1")
            .await
            .unwrap();
        let id = page.text_at("/data/0/id");
        let end = run.end(&id).await;
        assert_eq!(
            (end.state.as_str(), end.attempts.len()),
            (state, 1),
            "{step}"
        );
        let message = run.message(&id).await;
        let code = &message["attempts"][0]["outcome"]["failure"]["code"];
        assert_eq!(
            (&message["origin"], code),
            (&json!("test"), &json!("interrupted")),
            "{step}"
        );
        // What comes after it is sent, so that a second send of the test would have been seen.
        let after = json!({ "to": TO, "payload": { "code": format!("nr-9{number:05}-ok") } });
        let after = run.test("acme", "mail", &after.to_string()).await;
        assert_eq!(after.unwrap().expect(200).json()["ok"], true);
        sent += 1;
        assert_eq!(run.taken().len(), sent, "{step}: {:?}", run.taken());
        run.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_message_hears_at_once_that_it_was_withdrawn_or_ran_out_of_time() {
    let mut held = Held::start().await;
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let house = House::start_with(Clock::Manual(clock.clone()), |config| {
        config.delivery.tenant_concurrency = 1;
        patient(config);
    })
    .await;
    let key = house.tenant("acme", &held.endpoint(), None).await;
    let message = |seconds: u64| {
        json!({
            "channel": "email", "to": TO, "type": "SignIn", "payload": { "code": "577215" },
            "expires_in_seconds": seconds,
        })
    };
    let delivery = &house.server.app().delivery;
    let under_way = test(&house, &key);
    let others = async {
        held.arrived(1).await;
        let waiting = async |count: usize| {
            while delivery.waiting() != count {
                tokio::task::yield_now().await;
            }
        };
        let (long, short) = (message(600), message(30));
        let withdrawn = waited(&house, &key, &long);
        let withdraw = async {
            // Beside the test, which holds the only place.
            let id = loop {
                let found = messages(&house, &key).await;
                if let Some(posted) = found.iter().find(|message| message["origin"] == "api") {
                    break posted["id"].as_str().unwrap().to_owned();
                }
            };
            let path = format!("/v1/messages/{id}");
            house
                .call(&key, "DELETE", &path, &Value::Null)
                .await
                .expect(200);
        };
        let (withdrawn, ()) = tokio::join!(withdrawn, withdraw);
        assert_eq!(withdrawn.text_at("/state"), "cancelled");

        let late = waited(&house, &key, &short);
        let pass = async {
            waiting(1).await;
            clock.fetch_add(31_000, Ordering::SeqCst);
            delivery.wake();
        };
        let (late, ()) = tokio::join!(late, pass);
        assert_eq!(late.text_at("/state"), "expired");

        // One who gives up leaves nothing behind.
        let given_up = waited(&house, &key, &long);
        tokio::select! {
            answer = given_up => panic!("{answer:?}"),
            () = waiting(1) => {}
        }
        waiting(0).await;
        held.let_go();
    };
    let ((), answer) = tokio::join!(others, under_way);
    answer.expect(200);
    house.stop().await;
}

/// Posts a message and waits for its first attempt longer than a test may take.
async fn waited(house: &House, key: &str, message: &Value) -> Answer {
    let answer = house.call(key, "POST", "/v1/messages?wait=60", message);
    let answer = tokio::time::timeout(Duration::from_secs(30), answer).await;
    answer.expect("the wait goes on").expect(202)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_would_leave_and_nothing_does() {
    let provider = Provider::accepting().await;
    let endpoint = format!("http://{}/", provider.address);
    let house = House::start().await;
    let key = house.tenant("acme", &endpoint, None).await;
    let put = json!({
        "connector": "http-email",
        "settings": { "endpoint": endpoint, "authorization": "Bearer saved-0123456789" },
    });
    let path = "/v1/integrations/mail";
    house.call(&key, "PUT", path, &put).await.expect(200);
    let body =
        json!({ "to": TO, "type": "SignIn", "payload": { "code": "577215" }, "dry_run": true });
    let answer = house.call(&key, "POST", TEST, &body).await.expect(200);
    let seen = answer.json();
    assert_eq!(
        (&seen["dry_run"], &seen["ok"]),
        (&json!(true), &json!(true)),
        "{seen:#}"
    );
    let request = &seen["requests"][0];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["url"], endpoint);
    let headers = request["headers"].as_array().unwrap();
    let authorization = json!(["authorization", "[/authorization]"]);
    assert!(headers.contains(&authorization), "{headers:?}");
    let posted: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&posted["to"], &posted["payload"]["code"]),
        (&json!(TO), &json!("577215"))
    );
    assert!(!answer.text.contains("0123456789"), "{}", answer.text);

    // Mail as it would leave, with the tenant's text in the recipient's language.
    house
        .upload(connector_bundle::component("smtp").unwrap())
        .await;
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    let settings = json!({
        "host": "mail.example.com", "port": 587, "auth": { "user": "u", "pass": "saved-0123456789" },
        "fromEmail": "noreply@example.com",
        "templates": usage_types.map(|usage_type| json!({
            "usageType": usage_type, "contentType": "text/plain", "subject": "Code", "content": "{{code}}",
        })),
    });
    let put = json!({ "connector": "smtp", "settings": settings });
    house
        .call(&key, "PUT", "/v1/integrations/post", &put)
        .await
        .expect(201);
    let details = json!({ "subject": "Ihr Code", "content": "Er lautet {{code}}", "contentType": "text/plain" });
    let templates = json!({ "templates": [{ "languageTag": "de", "templateType": "SignIn", "details": details }] });
    house
        .call(&key, "PUT", "/v1/email-templates", &templates)
        .await
        .expect(200);
    let body = json!({
        "to": TO, "type": "SignIn", "payload": { "code": "577215" }, "locale": "de", "dry_run": true,
    });
    let path = "/v1/integrations/post/test";
    let answer = house.call(&key, "POST", path, &body).await.expect(200);
    let mail = &answer.json()["mails"][0];
    assert!(
        mail["text"].as_str().unwrap().contains("Er lautet 577215"),
        "{}",
        answer.text
    );
    assert_eq!(
        mail["rcpt_to"],
        json!([format!("<{TO}>")]),
        "{}",
        answer.text
    );
    let subject = json!(["Subject", "Ihr Code"]);
    assert!(
        mail["headers"].as_array().unwrap().contains(&subject),
        "{}",
        answer.text
    );

    // What egress would refuse is refused.
    let body = json!({
        "to": TO, "dry_run": true, "connector": "http-email", "settings": { "endpoint": "https://10.1.2.3/" },
    });
    let refused = house
        .call(&key, "POST", "/v1/integrations/new/test", &body)
        .await;
    let refused = refused.expect(200).json();
    assert_eq!(refused["ok"], false, "{refused:#}");
    assert_eq!(refused["requests"], json!([]), "{refused:#}");

    assert!(messages(&house, &key).await.is_empty());
    assert!(provider.arrivals().is_empty());
    house.stop().await;
}
