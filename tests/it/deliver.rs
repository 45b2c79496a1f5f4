//! From a request to a provider: the main job, its failures and its limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use axum::http::{HeaderMap, StatusCode};
use sendbox::time::Clock;
use serde_json::{Value, json};

use crate::harness::{House, Provider, call};

/// The payload of Logto's documentation.
const LOGTO: &str = r#"{"to":"foo@logto.io","type":"SignIn","payload":{"code":"123456","locale":"de"},"ip":"192.168.1.1"}"#;

async fn logto(house: &House, tenant: &str, key: &str, body: &str) -> crate::harness::Answer {
    let path = format!("/front-doors/logto/{tenant}/email");
    // Logto sends the value of its setting as it is, without a scheme of its own.
    let headers = [("authorization", key), ("content-type", "application/json")];
    call(
        house.server.address,
        "POST",
        &path,
        &headers,
        body.to_owned(),
    )
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn logtos_payload_reaches_the_provider_unchanged_from_the_tenants_address() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/send", provider.address);
    for (tenant, source) in [("acme", "127.0.0.2"), ("globex", "127.0.0.3")] {
        let key = house.tenant(tenant, &endpoint, Some(source)).await;
        let answer = logto(&house, tenant, &key, LOGTO).await.expect(200);
        let arrival = provider.arrivals().pop().unwrap();
        assert_eq!(arrival.source, source);
        assert_eq!(
            arrival.json(),
            serde_json::from_str::<Value>(LOGTO).unwrap()
        );
        let path = format!("/v1/messages/{}", answer.text_at("/id"));
        let message = house
            .call(&key, "GET", &path, &Value::Null)
            .await
            .expect(200);
        assert_eq!(message.text_at("/state"), "sent");
        assert_eq!(message.text_at("/attempts/0/exchanges/0/source_ip"), source);
        assert_eq!(
            message.text_at("/attempts/0/exchanges/0/progress"),
            "answered"
        );
        assert!(
            !message.text.contains("foo@logto.io") && !message.text.contains("123456"),
            "{}",
            message.text
        );
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_primary_is_followed_by_the_next_integration_and_the_timeline_shows_both() {
    let house = House::start().await;
    let down = Provider::start(|_| {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            HeaderMap::new(),
            "busy".into(),
        )
    })
    .await;
    let up = Provider::accepting().await;
    let key = house
        .tenant("acme", &format!("http://{}/", down.address), None)
        .await;
    house
        .integrate(
            "acme",
            "second",
            "http-email",
            json!({ "endpoint": format!("http://{}/", up.address) }),
        )
        .await;
    let route = json!({ "integrations": ["mail", "second"] });
    house
        .operate("PUT", "/v1/tenants/acme/routes/email", route)
        .await
        .expect(200);
    let answer = logto(&house, "acme", &key, LOGTO).await.expect(202);
    let message = house.finished(&key, &answer.text_at("/id")).await;
    assert_eq!(message["state"], "sent");
    assert_eq!(message["attempts"][0]["integration"], "mail");
    assert_eq!(
        message["attempts"][0]["outcome"]["failure"]["kind"],
        "unavailable"
    );
    assert_eq!(message["attempts"][1]["integration"], "second");
    assert_eq!(message["attempts"][1]["possible_duplicate"], false);
    assert_eq!((down.arrivals().len(), up.arrivals().len()), (1, 1));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sms_whose_end_nobody_knows_stops_and_an_email_is_repeated_and_marked() {
    let house = House::start_with(Clock::System, |config| {
        config.delivery.retry.unknown_pause_ms = 50;
    })
    .await;
    let broken = std::sync::atomic::AtomicUsize::new(0);
    let provider = Provider::start(move |_| {
        let first = broken.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
        let status = if first {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        };
        (status, HeaderMap::new(), "{}".into())
    })
    .await;
    let endpoint = format!("http://{}/", provider.address);
    let key = house.tenant("acme", &endpoint, None).await;
    house
        .upload(connector_bundle::component("http-sms").unwrap())
        .await
        .expect(201);
    house
        .integrate("acme", "text", "http-sms", json!({ "endpoint": endpoint }))
        .await;
    house
        .operate(
            "PUT",
            "/v1/tenants/acme/routes/sms",
            json!({ "integrations": ["text"] }),
        )
        .await
        .expect(200);
    let sms = json!({ "channel": "sms", "to": "14155552671", "type": "SignIn", "payload": { "code": "1" } });
    let id = house
        .call(&key, "POST", "/v1/messages", &sms)
        .await
        .expect(202)
        .text_at("/id");
    assert_eq!(house.finished(&key, &id).await["state"], "unknown");
    let email = json!({ "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "2" } });
    let id = house
        .call(&key, "POST", "/v1/messages", &email)
        .await
        .expect(202)
        .text_at("/id");
    let message = house.finished(&key, &id).await;
    assert_eq!(message["state"], "sent");
    assert_eq!(message["attempts"][0]["possible_duplicate"], false);
    assert_eq!(message["attempts"][1]["possible_duplicate"], true);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_recipient_is_not_tried_again_and_the_person_sees_one_plain_sentence() {
    let house = House::start().await;
    let provider = Provider::start(|_| {
        (
            StatusCode::BAD_REQUEST,
            HeaderMap::new(),
            "provider's secret words".into(),
        )
    })
    .await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let answer = logto(&house, "acme", &key, LOGTO).await.expect(422);
    assert_eq!(
        answer.text,
        "The message could not be sent to this recipient.\n"
    );
    assert_eq!(provider.arrivals().len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_outside_the_policy_is_refused_before_a_byte_leaves_and_shown_in_the_timeline()
 {
    let (house, provider) = (
        House::start_with(sendbox::time::Clock::System, |config| {
            config.egress = sendbox::egress::EgressConfig::default();
        })
        .await,
        Provider::accepting().await,
    );
    // A production profile: loopback is an address like any other private one.
    let key = house
        .tenant("acme", &format!("https://{}/", provider.address), None)
        .await;
    let answer = logto(&house, "acme", &key, LOGTO).await;
    let list = house
        .call(&key, "GET", "/v1/messages", &Value::Null)
        .await
        .expect(200);
    let id = list.text_at("/data/0/id");
    let message = house
        .call(&key, "GET", &format!("/v1/messages/{id}"), &Value::Null)
        .await
        .json();
    assert_eq!(
        message["attempts"][0]["exchanges"][0]["progress"], "refused",
        "{} {message}",
        answer.text
    );
    assert!(provider.arrivals().is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_whose_address_is_not_on_this_machine_fails_closed() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let key = house
        .tenant(
            "acme",
            &format!("http://{}/", provider.address),
            Some("203.0.113.9"),
        )
        .await;
    let email = json!({
        "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": {}, "expires_in_seconds": 1,
    });
    let id = house
        .call(&key, "POST", "/v1/messages", &email)
        .await
        .expect(202)
        .text_at("/id");
    let message = house.finished(&key, &id).await;
    assert_eq!(message["state"], "expired", "{message}");
    assert_eq!(
        message["attempts"][0]["exchanges"][0]["progress"],
        "not-connected"
    );
    assert!(provider.arrivals().is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_server_accepts_nothing_and_says_so() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    call(house.server.address, "GET", "/readyz", &[], "")
        .await
        .unwrap()
        .expect(200);
    house.server.app().store.close().await;
    call(house.server.address, "GET", "/readyz", &[], "")
        .await
        .unwrap()
        .expect(503);
    logto(&house, "acme", &key, LOGTO).await.expect(503);
    let email =
        json!({ "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": {} });
    house
        .call(&key, "POST", "/v1/messages", &email)
        .await
        .expect(503);
    assert!(provider.arrivals().is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_past_its_time_is_never_begun() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let house = House::start_with(Clock::Manual(clock.clone()), |_| {}).await;
    let down = Provider::start(|_| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "30".parse().unwrap());
        (StatusCode::SERVICE_UNAVAILABLE, headers, "busy".into())
    })
    .await;
    let key = house
        .tenant("acme", &format!("http://{}/", down.address), None)
        .await;
    let answer = logto(&house, "acme", &key, LOGTO).await.expect(202);
    let id = answer.text_at("/id");
    let path = format!("/v1/messages/{id}");
    let waiting = house.call(&key, "GET", &path, &Value::Null).await;
    assert_eq!(waiting.text_at("/state"), "waiting");
    // The clock jumps past the ten minutes that a code lives.
    clock.fetch_add(601_000, Ordering::SeqCst);
    house.server.app().delivery.wake();
    assert_eq!(house.finished(&key, &id).await["state"], "expired");
    assert_eq!(down.count(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_waits_for_the_time_that_the_provider_asked_for() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let house = House::start_with(Clock::Manual(clock.clone()), |_| {}).await;
    let calls = AtomicUsize::new(0);
    let provider = Provider::start(move |_| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "30".parse().unwrap());
        match calls.fetch_add(1, Ordering::SeqCst) {
            0 => (StatusCode::TOO_MANY_REQUESTS, headers, "slow down".into()),
            _ => (StatusCode::OK, HeaderMap::new(), "{}".into()),
        }
    })
    .await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let id = logto(&house, "acme", &key, LOGTO)
        .await
        .expect(202)
        .text_at("/id");
    clock.fetch_add(29_000, Ordering::SeqCst);
    house.server.app().delivery.wake();
    let email =
        json!({ "channel": "email", "to": "b@example.com", "type": "SignIn", "payload": {} });
    let other = house
        .call(&key, "POST", "/v1/messages?wait=10", &email)
        .await
        .expect(202);
    assert_eq!(other.text_at("/state"), "sent");
    assert_eq!(provider.count(), 2, "the first is not due yet");
    clock.fetch_add(1_000, Ordering::SeqCst);
    house.server.app().delivery.wake();
    let message = house.finished(&key, &id).await;
    assert_eq!(message["state"], "sent");
    assert_eq!(
        message["attempts"][0]["outcome"]["failure"]["kind"],
        "throttled"
    );
    assert_eq!(message["attempts"][1]["possible_duplicate"], false);
    house.stop().await;
}
