//! Templates by language: which text a message gets, and the API that they are written by.

use std::process::ExitCode;

use axum::http::{HeaderMap, StatusCode};
use clap::Parser;
use sendbox::cli::Cli;
use sendbox::time::Clock;
use sendbox_tests::mail_peer::{MailPeer, Say, reply, usual};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::harness::{House, Provider, bundle};

const REQUIRED: [&str; 4] = ["Register", "SignIn", "ForgotPassword", "Generic"];

/// A mail server that takes everything, in clear and without a login.
async fn mail_server() -> MailPeer {
    let plain = |line: &_| match usual(line) {
        Say::Reply(text) if text.contains("STARTTLS") => reply("250 mx.test"),
        other => other,
    };
    MailPeer::start(None, false, plain).await
}

/// A tenant that sends e-mail by `peer`. Returns its key.
async fn tenant_with_mail(house: &House, peer: &MailPeer) -> String {
    house
        .upload(connector_bundle::component("smtp").unwrap())
        .await;
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let settings = json!({
        "host": "127.0.0.1", "port": peer.address.port(), "ignoreTLS": true, "auth": {},
        "fromEmail": "noreply@acme.example",
        "templates": REQUIRED.map(|usage_type| json!({
            "usageType": usage_type, "contentType": "text/plain",
            "subject": format!("settings {usage_type}"), "content": "{{code}}",
        })),
    });
    house.integrate("acme", "mail", "smtp", settings).await;
    let route = json!({ "integrations": ["mail"] });
    house
        .operate("PUT", "/v1/tenants/acme/routes/email", route)
        .await
        .expect(200);
    house.key("acme").await
}

fn template(language: &str, usage_type: &str) -> Value {
    json!({
        "languageTag": language, "templateType": usage_type,
        "details": {
            "subject": format!("{language} {usage_type} {{{{code}}}}"),
            "content": "code {{ code }}", "contentType": "text/plain",
        },
    })
}

async fn put(house: &House, key: &str, path: &str, templates: Vec<Value>) -> Value {
    let body = json!({ "templates": templates });
    house.call(key, "PUT", path, &body).await.expect(200).json()
}

/// Sends one e-mail and returns the subject of what arrived.
async fn subject(house: &House, key: &str, peer: &MailPeer, usage: &str, locale: &str) -> String {
    let mut body = json!({
        "channel": "email", "to": "you@example.com", "type": usage, "payload": { "code": "271828" },
    });
    if !locale.is_empty() {
        body["payload"]["locale"] = locale.into();
    }
    let answer = house
        .call(key, "POST", "/v1/messages?wait=30", &body)
        .await
        .expect(202);
    assert_eq!(answer.text_at("/state"), "sent", "{}", answer.text);
    last_subject(peer)
}

fn last_subject(peer: &MailPeer) -> String {
    let mails = peer.texts();
    let mail = mails
        .iter()
        .rfind(|text| text.contains("Subject: "))
        .unwrap();
    let subject = mail.lines().find_map(|line| line.strip_prefix("Subject: "));
    subject.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_gets_the_tenants_text_in_its_language_and_a_change_counts_from_the_next_send() {
    let (house, peer) = (House::start().await, mail_server().await);
    let key = tenant_with_mail(&house, &peer).await;
    let sent = async |usage, locale| subject(&house, &key, &peer, usage, locale).await;
    assert_eq!(sent("SignIn", "zh-HK").await, "settings SignIn");

    let templates = [
        ("zh", "SignIn"),
        ("zh-Hant", "SignIn"),
        ("zh-HK", "Generic"),
        ("en", "SignIn"),
        ("en", "Generic"),
    ];
    let templates = templates.map(|(language, usage)| template(language, usage));
    let rows = put(&house, &key, "/v1/email-templates", templates.to_vec()).await;
    for (usage, locale, expected) in [
        ("SignIn", "zh-Hant", "zh-Hant SignIn 271828"),
        ("SignIn", "zh-HK", "en SignIn 271828"),
        ("SignIn", "", "en SignIn 271828"),
        ("Register", "zh-HK", "en Generic 271828"),
    ] {
        assert_eq!(sent(usage, locale).await, expected, "{usage} in {locale:?}");
    }

    let parents = json!({ "fallback_language": "fr", "language_fallback": "parents" });
    house
        .call(&key, "PUT", "/v1/languages", &parents)
        .await
        .expect(200);
    assert_eq!(sent("SignIn", "zh-HK").await, "zh-Hant SignIn 271828");
    assert_eq!(sent("SignIn", "en-GB").await, "en SignIn 271828");
    assert_eq!(sent("Register", "zh-HK").await, "settings Register");

    let path = format!("/v1/email-templates/{}", rows[1]["id"].as_str().unwrap());
    let changes = json!({ "subject": "changed {{code}}" });
    house
        .call(&key, "PATCH", &format!("{path}/details"), &changes)
        .await
        .expect(200);
    assert_eq!(sent("SignIn", "zh-HK").await, "changed 271828");
    house
        .call(&key, "DELETE", &path, &Value::Null)
        .await
        .expect(204);
    assert_eq!(sent("SignIn", "zh-HK").await, "zh SignIn 271828");
    house.stop().await;
}

/// Runs a statement on the file of a house that is down.
async fn meddle(folder: &tempfile::TempDir, statement: &'static str) {
    let file = folder.path().join("data/sendbox.db");
    let options = SqliteConnectOptions::new().filename(file);
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(statement).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_cannot_be_read_holds_the_message_back_and_no_other_text_leaves() {
    let (house, peer) = (House::start().await, mail_server().await);
    let key = tenant_with_mail(&house, &peer).await;
    put(
        &house,
        &key,
        "/v1/email-templates",
        vec![template("en", "SignIn")],
    )
    .await;
    let folder = house.stop().await;
    meddle(&folder, "UPDATE template SET details = '{' || details").await;

    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let body = json!({
        "channel": "email", "to": "you@example.com", "type": "SignIn", "payload": { "code": "271828" },
    });
    let answer = house
        .call(&key, "POST", "/v1/messages?wait=30", &body)
        .await;
    let answer = answer.expect(202);
    assert_eq!(answer.text_at("/state"), "waiting", "{}", answer.text);
    let attempt = "/attempts/0/outcome/failure/code";
    assert_eq!(answer.text_at(attempt), "store.record", "{}", answer.text);
    assert!(peer.lines().is_empty());
    let folder = house.stop().await;
    meddle(&folder, "UPDATE template SET details = substr(details, 2)").await;

    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let message = house.finished(&key, &answer.text_at("/id")).await;
    assert_eq!(message["state"], "sent", "{message}");
    assert_eq!(message["possible_duplicate"], false);
    assert_eq!(last_subject(&peer), "en SignIn 271828");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_an_integration_shows_the_text_that_its_messages_would_get() {
    let (house, peer) = (House::start().await, mail_server().await);
    let key = tenant_with_mail(&house, &peer).await;
    let templates = vec![template("de", "Generic"), template("en", "Generic")];
    put(&house, &key, "/v1/email-templates", templates).await;
    for (body, expected) in [
        (
            json!({ "to": "you@example.com", "locale": "de" }),
            "de Generic 000000",
        ),
        (json!({ "to": "you@example.com" }), "en Generic 000000"),
    ] {
        let path = "/v1/integrations/mail/test";
        let answer = house.call(&key, "POST", path, &body).await.expect(200);
        assert_eq!(answer.json()["ok"], true, "{}", answer.text);
        assert_eq!(last_subject(&peer), expected);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_gets_its_language_by_the_same_rules() {
    let house = House::start().await;
    let accepted = |_: &_| (StatusCode::OK, HeaderMap::new(), r#"{"ids":[1]}"#.into());
    let provider = Provider::start(accepted).await;
    house
        .upload(connector_bundle::component("gatewayapi-sms").unwrap())
        .await
        .expect(201);
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let settings = json!({
        "endpoint": format!("http://{}/", provider.address), "apiToken": "t", "sender": "Acme",
        "templates": REQUIRED.map(|usage_type| json!({ "usageType": usage_type, "content": "settings {{code}}" })),
    });
    house
        .integrate("acme", "text", "gatewayapi-sms", settings)
        .await;
    let route = json!({ "integrations": ["text"] });
    house
        .operate("PUT", "/v1/tenants/acme/routes/sms", route)
        .await
        .expect(200);
    let key = house.key("acme").await;
    let text = |language: &str| {
        json!({
            "languageTag": language, "templateType": "SignIn",
            "details": { "content": format!("{language} {{{{code}}}}") },
        })
    };
    put(
        &house,
        &key,
        "/v1/sms-templates",
        vec![text("de"), text("en")],
    )
    .await;
    // An e-mail's text is none for a text message.
    put(
        &house,
        &key,
        "/v1/email-templates",
        vec![template("fr", "SignIn")],
    )
    .await;
    for (usage, locale, expected) in [
        ("SignIn", "de", "de 271828"),
        ("SignIn", "fr", "en 271828"),
        ("Register", "de", "settings 271828"),
    ] {
        let body = json!({
            "channel": "sms", "to": "14155552671", "type": usage, "locale": locale,
            "payload": { "code": "271828" },
        });
        let answer = house
            .call(&key, "POST", "/v1/messages?wait=30", &body)
            .await;
        assert_eq!(answer.text_at("/state"), "sent", "{}", answer.text);
        assert_eq!(
            provider.arrivals().pop().unwrap().json()["message"],
            expected
        );
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_have_logtos_shape_and_are_filtered_changed_and_deleted_as_there() {
    let house = House::start().await;
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let key = house.key("acme").await;
    let path = "/v1/email-templates";
    let templates = vec![
        template("fr", "SignIn"),
        template("de", "SignIn"),
        template("de", "Generic"),
    ];
    let rows = put(&house, &key, path, templates).await;
    let row = rows[0].as_object().unwrap();
    let names: Vec<_> = row.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "tenantId",
            "id",
            "languageTag",
            "templateType",
            "details",
            "createdAt"
        ]
    );
    assert_eq!(row["tenantId"], "acme");
    assert!(row["createdAt"].as_i64().unwrap() > 1_700_000_000_000);

    let get = async |query: &str| {
        let path = format!("{path}{query}");
        house
            .call(&key, "GET", &path, &Value::Null)
            .await
            .expect(200)
            .json()
    };
    let named = async |query: &str| -> Vec<String> {
        let rows = get(query).await;
        let name = |row: &Value| format!("{} {}", row["languageTag"], row["templateType"]);
        rows.as_array()
            .unwrap()
            .iter()
            .map(name)
            .collect::<Vec<_>>()
    };
    let all = [r#""de" "Generic""#, r#""de" "SignIn""#, r#""fr" "SignIn""#];
    assert_eq!(named("").await, all);
    assert_eq!(named("?templateType=SignIn").await, all[1..]);
    assert_eq!(
        named("?languageTag=de&templateType=SignIn").await,
        all[1..2]
    );
    let id = row["id"].as_str().unwrap();
    assert_eq!(get(&format!("/{id}")).await, rows[0]);

    let changes = json!({ "content": "new", "contentType": null, "replyTo": "help@acme.example" });
    let changed = house
        .call(&key, "PATCH", &format!("{path}/{id}/details"), &changes)
        .await
        .expect(200)
        .json();
    let details = json!({ "subject": "fr SignIn {{code}}", "content": "new", "replyTo": "help@acme.example" });
    assert_eq!(changed["details"], details);
    assert_eq!(changed["id"], row["id"]);
    let replaced = put(&house, &key, path, vec![template("fr", "SignIn")]).await;
    assert_eq!(replaced[0], rows[0], "details are replaced, not merged");

    let delete = async |rest: &str| {
        let path = format!("{path}{rest}");
        house.call(&key, "DELETE", &path, &Value::Null).await
    };
    delete("").await.expect(422);
    assert_eq!(
        delete("?languageTag=de").await.expect(200).json(),
        json!({ "rowCount": 2 })
    );
    delete(&format!("/{id}")).await.expect(204);
    delete(&format!("/{id}")).await.expect(404);
    assert_eq!(get("").await, json!([]));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_its_tenants_alone() {
    let house = House::start().await;
    let mut keys = Vec::new();
    for tenant in ["acme", "globex"] {
        house
            .operate("PUT", &format!("/v1/tenants/{tenant}"), json!({}))
            .await
            .expect(201);
        keys.push(house.key(tenant).await);
    }
    let (acme, globex) = (&keys[0], &keys[1]);
    let rows = put(
        &house,
        acme,
        "/v1/email-templates",
        vec![template("en", "Generic")],
    )
    .await;
    let id = rows[0]["id"].as_str().unwrap();
    let change = json!({ "content": "mine" });
    for (key, path) in [
        (globex, format!("/v1/email-templates/{id}")),
        (globex, format!("/v1/tenants/acme/email-templates/{id}")),
        (acme, format!("/v1/sms-templates/{id}")),
    ] {
        house
            .call(key, "GET", &path, &Value::Null)
            .await
            .expect(404);
        house
            .call(key, "DELETE", &path, &Value::Null)
            .await
            .expect(404);
        let details = format!("{path}/details");
        house
            .call(key, "PATCH", &details, &change)
            .await
            .expect(404);
    }
    let foreign = "/v1/tenants/acme/email-templates";
    let body = json!({ "templates": [template("en", "SignIn")] });
    house.call(globex, "PUT", foreign, &body).await.expect(404);
    let languages = json!({ "fallback_language": "de" });
    let path = "/v1/tenants/acme/languages";
    house
        .call(globex, "PUT", path, &languages)
        .await
        .expect(404);
    // The operator may.
    house.operate("PUT", path, languages).await.expect(200);
    let seen = house.call(acme, "GET", "/v1/languages", &Value::Null).await;
    assert_eq!(
        seen.expect(200).json(),
        json!({ "fallback_language": "de", "language_fallback": "exact" })
    );
    let seen = house.operate("GET", foreign, Value::Null).await.expect(200);
    assert_eq!(seen.json().as_array().unwrap().len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_template_is_named_field_by_field_and_nothing_is_written() {
    let house = House::start().await;
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let key = house.key("acme").await;
    let mut wrong = template("de AT", "Password");
    wrong["details"] = json!({ "subject": "a\nb", "contentTyp": "text/plain" });
    let templates = json!([template("en", "SignIn"), wrong, template("en", "SignIn")]);
    let path = "/v1/email-templates";
    let answer = house
        .call(&key, "PUT", path, &json!({ "templates": templates }))
        .await
        .expect(422);
    let answer = answer.json();
    let pointers: Vec<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["pointer"])
        .collect();
    assert_eq!(
        pointers,
        [
            "/templates/1/languageTag",
            "/templates/1/templateType",
            "/templates/1/details/subject",
            "/templates/1/details/content",
            "/templates/1/details/contentTyp",
            "/templates/2",
        ]
    );
    for (body, status) in [
        (json!({ "templates": [] }), 422),
        (
            json!({ "templates": vec![template("en", "SignIn"); 101] }),
            422,
        ),
        (json!({ "templates": [], "more": 1 }), 400),
        (
            json!({ "templates": [{ "languageTag": "en", "type": "SignIn" }] }),
            400,
        ),
    ] {
        house.call(&key, "PUT", path, &body).await.expect(status);
    }
    for query in ["?language=de", "?languageTag=", "?templateType=Password"] {
        for method in ["GET", "DELETE"] {
            let path = format!("{path}{query}");
            house
                .call(&key, method, &path, &Value::Null)
                .await
                .expect(400);
        }
    }
    let languages = json!({ "fallback_language": "" });
    house
        .call(&key, "PUT", "/v1/languages", &languages)
        .await
        .expect(400);
    let rows = house
        .call(&key, "GET", path, &Value::Null)
        .await
        .expect(200);
    assert_eq!(rows.json(), json!([]));
    house.stop().await;
}

/// Runs a command of the client.
pub(crate) async fn command(house: &House, key: &str, words: &str) {
    let server = format!("http://{}", house.server.address);
    let words = format!("sendbox {words} --server {server} --key {key} --output json");
    let cli = Cli::parse_from(words.split_whitespace());
    let run = move || format!("{:?}", sendbox::cli::run(cli, bundle()));
    let code = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(code, format!("{:?}", ExitCode::SUCCESS), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_writes_and_deletes_what_the_api_shows() {
    let house = House::start().await;
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let key = house.key("acme").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let templates = [template("de", "SignIn"), template("zh-Hant", "SignIn")];
    std::fs::write(file.path(), json!({ "templates": templates }).to_string()).unwrap();
    let put = format!("template put {}", file.path().display());
    command(&house, &key, &put).await;
    command(&house, &key, "template list --language de").await;
    command(&house, &key, "template delete --language zh-Hant").await;
    let path = "/v1/email-templates";
    let rows = house
        .call(&key, "GET", path, &Value::Null)
        .await
        .expect(200);
    let rows = rows.json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    let delete = format!("template delete {}", rows[0]["id"].as_str().unwrap());
    command(&house, &key, &delete).await;
    let rows = house
        .call(&key, "GET", path, &Value::Null)
        .await
        .expect(200);
    assert_eq!(rows.json(), json!([]));
    let languages = "template languages --fallback de --match parents";
    command(&house, &key, languages).await;
    let seen = house.call(&key, "GET", "/v1/languages", &Value::Null).await;
    assert_eq!(seen.expect(200).text_at("/language_fallback"), "parents");
    house.stop().await;
}
