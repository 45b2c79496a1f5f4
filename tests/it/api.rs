//! What bad input gets, and who may see what.

use serde_json::{Value, json};

use crate::harness::{House, Provider, call};

fn email() -> Value {
    json!({ "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "123456" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_do_not_work_and_tenants_that_are_not_yours_look_like_nothing() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    let (acme, globex) = (
        house.tenant("acme", &endpoint, None).await,
        house.tenant("globex", &endpoint, None).await,
    );
    let id = house
        .call(&acme, "POST", "/v1/messages?wait=10", &email())
        .await
        .expect(202)
        .text_at("/id");
    // Another tenant's, and one that does not exist: the same answer to the letter.
    for path in [
        "integrations",
        "routes/email",
        "messages",
        "integrations/mail",
        &format!("messages/{id}"),
    ] {
        let foreign = house
            .call(
                &globex,
                "GET",
                &format!("/v1/tenants/acme/{path}"),
                &Value::Null,
            )
            .await
            .expect(404);
        let missing = house
            .call(
                &globex,
                "GET",
                &format!("/v1/tenants/nobody/{path}"),
                &Value::Null,
            )
            .await
            .expect(404);
        assert_eq!(foreign.text, missing.text, "{path}");
    }
    house
        .call(&globex, "GET", &format!("/v1/messages/{id}"), &Value::Null)
        .await
        .expect(404);
    for key in [
        "",
        "x",
        "sbx_0123456789abcdef_AAAA",
        &acme[..acme.len() - 1],
    ] {
        for path in [
            "/v1/messages",
            "/v1/tenants/acme/messages",
            "/v1/tenants/nobody/messages",
            "/v1/tenants",
        ] {
            house.call(key, "GET", path, &Value::Null).await.expect(401);
        }
        let front = "/front-doors/logto/acme/email";
        assert_eq!(
            house
                .call(key, "POST", front, &json!({}))
                .await
                .expect(401)
                .text,
            "The Authorization of this connector is not valid.\n"
        );
    }
    house
        .call(&acme, "POST", "/front-doors/logto/globex/email", &email())
        .await
        .expect(404);
    for path in [
        "/v1/tenants",
        "/v1/tenants/acme",
        "/v1/egress/sources",
        "/v1/tenants/acme/keys",
    ] {
        house
            .call(&acme, "GET", path, &Value::Null)
            .await
            .expect(403);
    }
    let keys = house
        .operate("GET", "/v1/tenants/acme/keys", Value::Null)
        .await
        .expect(200);
    assert!(
        !keys.text.contains(&acme[20..]),
        "a key's text is shown only once"
    );
    let path = format!("/v1/tenants/acme/keys/{}", keys.text_at("/data/0/id"));
    house
        .operate("DELETE", &path, Value::Null)
        .await
        .expect(204);
    house
        .call(&acme, "GET", "/v1/messages", &Value::Null)
        .await
        .expect(401);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_are_refused_with_the_field_and_nothing_is_stored() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let changed = |field: &str, value: Value| {
        let mut body = email();
        body[field] = value;
        body
    };
    let cases = [
        (changed("type", json!("Login")), 422, "/type"),
        (
            changed("to", json!("a@example.com\r\nBcc: b@example.com")),
            422,
            "/to",
        ),
        (
            changed("to", json!("a@example.com,b@example.com")),
            422,
            "/to",
        ),
        (changed("payload", json!([1])), 422, "/payload"),
        (
            changed("payload", json!({ "code": "x".repeat(70_000) })),
            422,
            "/payload",
        ),
        (changed("locale", json!("de\n")), 422, "/locale"),
        (changed("ip", json!("999.1.1.1")), 422, "/ip"),
        (
            changed("expires_in_seconds", json!(0)),
            422,
            "/expires_in_seconds",
        ),
        (changed("channel", json!("fax")), 400, ""),
        (changed("subject", json!("x")), 400, ""),
        (changed("to", json!(7)), 400, ""),
    ];
    for (body, status, pointer) in cases {
        let answer = house
            .call(&key, "POST", "/v1/messages", &body)
            .await
            .expect(status);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        if !pointer.is_empty() {
            assert_eq!(answer.text_at("/errors/0/pointer"), pointer);
        }
        assert!(!answer.text.contains("Bcc"), "{}", answer.text);
    }
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str())];
    let address = house.server.address;
    for (body, status) in [("{\"to\":", 400), ("", 400), (&"x".repeat(300_000), 413)] {
        call(address, "POST", "/v1/messages", &headers, body.to_owned())
            .await
            .unwrap()
            .expect(status);
        call(
            address,
            "POST",
            "/front-doors/logto/acme/email",
            &headers,
            body.to_owned(),
        )
        .await
        .unwrap()
        .expect(status);
    }
    let list = house
        .call(&key, "GET", "/v1/messages", &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(list["data"], json!([]));
    assert!(provider.arrivals().is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_gets_the_first_answer_and_refuses_another_body() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let authorization = format!("Bearer {key}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("idempotency-key", "order-7"),
    ];
    let post = |body: Value| {
        call(
            house.server.address,
            "POST",
            "/v1/messages?wait=10",
            &headers,
            body.to_string(),
        )
    };
    let first = post(email()).await.unwrap().expect(202);
    let second = post(email()).await.unwrap().expect(202);
    assert_eq!(first.text_at("/id"), second.text_at("/id"));
    assert_eq!(second.headers["idempotent-replayed"], "true");
    // Written differently it is the same message: a caller that lost its answer may have lost its text too.
    let written = r#"{ "payload": {"code":"\u003123456" }, "type" :"SignIn","channel":"email", "to":"a@EXAMPLE.com"}"#;
    let again = call(
        house.server.address,
        "POST",
        "/v1/messages",
        &headers,
        written,
    );
    let again = again.await.unwrap().expect(202);
    assert_eq!(first.text_at("/id"), again.text_at("/id"));
    let mut other = email();
    other["payload"]["code"] = json!("654321");
    assert_eq!(
        post(other).await.unwrap().expect(409).text_at("/code"),
        "idempotency_conflict"
    );
    assert_eq!(provider.arrivals().len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_break_the_schema_are_refused_without_their_secrets() {
    let house = House::start().await;
    house
        .upload(connector_bundle::component("sendgrid-email").unwrap())
        .await
        .expect(201);
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let put = |settings: Value| {
        house.operate(
            "PUT",
            "/v1/tenants/acme/integrations/mail",
            json!({ "connector": "sendgrid-email", "settings": settings }),
        )
    };
    let answer =
        put(json!({ "apiKey": ["SG.hunter2"], "fromEmail": "a@example.com", "templates": [] }))
            .await
            .expect(422);
    let pointers: Vec<_> = answer.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].clone())
        .collect();
    assert!(
        pointers.contains(&json!("/settings/apiKey")),
        "{}",
        answer.text
    );
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    let templates: Vec<_> = ["SignIn", "Register", "ForgotPassword", "Generic"]
        .into_iter()
        .map(|usage| json!({ "usageType": usage, "type": "text/plain", "subject": "s", "content": "{{code}}" }))
        .collect();
    let settings =
        json!({ "apiKey": "SG.hunter2", "fromEmail": "a@example.com", "templates": templates });
    let saved = put(settings).await.expect(201);
    assert!(!saved.text.contains("hunter2"), "{}", saved.text);
    assert_eq!(saved.json()["secrets"], json!(["/apiKey"]));
    assert_eq!(saved.json()["state"], "draft");
    // What was read can be written back: the secret that it lacks is kept.
    let mut read = saved.json()["settings"].clone();
    read["fromName"] = json!("Acme");
    assert_eq!(
        put(read).await.expect(200).json()["secrets"],
        json!(["/apiKey"])
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_tried_with_unsaved_settings_and_carries_no_messages() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    house
        .upload(connector_bundle::component("http-email").unwrap())
        .await
        .expect(201);
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let endpoint = json!({ "endpoint": format!("http://{}/try", provider.address) });
    let test = json!({ "to": "a@example.com", "connector": "http-email", "settings": endpoint });
    let answer = house
        .operate("POST", "/v1/tenants/acme/integrations/mail/test", test)
        .await
        .expect(200);
    assert_eq!(answer.json()["ok"], true, "{}", answer.text);
    let arrival = provider.arrivals().pop().unwrap().json();
    assert_eq!(
        (&arrival["type"], &arrival["payload"]["code"]),
        (&json!("Generic"), &json!("000000"))
    );
    house
        .operate("GET", "/v1/tenants/acme/integrations/mail", Value::Null)
        .await
        .expect(404);
    let put = json!({ "connector": "http-email", "settings": endpoint });
    house
        .operate("PUT", "/v1/tenants/acme/integrations/mail", put)
        .await
        .expect(201);
    let route = json!({ "integrations": ["mail"] });
    house
        .operate("PUT", "/v1/tenants/acme/routes/email", route)
        .await
        .expect(422);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_cannot_be_removed() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    house
        .tenant(
            "acme",
            &format!("http://{}/", provider.address),
            Some("127.0.0.2"),
        )
        .await;
    let digest = house
        .operate("GET", "/v1/connectors", Value::Null)
        .await
        .expect(200)
        .text_at("/data/0/digest");
    for path in [
        "/v1/egress/sources/acme",
        "/v1/egress/pools/acme",
        "/v1/tenants/acme/integrations/mail",
        &format!("/v1/connectors/http-email/versions/{digest}"),
    ] {
        let answer = house.operate("DELETE", path, Value::Null).await.expect(409);
        assert!(
            answer.text_at("/detail").contains("in use by"),
            "{}",
            answer.text
        );
    }
    for path in [
        "/v1/tenants/acme/routes/email",
        "/v1/tenants/acme/integrations/mail",
        "/v1/tenants/acme",
    ] {
        house.operate("DELETE", path, Value::Null).await.expect(204);
    }
    house
        .operate("DELETE", "/v1/egress/pools/acme", Value::Null)
        .await
        .expect(204);
    house
        .operate("DELETE", "/v1/egress/sources/acme", Value::Null)
        .await
        .expect(204);
    house
        .operate(
            "DELETE",
            &format!("/v1/connectors/http-email/versions/{digest}"),
            Value::Null,
        )
        .await
        .expect(204);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_are_no_connectors_are_refused_and_nothing_is_stored() {
    let house = House::start().await;
    let component = connector_bundle::component("http-email").unwrap();
    let core_module = [0, b'a', b's', b'm', 1, 0, 0, 0];
    for (bytes, code) in [
        (&b"PK\x03\x04"[..], "upload.not-wasm"),
        (&core_module, "upload.core-module"),
        (&component[..component.len() / 2], "upload.malformed"),
    ] {
        assert_eq!(house.upload(bytes).await.expect(422).text_at("/code"), code);
    }
    house
        .operate("POST", "/v1/connectors", json!({}))
        .await
        .expect(415);
    assert_eq!(
        house
            .operate("GET", "/v1/connectors", Value::Null)
            .await
            .expect(200)
            .json()["data"],
        json!([])
    );
    house.upload(component).await.expect(201);
    house.upload(component).await.expect(200);
    house.stop().await;
}
