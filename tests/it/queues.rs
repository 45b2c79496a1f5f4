//! Who waits for whom: nobody for another's provider.

use std::time::Duration;

use sendbox::time::Clock;
use serde_json::{Value, json};

use crate::harness::{Answer, Held, House, Provider, patient};

/// Far less than it would take for an answer that is held, or for the next look at the outbox.
const SOON: Duration = Duration::from_secs(3);

async fn post(house: &House, key: &str, channel: &str) -> Answer {
    let to = match channel {
        "sms" => "14155552671",
        _ => "leonhard@euler.example",
    };
    let message = json!({
        "channel": channel, "to": to, "type": "SignIn", "payload": { "code": "314159" },
    });
    let answer = house.call(key, "POST", "/v1/messages", &message).await;
    answer.expect(202)
}

async fn arrives(provider: &Provider, count: usize) {
    let arrived = tokio::time::timeout(SOON, provider.wait_for(count)).await;
    assert!(arrived.is_ok(), "{} of {count}", provider.count());
}

/// Text messages by a provider of their own.
async fn with_texts(house: &House, tenant: &str, provider: &Provider) {
    let component = connector_bundle::component("http-sms").unwrap();
    house.upload(component).await;
    let settings = json!({ "endpoint": format!("http://{}/", provider.address) });
    house.integrate(tenant, "text", "http-sms", settings).await;
    let path = format!("/v1/tenants/{tenant}/routes/sms");
    let route = json!({ "integrations": ["text"] });
    house.operate("PUT", &path, route).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_place_that_comes_back_goes_to_whoever_waits() {
    let (mut held, healthy) = (Held::start().await, Provider::accepting().await);
    let house = House::start_with(Clock::System, |config| {
        config.delivery.concurrency = 8;
        patient(config);
    })
    .await;
    let busy = house.tenant("busy", &held.endpoint(), None).await;
    let endpoint = format!("http://{}/", healthy.address);
    let other = house.tenant("other", &endpoint, None).await;
    for _ in 0..8 {
        post(&house, &busy, "email").await;
    }
    held.arrived(8).await;
    post(&house, &other, "email").await;
    assert_eq!(healthy.count(), 0, "there is no place");
    held.let_go_of(1);
    arrives(&healthy, 1).await;
    held.let_go();
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_messages_do_not_wait_for_mails_whose_provider_hangs() {
    let (mut held, healthy) = (Held::start().await, Provider::accepting().await);
    let house = House::start_with(Clock::System, |config| {
        config.delivery.tenant_concurrency = 1;
        patient(config);
    })
    .await;
    let key = house.tenant("acme", &held.endpoint(), None).await;
    with_texts(&house, "acme", &healthy).await;
    for _ in 0..100 {
        post(&house, &key, "email").await;
    }
    held.arrived(1).await;
    for count in 1..=3 {
        post(&house, &key, "sms").await;
        arrives(&healthy, count).await;
    }
    assert_eq!(held.provider.count(), 0, "no mail was answered meanwhile");
    held.let_go();
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_place_ends_when_its_time_is_over() {
    let mut held = Held::start().await;
    let house = House::start_with(Clock::System, |config| {
        config.delivery.concurrency = 1;
        patient(config);
    })
    .await;
    let key = house.tenant("acme", &held.endpoint(), None).await;
    post(&house, &key, "email").await;
    held.arrived(1).await;
    let message = json!({
        "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": {}, "expires_in_seconds": 1,
    });
    let id = house.call(&key, "POST", "/v1/messages", &message).await;
    let id = id.expect(202).text_at("/id");
    let ended = house.finished(&key, &id);
    let ended = tokio::time::timeout(SOON, ended).await.unwrap();
    assert_eq!(ended["state"], "expired");
    assert_eq!(ended["attempts"], Value::Array(Vec::new()));
    held.let_go();
    house.stop().await;
}

/// However many tenants' providers hang, a tenant whose provider answers does not wait for one of them.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_providers_that_hang_however_many_they_are() {
    let (held, healthy) = (Held::start().await, Provider::accepting().await);
    let house = House::start_with(Clock::System, |config| {
        // Fewer than the test's engine has slots.
        config.delivery.concurrency = 60;
        patient(config);
    })
    .await;
    for number in 0..10 {
        let dead = house
            .tenant(&format!("dead{number}"), &held.endpoint(), None)
            .await;
        for _ in 0..20 {
            post(&house, &dead, "email").await;
        }
    }
    let endpoint = format!("http://{}/", healthy.address);
    let good = house.tenant("good", &endpoint, None).await;
    for sent in 1..=40 {
        post(&house, &good, "email").await;
        arrives(&healthy, sent).await;
    }
    held.let_go();
    house.stop().await;
}

/// A burst is sent as fast as its provider takes it: the places that it lacks at first are there with the first answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_answers_is_given_all_places_of_its_queue() {
    let held = Held::start().await;
    let house = House::start_with(Clock::System, |config| {
        config.delivery.tenant_concurrency = 32;
        patient(config);
    })
    .await;
    let burst = house.tenant("burst", &held.endpoint(), None).await;
    let mut held = held;
    for _ in 0..200 {
        post(&house, &burst, "email").await;
    }
    held.arrived(8).await;
    assert_eq!(held.provider.count(), 0);
    // Each answer makes room for itself and for one more.
    held.let_go_of(24);
    let late = tokio::time::timeout(Duration::from_secs(20), held.arrived(24 + 32)).await;
    assert!(
        late.is_ok(),
        "{} answered, {} under way",
        held.provider.count(),
        house.server.app().delivery.under_way()
    );
    held.let_go();
    house.stop().await;
}
