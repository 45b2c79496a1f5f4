//! Keys by their roles: what one that only sends may read, and how an operator's are made, revoked and recovered.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{House, Provider, call};

fn email() -> Value {
    json!({ "channel": "email", "to": "ann@example.com", "type": "SignIn", "payload": { "code": "123456" } })
}

async fn made(house: &House, path: &str, role: &str) -> (String, String) {
    let made = house
        .operate("POST", path, json!({ "title": "one", "role": role }))
        .await;
    let made = made.expect(201);
    assert_eq!(made.text_at("/role"), role);
    (made.text_at("/id"), made.text_at("/key"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_reads_the_answer_to_its_call_and_nothing_that_came_before() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    let admin = house.tenant("acme", &endpoint, None).await;
    let (_, sender) = made(&house, "/v1/tenants/acme/keys", "sender").await;
    let sent = house
        .call(&sender, "POST", "/v1/messages?wait=10", &email())
        .await;
    let sent = sent.expect(202);
    assert_eq!(sent.text_at("/state"), "sent");
    let front = "/front-doors/logto/acme/email";
    let logto = json!({ "to": "ann@example.com", "type": "SignIn", "payload": { "code": "1" } });
    house.call(&sender, "POST", front, &logto).await.expect(200);
    let post = |key: String| {
        let address = house.server.address;
        async move {
            let authorization = format!("Bearer {key}");
            let headers = [
                ("authorization", authorization.as_str()),
                ("idempotency-key", "login-1"),
            ];
            let path = "/v1/tenants/acme/messages?wait=10";
            let answer = call(address, "POST", path, &headers, email().to_string());
            answer.await.unwrap().expect(202)
        }
    };
    let first = post(admin.clone()).await;
    assert!(first.text.contains("attempts"), "{}", first.text);
    let replayed = post(sender.clone()).await;
    assert_eq!(replayed.headers["idempotent-replayed"], "true");
    assert_eq!(replayed.json(), json!({ "id": first.text_at("/id") }));
    assert_eq!(post(admin).await.text_at("/id"), first.text_at("/id"));
    assert_eq!(provider.count(), 3);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_keys_are_made_and_revoked_down_to_the_last_one_that_works() {
    let house = House::start().await;
    let (path, first) = ("/v1/operator-keys", house.operator.clone());
    let id = first.split('_').nth(1).unwrap().to_owned();
    let list = async |key: &str| {
        house
            .call(key, "GET", path, &Value::Null)
            .await
            .expect(200)
            .json()
    };
    assert_eq!(list(&first).await["data"][0]["role"], "operator");
    // One for metrics makes no operator: the last one is still the last.
    let (metrics_id, metrics) = made(&house, path, "metrics").await;
    let last = house
        .operate("DELETE", &format!("{path}/{id}"), Value::Null)
        .await
        .expect(409);
    assert!(
        last.text_at("/detail").contains("last one that works"),
        "{}",
        last.text
    );
    let (other_id, other) = made(&house, path, "operator").await;
    house
        .operate("DELETE", &format!("{path}/{id}"), Value::Null)
        .await
        .expect(204);
    house
        .operate("GET", "/v1/tenants", Value::Null)
        .await
        .expect(401);
    let gone = |id: String| {
        let path = format!("{path}/{id}");
        let (house, other) = (&house, &other);
        async move {
            house
                .call(other, "DELETE", &path, &Value::Null)
                .await
                .status
        }
    };
    assert_eq!(gone(id.clone()).await, 404);
    assert_eq!(gone(other_id).await, 409);
    house
        .call(&metrics, "GET", "/metrics", &Value::Null)
        .await
        .expect(200);
    assert_eq!(gone(metrics_id).await, 204);
    house
        .call(&metrics, "GET", "/metrics", &Value::Null)
        .await
        .expect(401);
    let listed = list(&other).await;
    let works = |key: &&Value| key.get("revoked_at").is_none();
    assert_eq!(
        listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(works)
            .count(),
        1
    );
    // A tenant's route does not reach the server's keys, nor make one of their roles.
    house
        .call(&other, "PUT", "/v1/tenants/acme", &json!({}))
        .await
        .expect(201);
    for (path, role) in [(path, "sender"), ("/v1/tenants/acme/keys", "operator")] {
        let answer = house
            .call(&other, "POST", path, &json!({ "role": role }))
            .await
            .expect(422);
        assert_eq!(answer.text_at("/errors/0/pointer"), "/role");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_key_is_made_on_the_machine_once_the_server_is_stopped() {
    let house = House::start().await;
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let recover = |folder: &std::path::Path| {
        Command::new(env!("CARGO_BIN_EXE_sendbox"))
            .args(["operator-key", "recover", "--output", "json", "--data"])
            .arg(folder)
            .output()
            .unwrap()
    };
    let data = house.server.operator_key_file.parent().unwrap().to_owned();
    let refused = recover(&data);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && words.contains("stop it first"),
        "{words}"
    );
    let folder = house.stop().await;
    assert!(!recover(&folder.path().join("elsewhere")).status.success());
    assert!(!folder.path().join("elsewhere").exists());
    let made = recover(&data);
    assert!(made.status.success(), "{made:?}");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let house = House::start_in(folder, sendbox::time::Clock::System, |_| {}).await;
    let key = made["key"].as_str().unwrap();
    house
        .call(key, "GET", "/v1/tenants/acme", &Value::Null)
        .await
        .expect(200);
    house
        .operate("GET", "/v1/tenants/acme", Value::Null)
        .await
        .expect(200);
    house.stop().await;
}
