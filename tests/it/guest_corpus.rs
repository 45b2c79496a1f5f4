//! Every shared bad input of a hostile guest gets the verdict that it names, and its neighbour goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use sendbox::connector::GuestClock;
use sendbox::egress::EgressError;
use sendbox::id::Digest;
use sendbox::limits::{Limit, Limits};
use sendbox::outcome::FailureKind;
use sendbox::time::Clock;
use sendbox_tests::guests;
use sendbox_tests::peer::{Peer, Reply};
use serde_json::{Value, json};

use crate::egress_kit::{Send, at, bad_inputs, config_for, get, live};
use crate::harness::House;
use crate::mail_kit::{Bundled, code_for};
use crate::sandbox::{Performed, Sandbox};
use crate::uploads::component_of;

/// A core module that keeps to the contract, with imports before its own parts, and `send` doing this.
fn guest(imports: &str, send: &str) -> String {
    let (head, _) = guests::TABLE_GROWTH.split_once("    (loop $again").unwrap();
    head.replacen("(module", &format!("(module {imports}"), 1) + send + "(unreachable)))"
}

/// Makes resources of a type of its own.
fn own_resources() -> Vec<u8> {
    let import = r#"(import "[export]acme:probe/things" "[resource-new]thing" (func $new (param i32) (result i32)))"#;
    let module = guest(
        import,
        "(loop $again (drop (call $new (i32.const 1))) (br $again))",
    );
    let package = "package acme:probe;
        interface things { resource thing; }
        world probe { include sendbox:connector/connector@0.1.0; export things; }";
    component_of(&module, package)
}

/// Passes a gibibyte of header texts to the host, all of them the same mebibyte of its memory.
fn gibibyte_of_headers() -> Vec<u8> {
    let params = "i32 ".repeat(16);
    let import =
        format!(r#"(import "sendbox:connector/http@0.1.0" "send" (func $http (param {params})))"#);
    let store =
        |offset, value| format!("(i32.store offset={offset} (local.get $at) (i32.const {value}))");
    let send = format!(
        "(local $at i32) (drop (memory.grow (i32.const 32))) (local.set $at (i32.const 8192))
        (loop $again {} {} {} {} (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br_if $again (i32.lt_u (local.get $at) (i32.const 16384))))
        (call $http {} (i32.const 8192) (i32.const 512) {} (i32.const 20000))",
        store(0, 65_536),
        store(4, 1 << 20),
        store(8, 65_536),
        store(12, 1 << 20),
        "(i32.const 64) (i32.const 0) ".repeat(2),
        "(i32.const 0) ".repeat(9),
    );
    let package = "package acme:probe; world probe { include sendbox:connector/connector@0.1.0; }";
    component_of(&guest(&import, &send), package)
}

async fn performed_by(sandbox: &Sandbox, component: Vec<u8>) -> Performed {
    let bytes = Bytes::from(component);
    let digest = Digest::of(&bytes);
    let guest = sandbox.runtime.load(digest, bytes).await.unwrap();
    sandbox
        .perform_at(&guest, "", Limits::default(), GuestClock::System)
        .await
}

#[tokio::test]
async fn each_hostile_guest_ends_at_its_limit() {
    let sandbox = Sandbox::with_slots(2).await;
    for (id, input, expect) in bad_inputs("guest") {
        let hurried = Limits {
            wall_ms: 300,
            ..Limits::default()
        };
        let ended = match id.as_str() {
            "guest-001" => (sandbox.perform("endless-loop").await, "limit.cpu"),
            "guest-003" => (sandbox.perform("memory-bomb").await, "limit.memory"),
            "guest-004" => (sandbox.perform("deep-recursion").await, "limit.stack"),
            "guest-005" => (
                performed_by(&sandbox, own_resources()).await,
                "limit.resources",
            ),
            "guest-006" => (sandbox.perform("resource-flood").await, "limit.resources"),
            "guest-007" => (sandbox.perform("random-flood").await, "limit.random"),
            "guest-008" => (
                performed_by(&sandbox, gibibyte_of_headers()).await,
                "limit.hostcall-bytes",
            ),
            "guest-015" => (sandbox.perform_under("sleep", hurried).await, "limit.wall"),
            "guest-012" => {
                let flood = sandbox.perform("log-flood").await.report;
                let cut = flood.log.iter().filter(|line| line.contains("cut")).count();
                let bytes = flood.log.iter().map(String::len).sum::<usize>();
                assert!(flood.log.len() <= 201 && bytes <= (64 << 10) + 64, "{id}");
                assert_eq!(cut, 1, "{id}");
                continue;
            }
            "guest-013" => {
                let flood = sandbox.perform("request-flood").await;
                assert_eq!(flood.requests.len(), 16, "{id}");
                assert!(flood.failure().1.contains("limit.requests"), "{id}");
                continue;
            }
            // Each has a test of its own, below.
            "guest-014" | "guest-016" | "guest-020" | "guest-022" => continue,
            _ => panic!("no test for {id}: {input} {expect}"),
        };
        let (ended, code) = ended;
        assert_eq!(ended.failure().0, code, "{id}: {}", ended.failure().1);
        assert!(ended.report.trapped, "{id}");
        let after = sandbox.perform("echo").await;
        assert!(after.report.result.is_ok(), "the send after {id}");
    }
}

#[tokio::test]
async fn a_send_has_few_requests_under_way_at_once() {
    let peer = Peer::start(|_| Reply::Silence).await;
    let send = Send::default();
    let scope = Arc::new(send.live(&live(&config_for(&peer))));
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (scope, url) = (scope.clone(), at(&peer, "/"));
        held.spawn(async move { scope.http(get(url)).await });
    }
    peer.received(4).await;
    let fifth = scope.http(get(at(&peer, "/"))).await;
    assert!(
        matches!(
            fifth,
            Err(EgressError::Limit {
                limit: Limit::ConcurrentRequests,
                ..
            })
        ),
        "{fifth:?}"
    );
    assert_eq!(peer.arrivals().len(), 4);
    held.shutdown().await;
}

#[tokio::test]
async fn a_request_that_its_guest_never_looks_at_ends_with_the_send() {
    let acts = Bundled::of(guests::ACTS).await;
    let peer = Peer::start(|_| Reply::Silence).await;
    let mut send = Send::default();
    send.limits.wall_ms = 500;
    send.deadline = send.limits.wall();
    let settings =
        json!({ "act": "held-request", "secret": "hunter2-hunter2", "url": at(&peer, "/") });
    let egress = live(&config_for(&peer));
    let report = acts
        .send(&send, &egress, settings, code_for("b@y.test"))
        .await;
    let failure = report.result.unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("limit.wall"));
    // The provider may have accepted.
    assert_eq!(failure.kind, FailureKind::Unknown);
    peer.closed(1).await;
    assert_eq!(peer.connections(), 1);
}

/// A tenant whose SMS connector does `act`; the tenant's key.
async fn acting(house: &House, act: &str) -> String {
    house.upload(guests::ACTS).await.expect(201);
    let tenant = "/v1/tenants/acme";
    house.operate("PUT", tenant, json!({})).await.expect(201);
    let settings = json!({ "act": act, "secret": "hunter2-hunter2" });
    house.integrate("acme", "texts", "acts", settings).await;
    let route = json!({ "integrations": ["texts"] });
    house
        .operate("PUT", &format!("{tenant}/routes/sms"), route)
        .await
        .expect(200);
    house.key("acme").await
}

fn sms() -> Value {
    json!({ "channel": "sms", "to": "14155552671", "type": "SignIn", "payload": { "code": "1" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_reports_success_without_evidence_has_not_sent() {
    let house = House::start().await;
    let key = acting(&house, "clock").await;
    let id = house
        .call(&key, "POST", "/v1/messages", &sms())
        .await
        .expect(202)
        .text_at("/id");
    let message = house.finished(&key, &id).await;
    assert_eq!(message["state"], "failed", "{message}");
    let failure = &message["attempts"][0]["outcome"]["failure"];
    assert_eq!(failure["code"], "no-evidence");
    house.stop().await;
}

/// An absurd delay must not keep a message past its time; a negative one cannot be said in the contract.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_cannot_put_a_message_off_past_its_time() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let house = House::start_with(Clock::Manual(clock.clone()), |_| {}).await;
    let key = acting(&house, "retry-in-years").await;
    let accepted = house
        .call(&key, "POST", "/v1/messages?wait=10", &sms())
        .await
        .expect(202);
    assert_eq!(accepted.text_at("/state"), "waiting");
    clock.fetch_add(600_000, Ordering::SeqCst);
    house.server.app().delivery.wake();
    let message = house.finished(&key, &accepted.text_at("/id")).await;
    assert_eq!(message["state"], "expired");
    assert_eq!(message["attempts"].as_array().unwrap().len(), 1);
    house.stop().await;
}
