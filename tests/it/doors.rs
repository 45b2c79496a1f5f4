//! What callers may send, and what becomes of it: read once at the door, alike for host and guest.

use std::time::Duration;

use memchr::memmem;
use sendbox_tests::guests;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::egress_kit::bad_inputs;
use crate::harness::{Answer, House, Provider, call};

const NUMBER: &str = "4915198761234560";
/// What the cases' payloads must not tell: their codes, and the token of their links.
const PRIVATE: [&str; 4] = ["654321", "654322", "6.54321", "t0ken1"];

/// A tenant whose text messages go by a guest that says all that it learns. Returns its key.
async fn talkative(house: &House, provider: &Provider) -> String {
    house.upload(guests::ACTS).await;
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let url = format!("http://{}/", provider.address);
    let settings =
        json!({ "act": "sweep", "url": url, "secret": "s3cret-of-acts", "look_for": "x" });
    house.integrate("acme", "sms", "acts", settings).await;
    let route = json!({ "integrations": ["sms"] });
    house
        .operate("PUT", "/v1/tenants/acme/routes/sms", route)
        .await
        .expect(200);
    house.key("acme").await
}

/// A body that no library would write.
async fn post(house: &House, key: &str, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {key}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    call(
        house.server.address,
        "POST",
        path,
        &headers,
        body.to_owned(),
    )
    .await
    .unwrap()
}

fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let errors = problem["errors"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", answer.text));
    errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect()
}

fn assert_silent(id: &str, text: &[u8]) {
    for private in PRIVATE {
        let found = memmem::find(text, private.as_bytes());
        assert!(
            found.is_none(),
            "{id}: {private} in {}",
            String::from_utf8_lossy(text)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_and_guest_read_one_payload_and_no_word_tells_what_it_holds() {
    let provider = Provider::accepting().await;
    let house = House::start().await;
    let key = talkative(&house, &provider).await;
    let cases = bad_inputs("payload");
    assert!(cases.len() > 20);
    for (id, input, expect) in cases {
        let payload = input.as_str().unwrap();
        let api =
            format!(r#"{{"channel":"sms","to":"{NUMBER}","type":"SignIn","payload":{payload}}}"#);
        let door = format!(r#"{{"to":"{NUMBER}","type":"SignIn","payload":{payload}}}"#);
        let before = provider.count();
        let answer = post(&house, &key, "/v1/messages?wait=20", &api).await;
        let at_door = post(&house, &key, "/front-doors/logto/acme/sms", &door).await;
        if let Some(pointer) = expect.strip_prefix("deny:") {
            assert_eq!(
                (answer.status, at_door.status),
                (422, 422),
                "{id}: {}",
                answer.text
            );
            assert_eq!(pointers(&answer), [pointer], "{id}");
            assert!(at_door.text.contains(pointer), "{id}: {}", at_door.text);
            assert_silent(&id, answer.text.as_bytes());
            assert_silent(&id, at_door.text.as_bytes());
            assert_eq!(provider.count(), before, "{id}");
            continue;
        }
        let read = expect.strip_prefix("as:").unwrap();
        assert_eq!(
            (answer.status, at_door.status),
            (202, 200),
            "{id}: {} {}",
            answer.text,
            at_door.text
        );
        for arrival in &provider.arrivals()[before..] {
            assert_eq!(arrival.body, format!("{NUMBER} {read}"), "{id}");
        }
        assert_eq!(provider.count(), before + 2, "{id}");
        // It did say it all: in its log, in the receipt and as the message's name.
        assert!(answer.text.contains("found 1 for"), "{id}: {}", answer.text);
        assert_silent(&id, answer.text.as_bytes());
    }
    let folder = house.stop().await;
    let mut words = 0;
    for file in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let path = file.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for at in memmem::find_iter(&bytes, b"found 1 for") {
            words += 1;
            assert_silent("on disk", &bytes[at..bytes.len().min(at + 300)]);
        }
    }
    assert!(words > 0, "the control: what guests said is on disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_emoji_changes_no_language() {
    let provider = Provider::accepting().await;
    let house = House::start().await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let template = |language: &str, subject: &str| {
        json!({
            "languageTag": language, "templateType": "SignIn",
            "details": { "subject": subject, "content": "{{code}} {{name}}" },
        })
    };
    let templates =
        json!({ "templates": [template("en", "Your code"), template("de", "Ihr Code")] });
    let answer = house
        .call(&key, "PUT", "/v1/email-templates", &templates)
        .await;
    assert!(answer.status < 300, "{}", answer.text);
    for name in ["Bob", r"Bob \ud83d", r"\udc00Bob"] {
        let message = format!(
            r#"{{"channel":"email","to":"ann@example.com","type":"SignIn","payload":{{"code":"1234","locale":"de","name":"{name}"}}}}"#
        );
        post(&house, &key, "/v1/messages?wait=20", &message)
            .await
            .expect(202);
        let arrival = provider.arrivals().pop().unwrap().json();
        assert_eq!(arrival["content"]["subject"], "Ihr Code", "{name}");
        let wrong = message.replace(r#""locale":"de""#, r#""locale":"not a tag!""#);
        let answer = post(&house, &key, "/v1/messages", &wrong).await.expect(422);
        assert_eq!(pointers(&answer), ["/locale"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_holds_nothing_that_nobody_sees() {
    let provider = Provider::accepting().await;
    let house = House::start().await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let cases = bad_inputs("to");
    assert!(cases.len() > 20);
    for (id, input, expect) in cases {
        let body = json!({ "channel": "email", "to": input, "type": "SignIn", "payload": {"code": "1234"} });
        let answer = house.call(&key, "POST", "/v1/messages", &body).await;
        assert_eq!(answer.status, 422, "{id}: {}", answer.text);
        let pointer = expect.strip_prefix("deny:").unwrap();
        assert_eq!(pointers(&answer), [pointer], "{id}: {input}");
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_object_is_no_body() {
    let house = House::start().await;
    let key = house.tenant("acme", "http://127.0.0.1:9/", None).await;
    let list = format!(r#"["sms","{NUMBER}","SignIn",{{"code":"1234"}},null,null,null]"#);
    for body in [list.as_str(), "[]", "\"a\"", "7", "null", "true", " [1]"] {
        for (method, path) in [
            ("POST", "/v1/messages"),
            ("PUT", "/v1/integrations/mail"),
            ("PUT", "/v1/routes/email"),
            ("PUT", "/v1/email-templates"),
            ("POST", "/v1/integrations/mail/test"),
        ] {
            let authorization = format!("Bearer {key}");
            let headers = [("authorization", authorization.as_str())];
            let answer = call(
                house.server.address,
                method,
                path,
                &headers,
                body.to_owned(),
            )
            .await;
            let answer = answer.unwrap().expect(400);
            assert_eq!(
                answer.headers["content-type"], "application/problem+json",
                "{path} {body}"
            );
            assert!(
                answer.text_at("/detail").contains("must be a JSON object"),
                "{path}: {}",
                answer.text
            );
        }
        let door = post(&house, &key, "/front-doors/logto/acme/email", body).await;
        assert_eq!(door.status, 400, "{body}: {}", door.text);
    }
    // A key that stands twice has no one meaning, whichever body it is in.
    let twice = r#"{"connector":"http-email","settings":{"endpoint":"https://a.example/","endpoint":"https://b.example/"}}"#;
    let path = "/v1/integrations/mail";
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str())];
    let answer = call(house.server.address, "PUT", path, &headers, twice)
        .await
        .unwrap();
    assert_eq!(pointers(&answer.expect(422)), ["/settings/endpoint"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_holds_a_secret_is_refused_when_it_is_written() {
    let provider = Provider::accepting().await;
    let house = House::start().await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let cases = bad_inputs("endpoint");
    assert!(cases.len() > 10);
    for (id, input, expect) in cases {
        let body = json!({ "connector": "http-email", "settings": { "endpoint": input } });
        let test = json!({ "to": "a@b.example", "connector": "http-email", "settings": { "endpoint": input } });
        for (method, path, body) in [
            ("PUT", "/v1/integrations/other", &body),
            ("PUT", "/v1/integrations/mail", &body),
            ("POST", "/v1/integrations/mail/test", &test),
        ] {
            let answer = house.call(&key, method, path, body).await.expect(422);
            let pointer = expect.strip_prefix("deny:").unwrap();
            assert!(
                pointers(&answer).contains(&pointer.to_owned()),
                "{id}: {}",
                answer.text
            );
            assert!(!answer.text.contains("hunter2"), "{id}: {}", answer.text);
        }
    }
    // Where it belongs it is a secret, and arrives where it is wanted.
    let settings = json!({
        "endpoint": format!("http://{}/hook?a=1", provider.address), "token": "hunter2&=ü", "tokenName": "sig",
    });
    let body = json!({ "connector": "http-email", "settings": settings });
    let answer = house
        .call(&key, "PUT", "/v1/integrations/mail", &body)
        .await
        .expect(200);
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    let test = json!({ "to": "a@b.example" });
    let answer = house
        .call(&key, "POST", "/v1/integrations/mail/test", &test)
        .await
        .expect(200);
    assert_eq!(answer.json()["ok"], true, "{}", answer.text);
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    let arrivals = provider.arrivals();
    let targets: Vec<_> = arrivals
        .iter()
        .map(|arrival| arrival.target.as_str())
        .collect();
    assert_eq!(targets, ["/hook?a=1&sig=hunter2%26%3D%C3%BC"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_read_as_everybody_else_reads_it() {
    let house = House::start().await;
    let cases = bad_inputs("head");
    assert!(cases.len() > 20);
    for (id, input, expect) in cases {
        let mut stream = TcpStream::connect(house.server.address).await.unwrap();
        stream
            .write_all(input.as_str().unwrap().as_bytes())
            .await
            .unwrap();
        let expected: Vec<_> = expect.split(' ').collect();
        let mut answers = Vec::new();
        let statuses = |answers: &[u8]| -> Vec<String> {
            memmem::find_iter(answers, b"HTTP/1.")
                .filter_map(|at| answers.get(at + 9..at + 12))
                .map(|status| String::from_utf8_lossy(status).into_owned())
                .collect()
        };
        let read = async {
            // An answer that ends the connection is the last one.
            while stream.read_buf(&mut answers).await.unwrap_or(0) > 0 {
                let seen = statuses(&answers);
                if seen.len() >= expected.len() && seen.last().is_some_and(|last| last == "200") {
                    break;
                }
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), read).await;
        assert!(ended.is_ok(), "{id}: {}", String::from_utf8_lossy(&answers));
        assert_eq!(
            statuses(&answers),
            expected,
            "{id}: {}",
            String::from_utf8_lossy(&answers)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_passes_beside_looked_at_heads() {
    let house = House::start().await;
    let mut stream = TcpStream::connect(house.server.address).await.unwrap();
    // Lines that end in nothing but LF, and what looks like heads, in pieces of every size.
    let body = "{\"a\":1}\n\r\n\r\nGET /healthz HTTP/1.1\n\n".repeat(4_000);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let next = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let all = format!("{head}{body}{next}");
    let (mut from, mut size) = (0, 1);
    let mut answers = Vec::new();
    while from < all.len() {
        let to = all.len().min(from + size);
        // It may answer and close before it has read all of a body that it does not want.
        if stream.write_all(&all.as_bytes()[from..to]).await.is_err() {
            break;
        }
        (from, size) = (to, size * 2 % 9_973 + 1);
    }
    let _ = stream.read_to_end(&mut answers).await;
    assert!(
        answers.starts_with(b"HTTP/1.1 401"),
        "{}",
        String::from_utf8_lossy(&answers)
    );
    assert!(memmem::find(&answers, b" 400 ").is_none());
}

#[test]
fn the_cases_have_names_of_their_own() {
    let lines = include_str!("../corpus/unseen.jsonl").lines();
    let ids: Vec<Value> = lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().map(Value::to_string).collect();
    assert_eq!(ids.len(), unique.len());
}
