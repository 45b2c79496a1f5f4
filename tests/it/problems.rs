//! Refusals that no handler makes: they are problems with a code as well.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{House, call};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_for_is_answered_or_refused_as_a_problem() {
    let house = House::start().await;
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    for (method, path, status, code) in [
        ("GET", "/v1/nope", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/tenants/", 404, "not_found"),
        ("GET", "/front-doors/nope/acme/email", 404, "not_found"),
        ("DELETE", "/v1/limits", 405, "method_not_allowed"),
        ("PATCH", "/v1/tenants/acme", 405, "method_not_allowed"),
        (
            "GET",
            "/front-doors/logto/acme/email",
            405,
            "method_not_allowed",
        ),
        ("GET", "/v1/tenants/%ff", 400, "bad_request"),
        ("GET", "/v1/connectors/%ff", 400, "bad_request"),
        ("GET", "/v1/connectors/a/versions/%ff", 400, "bad_request"),
        ("DELETE", "/v1/operator-keys/%ff", 400, "bad_request"),
        ("DELETE", "/v1/sealing-keys/%ff", 400, "bad_request"),
        ("GET", "/v1/tenants/acme/messages/%ff", 400, "bad_request"),
        ("GET", "/v1/tenants/acme/routes/%ff", 400, "bad_request"),
        ("GET", "/v1/tenants?limit=0", 400, "bad_request"),
        ("GET", "/v1/tenants?limit=%ff", 400, "bad_request"),
        (
            "GET",
            "/v1/tenants/acme/messages?limit=251",
            400,
            "bad_request",
        ),
    ] {
        let answer = house.operate(method, path, Value::Null).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert_eq!(answer.text_at("/code"), code, "{method} {path}");
        let media_type = answer.headers["content-type"].to_str().unwrap();
        assert_eq!(media_type, "application/problem+json", "{method} {path}");
        let allow = answer.headers.contains_key("allow");
        assert_eq!(allow, status == 405, "{method} {path}");
    }
    let sources = json!({ "address": "127.0.0.2" });
    let put = house
        .operate("PUT", "/v1/egress/sources/%ff", sources)
        .await;
    assert_eq!(put.expect(400).text_at("/code"), "bad_request");
    // Logto shows what it is told to the person who signs in.
    let door = house
        .operate("POST", "/front-doors/logto/%ff/email", json!({}))
        .await;
    assert_eq!(door.status, 400);
    assert!(
        door.text.contains("The message is not valid"),
        "{}",
        door.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_over_its_limit_is_a_problem_and_the_next_request_is_answered() {
    let house = House::start().await;
    let address = house.server.address;
    let long = "x".repeat(20 * 1024);
    let refused = call(address, "GET", "/healthz", &[("x-long", &long)], "").await;
    let refused = refused.unwrap().expect(431);
    assert_eq!(refused.text_at("/code"), "head_too_large");
    let fits = "x".repeat(15 * 1024);
    let taken = call(address, "GET", "/healthz", &[("x-long", &fits)], "").await;
    taken.unwrap().expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_idempotency_keys_are_none_of_both() {
    let house = House::start().await;
    let key = format!("Bearer {}", house.operator);
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let headers = [
        ("authorization", key.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "one"),
        ("idempotency-key", "two"),
    ];
    let body = json!({ "channel": "email", "to": "ann@example.com", "type": "SignIn", "payload": { "code": "1" } });
    let path = "/v1/tenants/acme/messages";
    let refused = call(
        house.server.address,
        "POST",
        path,
        &headers,
        body.to_string(),
    )
    .await;
    let refused = refused.unwrap().expect(400);
    assert!(refused.text.contains("more than once"), "{}", refused.text);
}

/// A connection that is idle is closed at its time, and not before; one that has a request under way never is.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_kept_for_as_long_as_it_is_configured() {
    let house = House::start_with(sendbox::time::Clock::System, |config| {
        config.server.keep_alive_ms = 1_000;
    })
    .await;
    let mut stream = TcpStream::connect(house.server.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let began = std::time::Instant::now();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // It ends when the server closes it.
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.ends_with(b"ok\n"));
    let kept = began.elapsed().as_millis();
    assert!((1_000..8_000).contains(&kept), "{kept} ms");
}
