//! What an operator sees of a running server: limits, counters, and why a host is reached or not.

use serde_json::{Value, json};

use crate::harness::{House, Provider};
use crate::templates::command;

use sendbox::time::Clock;

fn email() -> Value {
    json!({ "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "123456" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_number_is_shown_with_its_bounds() {
    let house = House::start().await;
    let shown = house
        .call("", "GET", "/v1/limits", &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(
        shown["limits.cpu_ms"],
        json!({ "value": 250, "minimum": 10, "maximum": 2_000 })
    );
    assert_eq!(
        shown["engine.pool_slots"],
        json!({ "value": 64, "minimum": 1, "maximum": 2_048 })
    );
    for (key, bound) in shown.as_object().unwrap() {
        let [least, value, most] = ["minimum", "value", "maximum"].map(|name| bound[name].as_u64());
        assert!(least <= value && value <= most, "{key}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_without_a_name_of_anybody() {
    let house = House::start_with(Clock::System, |config| config.limits.requests = 1).await;
    let provider = Provider::accepting().await;
    let acme = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let globex = house.tenant("globex", "https://10.9.8.7/", None).await;
    for key in [&acme, &globex] {
        house
            .call(key, "POST", "/v1/messages?wait=10", &email())
            .await
            .expect(202);
    }
    house.upload(b"no component").await.expect(422);
    house
        .call(&acme, "GET", "/metrics", &Value::Null)
        .await
        .expect(403);
    let page = house
        .operate("GET", "/metrics", Value::Null)
        .await
        .expect(200);
    assert_eq!(
        page.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for line in [
        r#"sendbox_messages_accepted_total{channel="email"} 2"#,
        r#"sendbox_messages_ended_total{channel="email",state="sent"} 1"#,
        r#"sendbox_attempts_total{channel="email",outcome="receipt"} 1"#,
        r#"sendbox_egress_refusals_total{rule="host.address-literal"} 1"#,
        r#"sendbox_uploads_total{result="accepted"} 2"#,
        r#"sendbox_uploads_total{result="upload.not-wasm"} 1"#,
        "sendbox_sends_in_flight 0",
        r#",engine="48."#,
    ] {
        assert!(page.text.contains(line), "{line} in\n{}", page.text);
    }
    for name in ["acme", "globex", "10.9.8.7", "example.com", "mail"] {
        let labels = page.text.lines().filter(|line| !line.starts_with('#'));
        let quoted = format!("\"{name}\"");
        assert_eq!(
            labels.filter(|line| line.contains(&quoted)).count(),
            0,
            "{name}"
        );
    }
    // Every sample belongs to a family that says what it is.
    for line in page.text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(page.text.contains(&format!("# TYPE {name} ")), "{line}");
        assert!(
            line.rsplit(' ').next().unwrap().parse::<u64>().is_ok(),
            "{line}"
        );
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_a_send_meets_is_counted_by_its_code() {
    let house = House::start_with(Clock::System, |config| config.limits.requests = 0).await;
    let provider = Provider::accepting().await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    house
        .call(&key, "POST", "/v1/messages?wait=10", &email())
        .await
        .expect(202);
    let page = house
        .operate("GET", "/metrics", Value::Null)
        .await
        .expect(200)
        .text;
    assert!(
        page.contains(r#"sendbox_limit_hits_total{limit="limit.requests"} 1"#),
        "{page}"
    );
    assert_eq!(provider.count(), 0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_told_which_rule_lets_a_tenant_out_or_keeps_it_in() {
    let addresses = vec!["8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap()];
    let house = House::start_with(Clock::System, |config| {
        config.egress.hosts = [("turned.acme.dev".to_owned(), addresses)].into();
    })
    .await;
    let provider = Provider::accepting().await;
    let endpoint = format!("http://{}/", provider.address);
    let key = house.tenant("acme", &endpoint, Some("127.0.0.2")).await;
    let explain = async |host: &str| {
        let path = format!("/v1/tenants/acme/egress/explain?host={host}");
        house.operate("GET", &path, Value::Null).await
    };
    let told = explain(&endpoint).await.expect(200).json();
    assert_eq!(told["allowed"], true, "{told}");
    let mail = &told["integrations"][0];
    assert_eq!(
        (&mail["integration"], &mail["pool"]),
        (&json!("mail"), &json!("acme"))
    );
    assert_eq!(
        mail["sources"],
        json!([{
            "name": "acme", "address": "127.0.0.2", "family": "ipv4", "suspended": null,
            "weight": 1, "refused": null,
        }])
    );
    let by_connector = json!({ "list": "connector", "pattern": provider.address.to_string() });
    assert_eq!(
        mail["names"]["lists"],
        json!([{ "list": "operator", "pattern": "*" }, by_connector])
    );
    assert_eq!(
        told["addresses"],
        json!([{ "address": "127.0.0.1", "refused": null }])
    );

    // Nobody's name is looked up that no integration may reach.
    let told = explain("api.elsewhere.dev").await.expect(200).json();
    assert_eq!(
        (&told["allowed"], &told["addresses"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(
        told.pointer("/integrations/0/names/refused/rule").unwrap(),
        "host.not-asked-by-connector"
    );

    house
        .integrate(
            "acme",
            "turned",
            "http-email",
            json!({ "endpoint": "https://turned.acme.dev/" }),
        )
        .await;
    let told = explain("turned.acme.dev").await.expect(200).json();
    assert_eq!(
        told["allowed"], false,
        "one refused address refuses the name"
    );
    assert_eq!(told.pointer("/addresses/0/refused").unwrap(), &Value::Null);
    assert_eq!(
        told.pointer("/addresses/1/refused/rule").unwrap(),
        "address.private"
    );

    let narrow = json!({ "egress_pool": "acme", "allowed_hosts": ["other.acme.dev"] });
    house
        .operate("PUT", "/v1/tenants/acme", narrow)
        .await
        .expect(200);
    let told = explain("turned.acme.dev").await.expect(200).json();
    assert_eq!(
        told.pointer("/integrations/1/names/refused/rule").unwrap(),
        "host.not-allowed-by-tenant"
    );
    assert_eq!(
        told.pointer("/integrations/1/names/lists/1").unwrap(),
        &json!({ "list": "tenant", "pattern": null })
    );

    for words in [
        format!("egress explain acme {endpoint}"),
        "egress explain acme turned.acme.dev:443".to_owned(),
        "egress addresses --tenant acme".to_owned(),
        "egress addresses".to_owned(),
    ] {
        command(&house, &house.operator, &words).await;
    }
    explain("ftp://x.acme.dev/").await.expect(400);
    house
        .operate("GET", "/v1/tenants/acme/egress/explain", Value::Null)
        .await
        .expect(400);
    house
        .call(
            &key,
            "GET",
            "/v1/tenants/acme/egress/explain?host=x.dev",
            &Value::Null,
        )
        .await
        .expect(403);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_that_sends_leave_from_are_listed_for_whom_they_concern() {
    let house = House::start().await;
    let acme = house
        .tenant("acme", "http://127.0.0.1:9/", Some("127.0.0.2"))
        .await;
    let globex = house.tenant("globex", "http://127.0.0.1:9/", None).await;
    let path = "/v1/egress/addresses";
    let sources = json!([
        { "name": "acme", "address": "127.0.0.2", "family": "ipv4", "suspended": null },
    ]);
    let all = house
        .operate("GET", path, Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(
        all,
        json!({ "addresses": ["127.0.0.2"], "sources": sources, "default_address": true })
    );
    let own = json!({ "addresses": ["127.0.0.2"], "sources": sources, "default_address": false });
    assert_eq!(
        house
            .call(&acme, "GET", path, &Value::Null)
            .await
            .expect(200)
            .json(),
        own
    );
    let of_acme = format!("{path}?tenant=acme");
    assert_eq!(
        house
            .operate("GET", &of_acme, Value::Null)
            .await
            .expect(200)
            .json(),
        own
    );
    let none = json!({ "addresses": [], "sources": [], "default_address": true });
    assert_eq!(
        house
            .call(&globex, "GET", path, &Value::Null)
            .await
            .expect(200)
            .json(),
        none
    );
    house
        .call(&globex, "GET", &of_acme, &Value::Null)
        .await
        .expect(404);
    house
        .operate("GET", &format!("{path}?tenant=nobody"), Value::Null)
        .await
        .expect(404);
    house.stop().await;
}
