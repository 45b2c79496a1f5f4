//! The limits of a tenant and of the node, met through the doors.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sendbox::config::Config;
use sendbox::time::Clock;
use serde_json::{Value, json};

use crate::harness::{Answer, House, Provider, call};

const START: i64 = 1_800_000_000_000;

/// A server under a hand-moved clock with two tenants, each with a key.
struct Doors {
    house: House,
    clock: Arc<AtomicI64>,
    keys: [String; 2],
    provider: Provider,
}

impl Doors {
    async fn open(adapt: impl FnOnce(&mut Config)) -> Self {
        let clock = Arc::new(AtomicI64::new(START));
        let house = House::start_with(Clock::Manual(clock.clone()), adapt).await;
        let provider = Provider::accepting().await;
        let endpoint = format!("http://{}/", provider.address);
        let keys = [
            house.tenant("acme", &endpoint, None).await,
            house.tenant("other", &endpoint, None).await,
        ];
        Self {
            house,
            clock,
            keys,
            provider,
        }
    }

    fn pass(&self, millis: i64) {
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    async fn post(&self, key: &str, to: &str) -> Answer {
        let body = json!({
            "channel": "email", "to": to, "type": "SignIn", "payload": { "code": "246810" },
        });
        self.house.call(key, "POST", "/v1/messages", &body).await
    }

    async fn hits(&self, limit: &str) -> u64 {
        let page = self.house.operate("GET", "/metrics", Value::Null).await;
        let name = format!("sendbox_limit_hits_total{{limit=\"{limit}\"}} ");
        let line = page.text.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |count| count.parse().unwrap())
    }
}

fn refused(answer: &Answer, status: u16, limit: &str, key: &str) {
    assert_eq!(
        (answer.status, answer.text_at("/code").as_str()),
        (status, limit),
        "{}",
        answer.text
    );
    let detail = answer.text_at("/detail");
    assert!(detail.contains(key), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_over_its_rate_waits_and_its_neighbour_does_not() {
    let doors = Doors::open(|config| config.tenant_limits.messages_per_second = Some(2)).await;
    let [acme, other] = &doors.keys;
    for _ in 0..4 {
        doors.post(acme, "alice@example.net").await.expect(202);
    }
    let answer = doors.post(acme, "alice@example.net").await;
    let key = "tenant_limits.messages_per_second";
    refused(&answer, 429, "limit.messages", key);
    assert_eq!(answer.headers["retry-after"], "1");
    doors.post(other, "alice@example.net").await.expect(202);
    assert_eq!(doors.hits("limit.messages").await, 1);
    doors.pass(500);
    doors.post(acme, "alice@example.net").await.expect(202);
    assert_eq!(doors.post(acme, "alice@example.net").await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_recipient_is_spared_whatever_the_case_of_the_address() {
    let doors = Doors::open(|config| {
        config.tenant_limits.recipient_interval_ms = Some(30_000);
        config.tenant_limits.recipient_per_hour = Some(2);
    })
    .await;
    let [acme, other] = &doors.keys;
    doors.post(acme, "alice@example.net").await.expect(202);
    let soon = doors.post(acme, "Alice@Example.Net").await;
    refused(
        &soon,
        429,
        "limit.recipient",
        "tenant_limits.recipient_interval_ms",
    );
    assert_eq!(soon.headers["retry-after"], "30");
    assert!(!soon.text.to_lowercase().contains("alice"), "{}", soon.text);
    doors.post(acme, "bob@example.net").await.expect(202);
    doors.post(other, "alice@example.net").await.expect(202);
    doors.pass(30_000);
    doors.post(acme, "alice@example.net").await.expect(202);
    doors.pass(30_000);
    let third = doors.post(acme, "alice@example.net").await;
    refused(
        &third,
        429,
        "limit.recipient",
        "tenant_limits.recipient_per_hour",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_gets_its_first_answer_whatever_the_limits_say_by_now() {
    let doors = Doors::open(|config| config.tenant_limits.recipient_per_hour = Some(1)).await;
    let [acme, _] = &doors.keys;
    let authorization = format!("Bearer {acme}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "sign-in-7"),
    ];
    let (doors, headers) = (&doors, &headers);
    let post = async |code: &str| {
        let body = json!({
            "channel": "email", "to": "alice@example.net", "type": "SignIn", "payload": { "code": code },
        });
        let address = doors.house.server.address;
        call(address, "POST", "/v1/messages", headers, body.to_string())
            .await
            .unwrap()
    };
    let first = post("246810").await.expect(202);
    let again = post("246810").await.expect(202);
    assert_eq!(again.text_at("/id"), first.text_at("/id"));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(post("135790").await.status, 409);
    let answer = doors.post(acme, "alice@example.net").await;
    let key = "tenant_limits.recipient_per_hour";
    refused(&answer, 429, "limit.recipient", key);
    assert_eq!(doors.hits("limit.recipient").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_rate_refuses_takes_nothing_from_another() {
    let doors = Doors::open(|config| {
        config.tenant_limits.messages_per_day = Some(2);
        config.tenant_limits.recipient_per_hour = Some(1);
    })
    .await;
    let [acme, _] = &doors.keys;
    doors.post(acme, "alice@example.net").await.expect(202);
    for _ in 0..3 {
        let answer = doors.post(acme, "alice@example.net").await;
        refused(&answer, 429, "limit.recipient", "recipient_per_hour");
    }
    doors.post(acme, "bob@example.net").await.expect(202);
    let answer = doors.post(acme, "carol@example.net").await;
    refused(&answer, 429, "limit.messages-per-day", "messages_per_day");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_outbox_takes_messages_again_once_some_have_ended() {
    let doors = Doors::open(|config| config.tenant_limits.queued_messages = 2).await;
    let [acme, other] = &doors.keys;
    // Nothing listens there: what is sent waits for its next attempt.
    let nowhere = json!({ "endpoint": "http://127.0.0.1:9/" });
    let path = "/v1/integrations/mail";
    let integration = json!({ "connector": "http-email", "settings": nowhere });
    doors
        .house
        .call(acme, "PUT", path, &integration)
        .await
        .expect(200);
    let first = doors
        .post(acme, "a@example.net")
        .await
        .expect(202)
        .text_at("/id");
    doors.post(acme, "b@example.net").await.expect(202);
    let answer = doors.post(acme, "c@example.net").await;
    refused(
        &answer,
        429,
        "limit.queued-messages",
        "tenant_limits.queued_messages",
    );
    doors.post(other, "c@example.net").await.expect(202);
    let door = "/front-doors/logto/acme/email";
    let logto =
        json!({ "to": "d@example.net", "type": "SignIn", "payload": { "code": "1" } }).to_string();
    let headers = [
        ("authorization", acme.as_str()),
        ("content-type", "application/json"),
    ];
    let shown = call(doors.house.server.address, "POST", door, &headers, logto)
        .await
        .unwrap();
    assert_eq!(
        (shown.status, shown.text.as_str()),
        (
            429,
            "Too many messages for now. Please try again in a moment.\n"
        )
    );
    // It ends as expired: there is room after the second in which the outbox is taken to be full.
    doors.pass(700_000);
    doors.house.server.app().delivery.wake();
    doors.house.finished(acme, &first).await;
    doors.post(acme, "d@example.net").await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_integrations_have_limits_of_their_own() {
    let doors = Doors::open(|config| {
        config.tenant_limits.calls_per_second = Some(1);
        config.tenant_limits.integrations = 2;
    })
    .await;
    let [acme, _] = &doors.keys;
    for _ in 0..2 {
        doors
            .house
            .call(acme, "GET", "/v1/integrations", &Value::Null)
            .await
            .expect(200);
    }
    let third = doors
        .house
        .call(acme, "GET", "/v1/integrations", &Value::Null)
        .await;
    refused(&third, 429, "limit.calls", "tenant_limits.calls_per_second");
    // An operator acts without it.
    let body =
        json!({ "connector": "http-email", "settings": { "endpoint": "http://127.0.0.1:9/" } });
    let path = |name: &str| format!("/v1/tenants/acme/integrations/{name}");
    doors
        .house
        .operate("PUT", &path("second"), body.clone())
        .await
        .expect(201);
    let one_more = doors
        .house
        .operate("PUT", &path("third"), body.clone())
        .await;
    refused(
        &one_more,
        429,
        "limit.integrations",
        "tenant_limits.integrations",
    );
    doors
        .house
        .operate("PUT", &path("second"), body)
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_disk_or_memory_takes_nothing_and_sends_what_it_has() {
    for (status, limit, key, adapt) in [
        (
            507,
            "limit.free-disk",
            "node_limits.free_disk_bytes",
            (|config| config.node_limits.free_disk_bytes = 1 << 40) as fn(&mut Config),
        ),
        (
            503,
            "limit.node-memory",
            "node_limits.memory_bytes",
            |config| config.node_limits.memory_bytes = Some(1),
        ),
    ] {
        let doors = Doors::open(|_| {}).await;
        let [acme, _] = doors.keys.clone();
        let kept = doors
            .post(&acme, "alice@example.net")
            .await
            .expect(202)
            .text_at("/id");
        doors.house.finished(&acme, &kept).await;
        let folder = doors.house.stop().await;
        let clock = Clock::Manual(Arc::new(AtomicI64::new(START + 1_000)));
        let house = House::start_in(folder, clock, adapt).await;
        let body = json!({
            "channel": "email", "to": "b@example.net", "type": "SignIn", "payload": { "code": "1" },
        });
        let answer = house.call(&acme, "POST", "/v1/messages", &body).await;
        refused(&answer, status, limit, key);
        // What is read and what was accepted goes on.
        house.finished(&acme, &kept).await;
        assert_eq!(doors.provider.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_stands_at_one_endpoint_with_its_maximum() {
    let house = House::start().await;
    let limits = house.operate("GET", "/v1/limits", Value::Null).await.json();
    for key in [
        "limits.cpu_ms",
        "engine.pool_slots",
        "tenant_limits.queued_messages",
        "tenant_limits.integrations",
        "node_limits.connections",
        "node_limits.free_disk_bytes",
    ] {
        let (value, maximum) = (&limits[key]["value"], &limits[key]["maximum"]);
        assert!(
            value.as_u64().unwrap() <= maximum.as_u64().unwrap(),
            "{key}"
        );
    }
}
