//! Failover as providers see it: every way to be dead, on both channels, with and without a healthy integration behind
//! it, under each policy. What arrives where is what docs/reliability.md says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use sendbox::delivery::OnUnknown;
use sendbox::time::{Clock, Timestamp};
use sendbox_tests::peer::{Peer, Reply};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{House, call};

/// What a dead provider leaves of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Nobody can tell.
    Doubt,
    /// Surely nothing, and another try may do.
    Nothing,
    /// Surely nothing, and it will stay so.
    Refused,
    /// What the connector makes of it.
    AsSaid,
}

const WHOLE: &str = "content-length: 2\r\n\r\n{}";
const PART: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";

/// The ways to be dead, by their path at the provider.
const DEATHS: [(&str, Left); 15] = [
    ("whole-500", Left::AsSaid),
    ("whole-502", Left::AsSaid),
    ("busy-503", Left::Nothing),
    ("busy-429", Left::Nothing),
    ("refused-connection", Left::Nothing),
    ("hangs-before-head", Left::Doubt),
    ("hangs-in-head", Left::Doubt),
    ("hangs-in-body", Left::Doubt),
    ("cut-before-answer", Left::Doubt),
    ("cut-after-head", Left::Doubt),
    ("cut-in-chunks", Left::Doubt),
    ("malformed-head", Left::Doubt),
    ("two-lengths", Left::Doubt),
    ("wrong-key", Left::Refused),
    ("never-ready", Left::Refused),
];

fn dead(death: &str) -> Reply {
    let whole = |status: &str| Reply::Bytes(format!("HTTP/1.1 {status}\r\n{WHOLE}").into_bytes());
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n";
    match death {
        "whole-500" => whole("500 Internal Server Error"),
        "whole-502" => whole("502 Bad Gateway"),
        "busy-503" => whole("503 Service Unavailable"),
        "busy-429" => whole("429 Too Many Requests"),
        "wrong-key" => whole("401 Unauthorized"),
        "hangs-before-head" => Reply::Silence,
        "hangs-in-head" => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
        "hangs-in-body" => Reply::Bytes(PART.into()),
        "cut-before-answer" => Reply::Close(Vec::new()),
        "cut-after-head" => Reply::Close(PART.into()),
        "cut-in-chunks" => Reply::Close(format!("{chunked}\r\n9\r\n{{").into_bytes()),
        "malformed-head" => Reply::Bytes(format!("HTTP/1.1 200 OK\r\n folded\r\n{WHOLE}").into()),
        "two-lengths" => Reply::Bytes(format!("{chunked}{WHOLE}").into()),
        other => panic!("{other}"),
    }
}

/// A death under one policy, with or without another integration behind it.
#[derive(Clone, Copy, Debug)]
struct Case {
    policy: OnUnknown,
    death: &'static str,
    left: Left,
    fallback: bool,
}

impl Case {
    fn tenant(self) -> String {
        let fallback = if self.fallback { "two" } else { "one" };
        format!("{}-{fallback}", self.death)
    }

    /// Its path at a provider for one channel.
    fn path(self, channel: &str) -> String {
        format!(
            "/{}/{:?}/{}/{channel}",
            self.death,
            self.policy,
            self.tenant()
        )
    }
}

/// The providers of all: a dead one and a healthy one.
struct Providers {
    dead: Peer,
    healthy: Peer,
}

/// Where nobody listens.
const NOBODY: u16 = 1;

impl Providers {
    async fn start() -> Self {
        let path = |head: &str| head.split_whitespace().nth(1).unwrap().to_owned();
        Self {
            dead: Peer::start(move |arrival| dead(path(&arrival.head).split('/').nth(1).unwrap()))
                .await,
            healthy: Peer::start(|_| Reply::ok("{}")).await,
        }
    }

    fn endpoint(&self, case: Case, channel: &str) -> String {
        let port = match case.death {
            "refused-connection" => NOBODY,
            _ => self.dead.address.port(),
        };
        format!("http://127.0.0.1:{port}{}", case.path(channel))
    }
}

fn arrived(peer: &Peer, path: &str) -> usize {
    let arrivals = peer.arrivals();
    let line = format!(" {path} ");
    arrivals
        .iter()
        .filter(|arrival| arrival.head.contains(&line))
        .count()
}

const CHANNELS: [(&str, &str, &str); 2] = [
    ("email", "http-email", "a@example.com"),
    ("sms", "http-sms", "+14155552671"),
];

/// A tenant whose integrations are those of the case. Returns its key.
async fn tenant(house: &House, providers: &Providers, case: Case) -> String {
    let name = case.tenant();
    let path = format!("/v1/tenants/{name}");
    house.operate("PUT", &path, json!({})).await.expect(201);
    for (channel, connector, _) in CHANNELS {
        let first = format!("{channel}-first");
        let endpoint = providers.endpoint(case, channel);
        house
            .integrate(&name, &first, connector, json!({ "endpoint": endpoint }))
            .await;
        if case.death == "never-ready" {
            // As by an older version, or a schema that has changed: it is active, and cannot be made ready.
            let store = &house.server.app().store;
            let (name, first) = (name.parse().unwrap(), first.parse().unwrap());
            let mut broken = store.integration(&name, &first).await.unwrap().unwrap();
            broken.settings = json!({ "endpoint": 1 });
            store.put_integration(&broken).await.unwrap();
        }
        let mut route = vec![first];
        if case.fallback {
            let second = format!("{channel}-second");
            let endpoint = format!("http://{}{}", providers.healthy.address, case.path(channel));
            house
                .integrate(&name, &second, connector, json!({ "endpoint": endpoint }))
                .await;
            route.push(second);
        }
        let route = json!({ "integrations": route });
        house
            .operate("PUT", &format!("{path}/routes/{channel}"), route)
            .await
            .expect(200);
    }
    house.key(&name).await
}

/// Until a message is in a final state. So many are waited for at once that each looks when there is news.
async fn finished(house: &House, providers: &Providers, key: &str, id: &str) -> Value {
    loop {
        if let Some(message) = house.ended(key, id).await {
            return message;
        }
        let more = providers.dead.received(providers.dead.arrivals().len() + 1);
        let _ = tokio::time::timeout(Duration::from_millis(100), more).await;
    }
}

fn judge(case: Case, channel: &str, message: &Value, providers: &Providers) {
    let path = case.path(channel);
    let attempts = message["attempts"].as_array().unwrap();
    let failure = &attempts[0]["outcome"]["failure"];
    let row = format!("{case:?} {channel}: {message:#}");
    let left = match case.left {
        Left::AsSaid if failure["kind"] == "unknown" => Left::Doubt,
        Left::AsSaid => Left::Nothing,
        left => left,
    };
    let kinds: &[&str] = match left {
        Left::Doubt => &["unknown"],
        Left::Nothing | Left::AsSaid => &["unavailable", "throttled"],
        Left::Refused => &["unauthorized", "invalid-settings"],
    };
    assert!(kinds.contains(&failure["kind"].as_str().unwrap()), "{row}");
    let reaches = !["refused-connection", "never-ready"].contains(&case.death);
    let goes_on = case.fallback && (left != Left::Doubt || case.policy != OnUnknown::Stop);
    let repeats = !case.fallback && left == Left::Doubt && case.policy == OnUnknown::Repeat;
    let (dead, healthy) = (
        arrived(&providers.dead, &path),
        arrived(&providers.healthy, &path),
    );
    assert_eq!(healthy, usize::from(goes_on), "{row}");
    let state = message["state"].as_str().unwrap();
    if goes_on {
        assert_eq!((state, attempts.len()), ("sent", 2), "{row}");
    } else if left == Left::Doubt {
        assert_eq!(
            (state, attempts.len()),
            ("unknown", 1 + usize::from(repeats)),
            "{row}"
        );
    } else if left == Left::Refused {
        assert_eq!((state, attempts.len()), ("failed", 1), "{row}");
    } else {
        // Tried again and again, as long as it lives.
        assert!(
            ["failed", "expired"].contains(&state) && attempts.len() > 2,
            "{row}"
        );
    }
    // One that came to its turn when the message's time was over did not leave.
    let left_whole = |attempt: &&Value| {
        let progress = &attempt["exchanges"][0]["progress"];
        progress == "answered" || progress == "complete"
    };
    let by_first = if goes_on {
        1
    } else {
        attempts.iter().filter(left_whole).count()
    };
    assert_eq!(dead, if reaches { by_first } else { 0 }, "{row}");
    for later in &attempts[1..] {
        assert_eq!(later["possible_duplicate"], left == Left::Doubt, "{row}");
    }
    if ["malformed-head", "two-lengths"].contains(&case.death) {
        assert_eq!(failure["code"], "malformed-response", "{row}");
    }
}

/// Sends by both channels, and judges what became of it.
async fn run(house: &House, providers: &Providers, case: Case) {
    let key = tenant(house, providers, case).await;
    // What is tried again until its end has a short life.
    let seconds = if case.fallback || case.left == Left::Doubt {
        60
    } else {
        4
    };
    let mut ids = BTreeMap::new();
    for (channel, _, to) in CHANNELS {
        let message = json!({
            "channel": channel, "to": to, "type": "SignIn", "payload": { "code": "123456" },
            "expires_in_seconds": seconds,
        });
        let answer = house
            .call(&key, "POST", "/v1/messages", &message)
            .await
            .expect(202);
        ids.insert(channel, answer.text_at("/id"));
    }
    for (channel, id) in ids {
        judge(
            case,
            channel,
            &finished(house, providers, &key, &id).await,
            providers,
        );
    }
    if case.left == Left::Refused {
        // Who waits at a front door hears of a refusal, unless the route goes on.
        let body = r#"{"to":"b@example.com","type":"SignIn","payload":{"code":"1"}}"#;
        let path = format!("/front-doors/logto/{}/email", case.tenant());
        let headers = [
            ("authorization", key.as_str()),
            ("content-type", "application/json"),
        ];
        let answer = call(house.server.address, "POST", &path, &headers, body)
            .await
            .unwrap();
        answer.expect(if case.fallback { 202 } else { 502 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_integration_is_asked_however_the_one_before_it_is_dead() {
    let providers = Arc::new(Providers::start().await);
    let mut houses = Vec::new();
    let mut cases = JoinSet::new();
    for policy in [OnUnknown::Stop, OnUnknown::Next, OnUnknown::Repeat] {
        let house = House::start_with(Clock::System, |config| {
            let retry = &mut config.delivery.retry;
            (retry.unknown_email, retry.unknown_sms) = (policy, policy);
            (retry.max_attempts, retry.pause_ms, retry.unknown_pause_ms) = (5, 50, 50);
            config.limits.first_byte_ms = 2_000;
            config.limits.wall_ms = 4_000;
        });
        let house = Arc::new(house.await);
        for connector in ["http-email", "http-sms"] {
            let component = connector_bundle::component(connector).unwrap();
            house.upload(component).await.expect(201);
        }
        for ((death, left), fallback) in DEATHS.iter().flat_map(|it| [(*it, true), (*it, false)]) {
            let case = Case {
                policy,
                death,
                left,
                fallback,
            };
            let (house, providers) = (Arc::clone(&house), Arc::clone(&providers));
            cases.spawn(async move { run(&house, &providers, case).await });
        }
        houses.push(house);
    }
    while let Some(done) = cases.join_next().await {
        done.unwrap();
    }
    for house in houses {
        Arc::into_inner(house).unwrap().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_that_is_down_is_passed_by_until_one_message_finds_it_up() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let house = House::start_with(Clock::Manual(clock.clone()), |_| {}).await;
    for connector in ["http-email", "http-sms"] {
        let component = connector_bundle::component(connector).unwrap();
        house.upload(component).await.expect(201);
    }
    let is_up = Arc::new(AtomicBool::new(false));
    let providers = Providers {
        dead: Peer::start({
            let is_up = Arc::clone(&is_up);
            move |_| match is_up.load(Ordering::SeqCst) {
                true => Reply::ok("{}"),
                false => dead("busy-503"),
            }
        })
        .await,
        healthy: Peer::start(|_| Reply::ok("{}")).await,
    };
    let case = Case {
        policy: OnUnknown::Next,
        death: "busy-503",
        left: Left::Nothing,
        fallback: true,
    };
    let key = tenant(&house, &providers, case).await;
    let tried = async || {
        let message = json!({
            "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "1" },
        });
        let answer = house
            .call(&key, "POST", "/v1/messages", &message)
            .await
            .expect(202);
        let message = finished(&house, &providers, &key, &answer.text_at("/id")).await;
        assert_eq!(message["state"], "sent", "{message:#}");
        let attempts = message["attempts"].as_array().unwrap();
        let by = attempts
            .iter()
            .map(|it| it["integration"].as_str().unwrap().to_owned());
        by.collect::<Vec<_>>()
    };
    let (first, second) = ("email-first", "email-second");
    for _ in 0..5 {
        assert_eq!(tried().await, [first, second]);
    }
    assert_eq!(tried().await, [second]);
    clock.fetch_add(5_000, Ordering::SeqCst);
    assert_eq!(tried().await, [first, second], "one tries");
    assert_eq!(tried().await, [second]);
    is_up.store(true, Ordering::SeqCst);
    clock.fetch_add(10_000, Ordering::SeqCst);
    assert_eq!(tried().await, [first]);
    assert_eq!(tried().await, [first]);
    house.stop().await;
}

/// Until a message says what `has` looks for.
async fn until(house: &House, key: &str, id: &str, has: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/v1/messages/{id}");
    let look = async {
        loop {
            let message = house.call(key, "GET", &path, &Value::Null).await;
            let message = message.expect(200).json();
            if has(&message) {
                return message;
            }
            tokio::task::yield_now().await;
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(60), look);
    seen.await.expect("the message never gets there")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_another_integration_messages_wait_while_the_provider_is_left_alone() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let house = House::start_with(Clock::Manual(clock.clone()), |config| {
        config.delivery.circuit.failures = 3;
        config.delivery.retry.max_attempts = 100;
    })
    .await;
    let is_up = Arc::new(AtomicBool::new(false));
    let peer = Peer::start({
        let is_up = Arc::clone(&is_up);
        move |_| match is_up.load(Ordering::SeqCst) {
            true => Reply::ok("{}"),
            false => dead("busy-503"),
        }
    })
    .await;
    let endpoint = format!("http://{}/", peer.address);
    let key = house.tenant("acme", &endpoint, None).await;
    let post = async |wait: u32| {
        let message = json!({
            "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "1" },
        });
        let path = format!("/v1/messages?wait={wait}");
        house.call(&key, "POST", &path, &message).await.expect(202)
    };
    let circuit = async || {
        let path = "/v1/integrations/mail";
        let shown = house.call(&key, "GET", path, &Value::Null).await;
        shown.expect(200).json()["circuit"].clone()
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        assert_eq!(circuit().await, json!({ "state": "closed" }));
        let failed = post(30).await;
        assert_eq!(failed.json()["attempt_count"], 1, "{}", failed.text);
        ids.push(failed.text_at("/id"));
    }
    assert_eq!(circuit().await["state"], "open");
    let asked = peer.arrivals().len();
    // Whoever waits for the first attempt is told at once that there is none for now.
    for _ in 0..40 {
        let held = post(60).await;
        assert_eq!(held.text_at("/state"), "waiting");
        assert_eq!(held.text_at("/held_by"), "mail");
        assert_eq!(held.json()["attempt_count"], 0, "{}", held.text);
        ids.push(held.text_at("/id"));
    }
    assert_eq!(peer.arrivals().len(), asked, "the provider is left alone");
    let metrics = house.operate("GET", "/metrics", Value::Null).await.text;
    for line in [
        "sendbox_circuits_open 1",
        "sendbox_circuit_changes_total{change=\"opened\"} 1",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    // After the pause one tries, and the others wait on.
    clock.fetch_add(5_000, Ordering::SeqCst);
    house.server.app().delivery.wake();
    let trying = async {
        while peer.arrivals().len() == asked {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), trying)
        .await
        .unwrap();
    for id in &ids {
        until(&house, &key, id, |message| message["state"] == "waiting").await;
    }
    assert_eq!(peer.arrivals().len(), asked + 1);
    // Once one gets through, all do, long before the longest pause is over.
    is_up.store(true, Ordering::SeqCst);
    clock.fetch_add(10_000, Ordering::SeqCst);
    house.server.app().delivery.wake();
    for id in &ids[3..] {
        until(&house, &key, id, |message| message["state"] == "sent").await;
    }
    assert_eq!(circuit().await, json!({ "state": "closed" }));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_provider_goes_another_way_once_there_is_one() {
    let house = House::start_with(Clock::System, |config| {
        config.delivery.circuit.failures = 1;
        config.delivery.circuit.pause_ms = 3_600_000;
    })
    .await;
    let dead = Peer::start(|_| dead("busy-503")).await;
    let healthy = Peer::start(|_| Reply::ok("{}")).await;
    let key = house
        .tenant("acme", &format!("http://{}/", dead.address), None)
        .await;
    let message = json!({
        "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "1" },
    });
    let post = async || {
        let answer = house
            .call(&key, "POST", "/v1/messages?wait=30", &message)
            .await;
        answer.expect(202)
    };
    post().await;
    // The endpoint is corrected: what waited is sent, though the pause is an hour.
    let held = post().await;
    assert_eq!(held.text_at("/held_by"), "mail");
    let put = json!({ "connector": "http-email", "settings": { "endpoint": format!("http://{}/", healthy.address) } });
    let path = "/v1/integrations/mail";
    house.call(&key, "PUT", path, &put).await.expect(200);
    until(&house, &key, &held.text_at("/id"), |message| {
        message["state"] == "sent"
    })
    .await;
    // Another integration is put before it.
    let put = json!({ "connector": "http-email", "settings": { "endpoint": format!("http://{}/", dead.address) } });
    house.call(&key, "PUT", path, &put).await.expect(200);
    post().await;
    let held = post().await;
    assert_eq!(held.text_at("/held_by"), "mail");
    let endpoint = json!({ "endpoint": format!("http://{}/", healthy.address) });
    house
        .integrate("acme", "spare", "http-email", endpoint)
        .await;
    let route = json!({ "integrations": ["mail", "spare"] });
    house
        .call(&key, "PUT", "/v1/routes/email", &route)
        .await
        .expect(200);
    let sent = until(&house, &key, &held.text_at("/id"), |message| {
        message["state"] == "sent"
    })
    .await;
    assert_eq!(sent["attempts"][0]["integration"], "spare");
    assert_eq!(sent["attempts"][0]["passed_by"], "mail");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_asked_for_time_is_given_it_though_the_route_comes_around() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let house = House::start_with(Clock::Manual(clock.clone()), |_| {}).await;
    let patient = Peer::start(|_| {
        let head = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 120\r\n";
        Reply::Bytes(format!("{head}{WHOLE}").into_bytes())
    })
    .await;
    let busy = Peer::start(|_| dead("busy-503")).await;
    let key = house
        .tenant("acme", &format!("http://{}/", patient.address), None)
        .await;
    let second = json!({ "endpoint": format!("http://{}/", busy.address) });
    house
        .integrate("acme", "second", "http-email", second)
        .await;
    let route = json!({ "integrations": ["mail", "second"] });
    house
        .call(&key, "PUT", "/v1/routes/email", &route)
        .await
        .expect(200);
    let message = json!({
        "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "1" },
    });
    let posted = house
        .call(&key, "POST", "/v1/messages", &message)
        .await
        .expect(202);
    let id = posted.text_at("/id");
    // All that was due is done: what comes next lies ahead.
    let settled = async || {
        let now = json!(Timestamp::from_millis(clock.load(Ordering::SeqCst)));
        let is_ahead = |message: &Value| {
            let next = message["next_attempt_at"].as_str();
            message["state"] == "waiting" && next > now.as_str()
        };
        house.server.app().delivery.wake();
        until(&house, &key, &id, is_ahead).await
    };
    until(&house, &key, &id, |message| message["attempt_count"] == 2).await;
    // However often it is looked at meanwhile, the other one is tried.
    for second in 1..=11 {
        clock.fetch_add(10_000, Ordering::SeqCst);
        let message = settled().await;
        assert_eq!(
            patient.arrivals().len(),
            1,
            "after {} s: {message:#}",
            second * 10
        );
    }
    assert!(busy.arrivals().len() > 2);
    for _ in 12..50 {
        clock.fetch_add(10_000, Ordering::SeqCst);
        settled().await;
    }
    assert!(patient.arrivals().len() > 1, "it is asked again");
    house.stop().await;
}
