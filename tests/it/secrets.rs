//! Secrets as an operator and a tenant handle them: keys are rotated, credentials too, and what is over is deleted.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use sendbox::time::Clock;
use sendbox_tests::peer::{Peer, Reply};
use serde_json::{Value, json};

use crate::egress_kit::{Send, at, config_for, get, live, secret};
use crate::harness::{House, Provider};
use crate::sweep::Process;

fn email() -> Value {
    json!({ "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "123456" } })
}

async fn sent(house: &House, key: &str) -> Value {
    let answer = house
        .call(key, "POST", "/v1/messages?wait=10", &email())
        .await;
    answer.expect(202).json()
}

async fn keys(house: &House) -> Vec<Value> {
    let answer = house.operate("GET", "/v1/sealing-keys", Value::Null).await;
    answer.expect(200).json()["data"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_keys_are_rotated_while_messages_go_out_and_the_old_one_opens_nothing_afterwards() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    let globex = house.tenant("globex", &endpoint, None).await;
    let (first, stop) = (keys(&house).await, AtomicBool::new(false));
    assert_eq!(
        first[0]["data_keys"], 3,
        "the host's and two tenants': {first:?}"
    );
    let rotate = async {
        for _ in 0..5 {
            let rotated = house
                .operate("POST", "/v1/sealing-keys/rotate", Value::Null)
                .await;
            let rotated = rotated.expect(200).json();
            let current = rotated["data"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(
                (&current["current"], &current["data_keys"]),
                (&json!(true), &json!(3))
            );
        }
        stop.store(true, Ordering::SeqCst);
    };
    let send = async {
        while !stop.load(Ordering::SeqCst) {
            for key in [&acme, &globex] {
                let message = sent(&house, key).await;
                assert_eq!(message["state"], "sent", "{message}");
            }
        }
    };
    tokio::join!(rotate, send);
    let all = keys(&house).await;
    assert_eq!(all.len(), 6);
    let path = |key: &Value| format!("/v1/sealing-keys/{}", key["id"].as_str().unwrap());
    house
        .operate("DELETE", &path(&all[5]), Value::Null)
        .await
        .expect(409);
    for key in &all[..5] {
        house
            .operate("DELETE", &path(key), Value::Null)
            .await
            .expect(204);
        house
            .operate("DELETE", &path(key), Value::Null)
            .await
            .expect(404);
    }
    house
        .call(&acme, "GET", "/v1/sealing-keys", &Value::Null)
        .await
        .expect(403);
    // The file holds the one key that is left, and it opens everything after a restart.
    let house = House::start_in(house.stop().await, Clock::System, |_| {}).await;
    assert_eq!(keys(&house).await, [all[5].clone()]);
    assert_eq!(sent(&house, &acme).await["state"], "sent");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_rotates_loses_no_key() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    let (acme, operator) = (
        house.tenant("acme", &endpoint, None).await,
        house.operator.clone(),
    );
    let folder = house.stop().await;
    // Calls that are answered in the meantime: none, more and more, and at last as many as it takes.
    let last = usize::MAX;
    for calls in (0..9).map(|kill| 4 * kill * kill).chain([last]) {
        let server = Process::start(&folder.path().join("data")).await;
        let rotate = server.call(&operator, "POST", "/v1/sealing-keys/rotate", "");
        let meanwhile = async {
            for _ in 0..calls {
                server.call(&operator, "GET", "/healthz", "").await;
            }
        };
        tokio::select! {
            _ = rotate => {}
            () = meanwhile => {}
        }
        server.kill();
    }
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let all = keys(&house).await;
    let (current, earlier) = all.split_last().unwrap();
    assert_eq!(current["data_keys"], 2, "{all:?}");
    assert!(!earlier.is_empty(), "no rotation came far");
    assert!(earlier.iter().all(|key| key["data_keys"] == 0), "{all:?}");
    assert_eq!(sent(&house, &acme).await["state"], "sent");
    house.stop().await;
}

/// A provider that takes some credentials and refuses the others, and the credentials it takes.
async fn choosy() -> (Provider, Arc<Mutex<String>>) {
    let taken = Arc::new(Mutex::new(String::new()));
    let takes = taken.clone();
    let provider = Provider::start(move |arrival| {
        let status = match arrival.authorization == *takes.lock().unwrap() {
            true => StatusCode::OK,
            false => StatusCode::UNAUTHORIZED,
        };
        (status, HeaderMap::new(), "{}".into())
    });
    (provider.await, taken)
}

fn statuses(message: &Value) -> Vec<u64> {
    let attempts = message["attempts"].as_array().unwrap();
    let exchanges = attempts
        .iter()
        .flat_map(|attempt| attempt["exchanges"].as_array().unwrap());
    exchanges
        .map(|exchange| exchange["status"].as_u64().unwrap())
        .collect()
}

const INTEGRATION: &str = "/v1/integrations/mail";
const SECRETS: &str = "/v1/integrations/mail/secrets";
const EARLIER: &str = "/v1/integrations/mail/secrets/earlier";

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_is_tried_first_and_the_one_before_it_until_it_is_retired() {
    let (house, (provider, taken)) = (House::start().await, choosy().await);
    let endpoint = format!("http://{}/", provider.address);
    let key = house.tenant("acme", &endpoint, None).await;
    let settings = |secret: &str| json!({ "connector": "http-email", "settings": { "endpoint": endpoint, "authorization": secret } });
    let call =
        async |method: &str, path: &str, body: Value| house.call(&key, method, path, &body).await;
    call("PUT", INTEGRATION, settings("first-secret"))
        .await
        .expect(200);
    let new = json!({ "secrets": { "/authorization": "second-secret" } });
    let shown = call("POST", SECRETS, new.clone()).await.expect(200);
    assert!(!shown.text.contains("-secret\""), "{}", shown.text);
    assert_eq!(shown.json()["earlier_secrets"], json!(["/authorization"]));

    "first-secret".clone_into(&mut taken.lock().unwrap());
    let message = sent(&house, &key).await;
    assert_eq!(
        (&message["state"], &message["attempt_count"]),
        (&json!("sent"), &json!(1))
    );
    assert_eq!(statuses(&message), [401, 200]);
    assert_eq!(message["attempts"][0]["earlier_secrets"], true);
    let test = call(
        "POST",
        "/v1/integrations/mail/test",
        json!({ "to": "a@example.com" }),
    )
    .await;
    assert_eq!(test.json()["earlier_secrets"], true);

    "second-secret".clone_into(&mut taken.lock().unwrap());
    let message = sent(&house, &key).await;
    assert_eq!(statuses(&message), [200]);
    assert_eq!(message["attempts"][0]["earlier_secrets"], Value::Null);

    call("POST", SECRETS, new).await.expect(409);
    call("DELETE", EARLIER, Value::Null).await.expect(204);
    call("DELETE", EARLIER, Value::Null).await.expect(404);
    "first-secret".clone_into(&mut taken.lock().unwrap());
    assert_eq!(statuses(&sent(&house, &key).await), [401]);
    for wrong in [
        json!({}),
        json!({ "/authorization": "second-secret" }),
        json!({ "/authorization": "" }),
        json!({ "/endpoint": "https://elsewhere.example.com" }),
    ] {
        call("POST", SECRETS, json!({ "secrets": wrong }))
            .await
            .expect(422);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_back_keeps_both_versions_and_another_secret_replaces_both() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    let key = house.tenant("acme", &endpoint, None).await;
    let put = async |settings: Value| {
        let body = json!({ "connector": "http-email", "settings": settings });
        house
            .call(&key, "PUT", INTEGRATION, &body)
            .await
            .expect(200)
            .json()["earlier_secrets"]
            .clone()
    };
    put(json!({ "endpoint": endpoint, "authorization": "first-secret" })).await;
    let new = json!({ "secrets": { "/authorization": "second-secret" } });
    house.call(&key, "POST", SECRETS, &new).await.expect(200);
    let kept = put(json!({ "endpoint": endpoint, "authorization": null })).await;
    assert_eq!(kept, json!(["/authorization"]));
    let house = House::start_in(house.stop().await, Clock::System, |_| {}).await;
    let shown = house
        .call(&key, "GET", INTEGRATION, &Value::Null)
        .await
        .json();
    assert_eq!(
        shown["earlier_secrets"],
        json!(["/authorization"]),
        "after a restart"
    );
    let body = json!({ "connector": "http-email", "settings": { "endpoint": endpoint, "authorization": "third" } });
    let shown = house.call(&key, "PUT", INTEGRATION, &body).await.json();
    assert_eq!(shown["earlier_secrets"], json!([]));
    house.stop().await;
}

const SECRET: &str = "s3cr3t/key with+blanks";

/// A response in chunks of three bytes: every secret in it lies across their borders.
fn chunked(body: &str) -> Reply {
    let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n".to_vec();
    bytes.extend(format!("x-echo: {SECRET}\r\n\r\n").bytes());
    for chunk in body.as_bytes().chunks(3) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend([chunk, b"\r\n".as_slice()].concat());
    }
    bytes.extend(b"0\r\n\r\n");
    Reply::Bytes(bytes)
}

#[tokio::test]
async fn a_reflected_secret_is_taken_out_of_headers_and_of_a_body_in_chunks() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let forms = [
        SECRET.to_owned(),
        "s3cr3t%2Fkey%20with%2Bblanks".to_owned(),
        "s3cr3t%2fkey+with%2bblanks".to_owned(),
        STANDARD.encode(format!("u:{SECRET}")),
        STANDARD.encode(format!("us:{SECRET}")),
        URL_SAFE_NO_PAD.encode(SECRET),
        hex.to_uppercase(),
        hex,
    ];
    let (placeholder, placeholders) = secret(SECRET, false, false);
    let body = forms.join(" | ");
    let peer = Peer::start(move |_| chunked(&body)).await;
    let send = Send {
        placeholders,
        ..Send::default()
    };
    let (response, _) = send
        .once(&live(&config_for(&peer)), get(at(&peer, "/")))
        .await;
    let response = response.unwrap();
    let body = String::from_utf8(response.body.to_vec()).unwrap();
    assert_eq!(body.matches(&placeholder).count(), forms.len(), "{body}");
    let echoed = response.headers.iter().find(|(name, _)| name == "x-echo");
    assert_eq!(echoed.unwrap().1, placeholder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_message_is_deleted_when_its_time_is_over() {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    let provider = Provider::accepting().await;
    let now = Arc::new(AtomicI64::new(1_800_000_000_000));
    let house = House::start_with(Clock::Manual(now.clone()), |_| {}).await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let old = sent(&house, &key).await["id"].as_str().unwrap().to_owned();
    now.fetch_add(2 * DAY, Ordering::SeqCst);
    let young = sent(&house, &key).await["id"].as_str().unwrap().to_owned();
    now.fetch_add(29 * DAY, Ordering::SeqCst);
    let house = House::start_in(house.stop().await, Clock::Manual(now), |_| {}).await;
    let get = async |id: &str| {
        let path = format!("/v1/messages/{id}");
        house.call(&key, "GET", &path, &Value::Null).await.status
    };
    while get(&old).await != 404 {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&young).await, 200);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_too_large_is_refused_at_each_write_with_its_place() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    house.tenant("acme", &endpoint, None).await;
    let path = "/v1/tenants/acme/integrations/mail";
    let with = |secret: &str| {
        let settings = json!({ "endpoint": endpoint, "authorization": secret });
        json!({ "connector": "http-email", "settings": settings })
    };
    let (large, largest) = ("k".repeat((16 << 10) + 1), "k".repeat(16 << 10));
    let refused = house.operate("PUT", path, with(&large)).await.expect(422);
    assert!(refused.text.contains("/authorization"), "{}", refused.text);
    assert!(
        refused.text.contains("16384 are allowed"),
        "{}",
        refused.text
    );
    house.operate("PUT", path, with(&largest)).await.expect(200);
    let secrets = format!("{path}/secrets");
    let rotation = json!({ "secrets": { "/authorization": large } });
    let refused = house.operate("POST", &secrets, rotation).await.expect(422);
    assert!(refused.text.contains("/authorization"), "{}", refused.text);
    let rotation = json!({ "secrets": { "/authorization": "a-new-one" } });
    house.operate("POST", &secrets, rotation).await.expect(200);
}
