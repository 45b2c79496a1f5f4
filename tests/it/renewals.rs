//! Data keys are renewed: while messages go out, through kills at each of its steps, and nothing that an earlier one
//! sealed is left.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use sendbox::time::Clock;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::fault_kit::{Run, mixed};
use crate::harness::{House, Provider, call};
use crate::templates::command;

/// Before and after the commit of each step of a renewal.
const STEPS: [&str; 5] = [
    "renew.begun",
    "reseal.written",
    "reseal.committed",
    "renew.written",
    "renew.committed",
];
const RENEW: &str = "/v1/data-keys/renew";

async fn data_keys(house: &House) -> Vec<Value> {
    let answer = house.operate("GET", "/v1/data-keys", Value::Null).await;
    let shown = answer.expect(200).json();
    shown["data"].as_array().unwrap().clone()
}

/// What stands sealed in the file of a server that has ended.
async fn sealed(folder: &tempfile::TempDir) -> Vec<Vec<u8>> {
    let file = folder.path().join("data/sendbox.db");
    let options = SqliteConnectOptions::new().filename(file);
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    let query = "SELECT wrapped FROM data_key WHERE purpose = 'seal' \
         UNION ALL SELECT secrets FROM integration WHERE secrets IS NOT NULL";
    sqlx::query_scalar(query).fetch_all(&mut db).await.unwrap()
}

async fn sent(house: &House, key: &str) -> Value {
    let body = json!({ "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "123456" } });
    let answer = house.call(key, "POST", "/v1/messages?wait=10", &body).await;
    answer.expect(202).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn data_keys_are_renewed_while_messages_go_out_and_nothing_is_left_of_the_ones_before() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    let tenants = [
        house.tenant("acme", &endpoint, None).await,
        house.tenant("globex", &endpoint, None).await,
    ];
    let folder = house.stop().await;
    let before = sealed(&folder).await;
    assert_eq!(before.len(), 5, "three keys and two integrations' secrets");
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let stop = AtomicBool::new(false);
    let renew = async {
        command(&house, &house.operator, "keys renew").await;
        for _ in 0..4 {
            let renewed = house.operate("POST", RENEW, Value::Null).await;
            let renewed = renewed.expect(200).json();
            assert_eq!(
                (&renewed["data_keys"], &renewed["unfinished"]),
                (&json!(3), &json!(0))
            );
            assert!(renewed["records"].as_u64() >= Some(2), "{renewed}");
        }
        stop.store(true, Ordering::SeqCst);
    };
    let send = async {
        while !stop.load(Ordering::SeqCst) {
            for key in &tenants {
                let message = sent(&house, key).await;
                assert_eq!(message["state"], "sent", "{message}");
            }
        }
    };
    tokio::join!(renew, send);
    let keys = data_keys(&house).await;
    let owners: Vec<_> = keys
        .iter()
        .map(|key| key["owner"].as_str().unwrap())
        .collect();
    assert_eq!(owners, ["host", "tenant/acme", "tenant/globex"]);
    for key in &keys {
        assert_eq!(
            (&key["generation"], &key["earlier"]),
            (&json!(6), &json!(0)),
            "{key}"
        );
        assert!(key["made_at"].is_string(), "{key}");
    }
    command(&house, &house.operator, "keys show").await;
    for (method, path) in [("GET", "/v1/data-keys"), ("POST", RENEW)] {
        let refused = house.call(&tenants[0], method, path, &Value::Null).await;
        refused.expect(403);
    }
    let folder = house.stop().await;
    let after = sealed(&folder).await;
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|anew| !before.contains(anew)));
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    assert_eq!(data_keys(&house).await, keys);
    for key in &tenants {
        assert_eq!(sent(&house, key).await["state"], "sent");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_its_age_is_renewed_by_itself() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    let key = house.tenant("acme", &endpoint, None).await;
    let folder = house.stop().await;
    let began = Clock::System.now();
    let at = |days: u64| {
        let now = began.after(Duration::from_hours(days * 24)).as_millis();
        Clock::Manual(Arc::new(AtomicI64::new(now)))
    };
    // The first look at a key counts its age from then on.
    let house = House::start_in(folder, at(0), |_| {}).await;
    let undated = |key: &Value| key["made_at"].is_null();
    while data_keys(&house).await.iter().any(undated) {
        tokio::task::yield_now().await;
    }
    let house = House::start_in(house.stop().await, at(89), |_| {}).await;
    let first = |key: &Value| key["generation"] == 1;
    assert!(data_keys(&house).await.iter().all(first));
    let house = House::start_in(house.stop().await, at(90), |_| {}).await;
    let renewed = |key: &Value| key["generation"] == 2 && key["earlier"] == 0;
    while !data_keys(&house).await.iter().all(renewed) {
        tokio::task::yield_now().await;
    }
    assert_eq!(sent(&house, &key).await["state"], "sent");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_is_killed_at_any_step_goes_on_and_loses_nothing() {
    let mut run = Run::new().await;
    let operator = std::fs::read_to_string(run.data.join("operator.key")).unwrap();
    let authorization = format!("Bearer {}", operator.trim());
    let headers = [("authorization", authorization.as_str())];
    let mut all = 0;
    for step in STEPS {
        for nth in 1..=2 {
            run.plan("");
            assert!(run.start());
            all = run.load(20, mixed);
            run.plan(&format!("{step} kill {nth}"));
            // The program dies of it.
            let _ = call(run.address, "POST", RENEW, &headers, "").await;
            let end = run.ended().await;
            assert_eq!(end.signal(), Some(9), "{step}: {end}");
        }
    }
    run.plan("");
    assert!(run.start());
    let renewed = call(run.address, "POST", RENEW, &headers, "").await;
    let renewed = renewed.unwrap().expect(200).json();
    assert_eq!(renewed["unfinished"], 0, "{renewed}");
    run.accepted_or_still(all).await;
    run.judge("a renewal that is killed at each step").await;
}
