//! What one tenant's key can take from the others by plain requests, and what is left for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sendbox::config::Config;
use sendbox::time::Clock;
use serde_json::{Value, json};

use crate::harness::{House, Provider};

const START: i64 = 1_800_000_000_000;

fn email(to: &str) -> Value {
    json!({ "channel": "email", "to": to, "type": "SignIn", "payload": { "code": "123456" } })
}

fn sms(to: &str) -> Value {
    json!({ "channel": "sms", "to": to, "type": "SignIn", "payload": { "code": "123456" } })
}

async fn house(adapt: impl FnOnce(&mut Config)) -> (House, Provider, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(START));
    let house = House::start_with(Clock::Manual(clock.clone()), adapt).await;
    (house, Provider::accepting().await, clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_neighbour_changes_or_misses_leaves_what_is_ready_as_it_is() {
    let (house, provider, _) = house(|_| {}).await;
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    let other = house.tenant("other", &endpoint, None).await;
    let ready = async || {
        let (tenant, mail) = ("acme".parse().unwrap(), "mail".parse().unwrap());
        let roster = house.server.app().delivery.roster();
        roster.active(&tenant, &mail).await.unwrap()
    };
    let before = ready().await;
    let missing = house
        .call(&other, "DELETE", "/v1/routes/sms", &Value::Null)
        .await;
    missing.expect(404);
    assert!(Arc::ptr_eq(&before, &ready().await));
    // What is changed for good, too, as long as it is another's.
    let route = json!({ "integrations": ["mail"] });
    house
        .call(&other, "PUT", "/v1/routes/email", &route)
        .await
        .expect(200);
    let languages = json!({ "fallback_language": "de" });
    house
        .call(&other, "PUT", "/v1/languages", &languages)
        .await
        .expect(200);
    assert!(Arc::ptr_eq(&before, &ready().await));
    house
        .call(&acme, "PUT", "/v1/languages", &languages)
        .await
        .expect(200);
    assert!(!Arc::ptr_eq(&before, &ready().await));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_takes_too_long_is_refused_and_sends_go_on() {
    let (house, provider, _) = house(|config| config.node_limits.read_ms = 0).await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    // Enough rows for the first look at the clock.
    for number in 0..400 {
        let message = email(&format!("ann{number}@example.com"));
        house
            .call(&key, "POST", "/v1/messages", &message)
            .await
            .expect(202);
    }
    let list = house
        .call(&key, "GET", "/v1/messages?limit=250", &Value::Null)
        .await;
    let refused = list.expect(503);
    assert_eq!(refused.text_at("/code"), "limit.read-time");
    assert!(refused.text_at("/detail").contains("node_limits.read_ms"));
    assert_eq!(refused.headers["retry-after"], "1");
    let sent = house
        .call(
            &key,
            "POST",
            "/v1/messages?wait=10",
            &email("b@example.com"),
        )
        .await;
    assert_eq!(sent.expect(202).text_at("/state"), "sent");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_reads_so_many_lists_at_once_and_its_neighbour_waits_for_none() {
    let (house, provider, _) = house(|config| config.tenant_limits.concurrent_reads = 1).await;
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    let other = house.tenant("other", &endpoint, None).await;
    let admission = &house.server.app().admission;
    let turn = admission
        .read(Some(&"acme".parse().unwrap()))
        .await
        .unwrap();
    let refused = house
        .call(&acme, "GET", "/v1/integrations", &Value::Null)
        .await;
    let refused = refused.expect(429);
    assert_eq!(refused.text_at("/code"), "limit.reads");
    for path in ["/v1/integrations", "/v1/messages", "/v1/connectors"] {
        house
            .call(&other, "GET", path, &Value::Null)
            .await
            .expect(200);
    }
    house
        .call(&acme, "POST", "/v1/messages", &email("a@example.com"))
        .await
        .expect(202);
    drop(turn);
    house
        .call(&acme, "GET", "/v1/integrations", &Value::Null)
        .await
        .expect(200);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_have_bounds_for_one_integration_and_for_all_of_a_tenant() {
    let (house, provider, _) = house(|config| {
        config.tenant_limits.integration_bytes = 4_096;
        config.tenant_limits.integration_values = 100;
        config.tenant_limits.settings_bytes = 5_000;
    })
    .await;
    let endpoint = format!("http://{}/", provider.address);
    let key = house.tenant("acme", &endpoint, None).await;
    let put = async |name: &str, more: Value| {
        let settings = json!({ "endpoint": endpoint, "authorization": more });
        let body = json!({ "connector": "http-email", "settings": settings });
        house
            .call(&key, "PUT", &format!("/v1/integrations/{name}"), &body)
            .await
    };
    for (more, limit) in [
        (json!("x".repeat(5_000)), "tenant_limits.integration_bytes"),
        (json!(vec![0; 101]), "tenant_limits.integration_values"),
    ] {
        let refused = put("big", more).await.expect(422);
        assert_eq!(refused.text_at("/errors/0/pointer"), "/settings");
        assert!(
            refused.text_at("/detail").contains(limit),
            "{}",
            refused.text
        );
    }
    put("one", json!("x".repeat(3_000))).await.expect(201);
    let refused = put("two", json!("x".repeat(3_000))).await.expect(429);
    assert_eq!(refused.text_at("/code"), "limit.settings-bytes");
    // In place of what it had, the same is no more.
    put("one", json!("y".repeat(3_000))).await.expect(200);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_and_a_limit_out_of_bounds_is_refused() {
    let (house, provider, _) = house(|_| {}).await;
    let endpoint = format!("http://{}/", provider.address);
    let key = house.tenant("acme", &endpoint, None).await;
    house.tenant("beta", &endpoint, None).await;
    for number in 0..5 {
        let settings = json!({ "endpoint": endpoint });
        let body = json!({ "connector": "http-email", "settings": settings });
        let path = format!("/v1/integrations/more-{number}");
        house.call(&key, "PUT", &path, &body).await.expect(201);
    }
    for path in ["/v1/integrations", "/v1/messages", "/v1/connectors"] {
        for limit in ["0", "251", "99999", "18446744073709551615"] {
            let refused = house
                .call(&key, "GET", &format!("{path}?limit={limit}"), &Value::Null)
                .await;
            let refused = refused.expect(400);
            assert!(
                refused.text_at("/detail").contains("1 to 250"),
                "{}",
                refused.text
            );
        }
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/integrations?limit=2&cursor={cursor}");
        let page = house
            .call(&key, "GET", &path, &Value::Null)
            .await
            .expect(200)
            .json();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 2);
        names.extend(
            data.iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(
        names,
        ["mail", "more-0", "more-1", "more-2", "more-3", "more-4"]
    );
    let first = house
        .operate("GET", "/v1/tenants?limit=1", Value::Null)
        .await
        .expect(200);
    assert_eq!(first.text_at("/next"), "acme");
    let second = house
        .operate("GET", "/v1/tenants?limit=1&cursor=acme", Value::Null)
        .await;
    let second = second.expect(200).json();
    assert_eq!(
        (&second["data"][0]["id"], &second["next"]),
        (&json!("beta"), &Value::Null)
    );
    // The command line reads a list to its end.
    for number in 0..60 {
        let path = format!("/v1/tenants/more-{number}");
        house.operate("PUT", &path, json!({})).await.expect(201);
    }
    let listed = std::process::Command::new(env!("CARGO_BIN_EXE_sendbox"))
        .args([
            "tenant",
            "list",
            "--output",
            "json",
            "--key",
            &house.operator,
        ])
        .args(["--server", &format!("http://{}", house.server.address)])
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 62);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_with_a_tenants_key_counts_whatever_becomes_of_it() {
    let (house, provider, clock) =
        house(|config| config.tenant_limits.calls_per_second = Some(1)).await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    for path in [
        "/v1/connectors",
        "/v1/tenants",
        "/v1/egress/addresses",
        "/v1/tenants/other/messages",
    ] {
        clock.fetch_add(10_000, Ordering::SeqCst);
        for _ in 0..2 {
            let answer = house.call(&key, "GET", path, &Value::Null).await;
            assert_ne!(answer.status, 429, "{path}");
        }
        let third = house
            .call(&key, "GET", path, &Value::Null)
            .await
            .expect(429);
        assert_eq!(third.text_at("/code"), "limit.calls", "{path}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_has_one_count_however_it_is_spelled() {
    let (house, provider, _) =
        house(|config| config.tenant_limits.recipient_per_day = Some(1)).await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    for (first, spellings) in [
        (
            email("ann@b\u{fc}cher.example"),
            vec![
                email("ANN@xn--bcher-kva.example"),
                email("\"ann\"@B\u{dc}CHER.example"),
            ],
        ),
        (
            sms("4915112345678"),
            vec![
                sms("+49 151 12345678"),
                sms("0049-151-12345678"),
                sms("+49 (0)151.12345678"),
            ],
        ),
    ] {
        house
            .call(&key, "POST", "/v1/messages", &first)
            .await
            .expect(202);
        for same in spellings {
            let refused = house.call(&key, "POST", "/v1/messages", &same).await;
            assert_eq!(refused.status, 429, "{same}");
            assert_eq!(refused.text_at("/code"), "limit.recipient");
        }
    }
    house
        .call(&key, "POST", "/v1/messages", &sms("+49 151 12345679"))
        .await
        .expect(202);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_day_has_taken_outlives_the_process_and_comes_back_with_time() {
    let adapt = |config: &mut Config| {
        config.tenant_limits.recipient_per_day = Some(1);
        config.tenant_limits.messages_per_day = Some(3);
    };
    let (house, provider, clock) = house(adapt).await;
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    let other = house.tenant("other", &endpoint, None).await;
    house
        .call(&acme, "POST", "/v1/messages", &email("ann@example.com"))
        .await
        .expect(202);
    house
        .call(&other, "POST", "/v1/messages", &email("ann@example.com"))
        .await
        .expect(202);
    house
        .call(&acme, "POST", "/v1/messages", &email("bob@example.com"))
        .await
        .expect(202);
    let folder = house.stop().await;
    let house = House::start_in(folder, Clock::Manual(clock.clone()), adapt).await;
    let post =
        async |key: &str, to: &str| house.call(key, "POST", "/v1/messages", &email(to)).await;
    assert_eq!(
        post(&acme, "Ann@Example.com")
            .await
            .expect(429)
            .text_at("/code"),
        "limit.recipient"
    );
    post(&acme, "eve@example.com").await.expect(202);
    let full = post(&acme, "joe@example.com").await.expect(429);
    assert_eq!(full.text_at("/code"), "limit.messages-per-day");
    post(&other, "joe@example.com").await.expect(202);
    clock.fetch_add(24 * 3_600_000, Ordering::SeqCst);
    post(&acme, "ann@example.com").await.expect(202);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_taken_is_counted_until_it_is() {
    let (house, provider, _) = house(|config| config.node_limits.answer_bytes = 1_024).await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let room = house
        .server
        .app()
        .admission
        .answer(4_000_000)
        .await
        .unwrap();
    let refused = house
        .call(&key, "GET", "/v1/integrations", &Value::Null)
        .await;
    assert_eq!(refused.expect(503).text_at("/code"), "limit.answers");
    house
        .call(&key, "POST", "/v1/messages", &email("a@example.com"))
        .await
        .expect(202);
    drop(room);
    let list = house
        .call(&key, "GET", "/v1/integrations", &Value::Null)
        .await
        .expect(200);
    assert_eq!(list.json()["data"].as_array().unwrap().len(), 1);
    house.stop().await;
}
