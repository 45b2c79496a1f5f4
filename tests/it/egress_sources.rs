//! Sources through the whole house: families, warm-up, health, and who leaves by which.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sendbox::egress::EgressError;
use sendbox::source::Family;
use sendbox::time::{Clock, Timestamp};
use sendbox_tests::peer::{Peer, Reply};
use serde_json::{Value, json};

use crate::egress_kit::{HOST, Send, at, config_for, get, live};
use crate::harness::{House, Provider};

/// An address that no machine has (RFC 5737).
const NOWHERE: &str = "203.0.113.9";
const NOW: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;

/// A house with a clock of its own, and a tenant `acme` that leaves by the pool `acme`.
struct Scene {
    house: House,
    provider: Provider,
    clock: Arc<AtomicI64>,
    key: String,
}

impl Scene {
    async fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let house = House::start_with(Clock::Manual(clock.clone()), |_| {}).await;
        let provider = Provider::accepting().await;
        let endpoint = format!("http://{}/", provider.address);
        let key = house.tenant("acme", &endpoint, Some("127.0.0.2")).await;
        Self {
            house,
            provider,
            clock,
            key,
        }
    }

    async fn source(&self, name: &str, source: Value) {
        let path = format!("/v1/egress/sources/{name}");
        self.house.operate("PUT", &path, source).await.expect(200);
    }

    async fn pool(&self, name: &str, members: &[(&str, u32)]) {
        let members = members
            .iter()
            .map(|(source, weight)| json!({ "source": source, "weight": weight }));
        let pool = json!({ "sources": members.collect::<Vec<_>>() });
        let path = format!("/v1/egress/pools/{name}");
        self.house.operate("PUT", &path, pool).await.expect(200);
    }

    /// A message after its first attempt.
    async fn send(&self) -> Value {
        let message = json!({
            "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "1" },
        });
        let path = "/v1/messages?wait=10";
        let answer = self.house.call(&self.key, "POST", path, &message).await;
        answer.expect(202).json()
    }

    async fn later(&self, millis: i64) {
        self.clock.fetch_add(millis, Ordering::SeqCst);
        self.house.server.app().delivery.wake();
    }

    async fn finished(&self, message: &Value) -> Value {
        let id = message["id"].as_str().unwrap();
        self.house.finished(&self.key, id).await
    }

    /// The addresses that requests came from since the last look, in order.
    fn sources(&self, before: usize) -> Vec<String> {
        let arrivals = self.provider.arrivals().into_iter().skip(before);
        arrivals.map(|arrival| arrival.source).collect()
    }

    async fn explain(&self) -> Value {
        let path = format!(
            "/v1/tenants/acme/egress/explain?host=http://{}/",
            self.provider.address
        );
        self.house.operate("GET", &path, Value::Null).await.json()
    }

    /// A source as it is listed.
    async fn listed(&self, name: &str) -> Value {
        let path = "/v1/egress/addresses";
        let all = self.house.operate("GET", path, Value::Null).await.json();
        let sources = all["sources"].as_array().unwrap();
        let found = sources.iter().find(|source| source["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {all}")).clone()
    }
}

fn failure(message: &Value) -> &Value {
    let attempts = message["attempts"].as_array().unwrap();
    &attempts.last().unwrap()["outcome"]["failure"]
}

#[tokio::test]
async fn a_source_dials_its_own_family_and_says_so_where_there_is_no_such_address() {
    let peer = Peer::start_at("[::1]:0".parse().unwrap(), None, |_| Reply::ok("ok")).await;
    let mut config = config_for(&peer);
    config.allow_addresses.push("::1".parse().unwrap());
    // Nobody listens on the IPv4 address of the same name.
    let both = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    config.hosts.insert("both.test".to_owned(), both);
    let port = peer.address.port();
    config.plaintext_hosts.push(format!("both.test:{port}"));
    let egress = live(&config);
    let hosts = [HOST, "both.test"].map(str::to_owned).to_vec();
    let from = |address: &str| Send {
        source: Some(address.parse().unwrap()),
        hosts: hosts.clone(),
        ..Send::default()
    };
    for url in [at(&peer, "/"), format!("http://both.test:{port}/")] {
        let (response, exchange) = from("::1").once(&egress, get(url)).await;
        assert_eq!(response.unwrap().status, 200);
        assert_eq!(exchange.source_ip, Some("::1".parse().unwrap()));
        assert_eq!(exchange.peer, Some(peer.address));
    }
    let connections = peer.connections();
    let (response, exchange) = from("127.0.0.2").once(&egress, get(at(&peer, "/"))).await;
    assert_eq!(response, Err(EgressError::Family(Family::Ipv4)));
    assert_eq!(exchange.error.as_deref(), Some("egress.family"));
    assert_eq!((exchange.peer, exchange.bytes_sent), (None, 0));
    assert_eq!(peer.connections(), connections);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_that_does_not_reach_is_explained_and_another_source_takes_the_next_attempt() {
    let scene = Scene::new().await;
    scene.source("six", json!({ "address": "::1" })).await;
    scene.pool("acme", &[("six", 1_000), ("acme", 1)]).await;
    let told = scene.explain().await;
    assert_eq!(told["allowed"], true);
    let sources = &told["integrations"][0]["sources"];
    assert_eq!(sources[0]["family"], "ipv6");
    assert_eq!(sources[0]["refused"]["rule"], "egress.family");
    assert_eq!(sources[1]["family"], "ipv4");
    assert_eq!(sources[1]["refused"], Value::Null);

    let first = scene.send().await;
    assert_eq!(first["state"], "waiting", "{first}");
    let exchange = &first["attempts"][0]["exchanges"][0];
    assert_eq!(exchange["error"], "egress.family");
    scene.later(1_000).await;
    let sent = scene.finished(&first).await;
    assert_eq!(sent["state"], "sent", "{sent}");
    assert_eq!(sent["attempts"][1]["source"], "acme");

    scene.pool("acme", &[("six", 1)]).await;
    assert_eq!(scene.explain().await["allowed"], false);
    scene.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_sends_what_its_schedule_says_and_the_pool_goes_on_with_the_others() {
    let mut scene = Scene::new().await;
    let hour_ends = 5 * MINUTE;
    let began_at = Timestamp::from_millis(NOW - 55 * MINUTE);
    let new = json!({
        "address": "127.0.0.3",
        "warm_up": { "began_at": began_at, "per_day": [100, 200], "per_hour": [2] },
    });
    scene.source("new", new).await;
    scene.pool("acme", &[("new", 1_000), ("acme", 1)]).await;
    for _ in 0..4 {
        assert_eq!(scene.send().await["state"], "sent");
    }
    assert_eq!(
        scene.sources(0),
        ["127.0.0.3", "127.0.0.3", "127.0.0.2", "127.0.0.2"]
    );
    let listed = scene.listed("new").await;
    let spent: Vec<_> = listed["warm_up"].as_array().unwrap().iter().collect();
    let shown = |at: usize| [&spent[at]["span"], &spent[at]["used"], &spent[at]["most"]];
    assert_eq!(shown(0), [&json!("day"), &json!(2), &json!(100)]);
    assert_eq!(shown(1), [&json!("hour"), &json!(2), &json!(2)]);
    assert_eq!(scene.listed("acme").await.get("warm_up"), None);

    // Alone it holds messages back, and says for how long.
    scene.pool("acme", &[("new", 1)]).await;
    let held = scene.send().await;
    assert_eq!(held["state"], "waiting");
    let told = failure(&held);
    assert_eq!(
        (&told["kind"], &told["code"]),
        (&json!("throttled"), &json!("egress.warm-up"))
    );
    assert_eq!(told["retry_after_ms"], hour_ends);
    let page = scene.house.operate("GET", "/metrics", Value::Null).await;
    let refused = "sendbox_egress_pool_refusals_total{reason=\"warm-up\"} 1\n";
    assert!(page.text.contains(refused), "{}", page.text);

    // A restart does not make the address look new.
    let (clock, provider) = (scene.clock.clone(), scene.provider.clone());
    let folder = scene.house.stop().await;
    scene.house = House::start_in(folder, Clock::Manual(clock), |_| {}).await;
    assert_eq!(scene.send().await["state"], "waiting");
    assert_eq!(provider.count(), 4);
    scene.later(hour_ends).await;
    assert_eq!(scene.finished(&held).await["state"], "sent");
    provider.wait_for(6).await;
    assert_eq!(scene.sources(4), ["127.0.0.3", "127.0.0.3"]);
    scene.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_at_once_do_not_go_past_the_schedule_together() {
    let scene = Scene::new().await;
    let warm_up = json!({ "per_day": [5] });
    let new = json!({ "address": "127.0.0.2", "warm_up": warm_up });
    scene.source("acme", new).await;
    let sends: Vec<_> = (0..20).map(|_| scene.send()).collect();
    let mut sent = 0;
    for message in join_all(sends).await {
        match message["state"].as_str().unwrap() {
            "sent" => sent += 1,
            _ => assert_eq!(failure(&message)["code"], "egress.warm-up", "{message}"),
        }
    }
    assert_eq!((sent, scene.provider.count()), (5, 5));
    scene.house.stop().await;
}

/// Drives them side by side in one task.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        match outputs.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_on_the_machine_is_suspended_and_tried_again() {
    let scene = Scene::new().await;
    scene.source("gone", json!({ "address": NOWHERE })).await;
    scene.pool("acme", &[("gone", 1_000), ("acme", 1)]).await;
    let first = scene.send().await;
    let exchange = &first["attempts"][0]["exchanges"][0];
    assert_eq!(exchange["error"], "egress.source-missing", "{first}");
    scene.later(1_000).await;
    let sent = scene.finished(&first).await;
    assert_eq!(sent["attempts"][1]["source"], "acme", "{sent}");
    for _ in 0..3 {
        let message = scene.send().await;
        assert_eq!(message["attempts"][0]["source"], "acme", "{message}");
    }
    let suspended = scene.listed("gone").await["suspended"].clone();
    assert_eq!(suspended["reason"], "address-missing");
    assert_eq!(
        suspended["until"],
        json!(Timestamp::from_millis(NOW + MINUTE))
    );
    assert_eq!(scene.listed("acme").await["suspended"], Value::Null);
    let shown = &scene.explain().await["integrations"][0]["sources"][0];
    assert_eq!(shown["suspended"], suspended);
    let metric = async |line: &str| {
        let page = scene.house.operate("GET", "/metrics", Value::Null).await;
        assert!(page.text.contains(line), "{line}: {}", page.text);
    };
    metric("sendbox_egress_source_suspensions_total{reason=\"address-missing\"} 1\n").await;
    metric("sendbox_egress_sources_suspended 1\n").await;

    // When its time is over the address is looked for, and no message pays for that.
    scene.later(MINUTE).await;
    let message = scene.send().await;
    assert_eq!(message["attempts"][0]["source"], "acme");
    let suspended = scene.listed("gone").await["suspended"].clone();
    let until = Timestamp::from_millis(NOW + 1_000).after(Duration::from_secs(120));
    assert_eq!(suspended["until"], json!(until));

    // Alone it sends nothing: never from another address.
    scene.pool("acme", &[("gone", 1)]).await;
    let count = scene.provider.count();
    let held = scene.send().await;
    let told = failure(&held);
    assert_eq!(
        (&told["kind"], &told["code"]),
        (&json!("unavailable"), &json!("egress.suspended"))
    );
    assert_eq!(scene.provider.count(), count);
    metric("sendbox_egress_pool_refusals_total{reason=\"suspended\"} 1\n").await;

    // An address that is here ends the suspension at once.
    scene
        .source("gone", json!({ "address": "127.0.0.4" }))
        .await;
    assert_eq!(scene.send().await["state"], "sent");
    assert_eq!(scene.sources(count), ["127.0.0.4"]);
    metric("sendbox_egress_sources_suspended 0\n").await;
    scene.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_pool_does_not_keep_a_message_from_the_next_integration() {
    let scene = Scene::new().await;
    let held = json!({ "address": "127.0.0.2", "warm_up": { "per_day": [0] } });
    scene.source("acme", held).await;
    scene
        .source("other", json!({ "address": "127.0.0.3" }))
        .await;
    scene.pool("other", &[("other", 1)]).await;
    let endpoint = format!("http://{}/", scene.provider.address);
    let settings = json!({ "endpoint": endpoint });
    scene
        .house
        .integrate("acme", "second", "http-email", settings.clone())
        .await;
    let body = json!({ "connector": "http-email", "settings": settings, "egress_pool": "other" });
    let path = "/v1/tenants/acme/integrations/second";
    scene.house.operate("PUT", path, body).await.expect(200);
    let route = json!({ "integrations": ["mail", "second"] });
    let path = "/v1/tenants/acme/routes/email";
    scene.house.operate("PUT", path, route).await.expect(200);
    let first = scene.send().await;
    let message = scene.finished(&first).await;
    assert_eq!(message["state"], "sent", "{message}");
    assert_eq!(message["attempts"][0]["integration"], "mail", "{message}");
    assert_eq!(message["attempts"][1]["integration"], "second");
    assert_eq!(scene.sources(0), ["127.0.0.3"]);
    scene.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_leaves_by_its_pool_and_an_integration_by_its_own() {
    let scene = Scene::new().await;
    scene.source("own", json!({ "address": "127.0.0.3" })).await;
    scene.pool("own", &[("own", 1)]).await;
    let endpoint = format!("http://{}/", scene.provider.address);
    let globex = scene
        .house
        .tenant("globex", &endpoint, Some("127.0.0.4"))
        .await;
    let settings = json!({ "endpoint": endpoint });
    scene
        .house
        .integrate("acme", "own", "http-email", settings.clone())
        .await;
    let body = json!({ "connector": "http-email", "settings": settings, "egress_pool": "own" });
    let path = "/v1/tenants/acme/integrations/own";
    // Where a tenant leaves from is the operator's choice.
    let by_tenant = scene.house.call(&scene.key, "PUT", path, &body).await;
    by_tenant.expect(403);
    scene.house.operate("PUT", path, body).await.expect(200);
    let through = async |integration: &str| {
        let route = json!({ "integrations": [integration] });
        let path = "/v1/tenants/acme/routes/email";
        scene.house.operate("PUT", path, route).await.expect(200);
        scene.send().await
    };
    for (integration, source) in [("mail", "acme"), ("own", "own"), ("mail", "acme")] {
        let message = through(integration).await;
        assert_eq!(message["attempts"][0]["source"], source, "{message}");
    }
    let theirs = Scene {
        key: globex,
        ..scene
    };
    assert_eq!(theirs.send().await["attempts"][0]["source"], "globex");
    assert_eq!(
        theirs.sources(0),
        ["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.4"]
    );
    theirs.house.stop().await;
}
