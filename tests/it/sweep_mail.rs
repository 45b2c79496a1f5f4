//! The same search for canaries on the way to a mail server, which repeats whatever it is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sendbox_tests::certificates::Authority;
use sendbox_tests::mail_peer::{Line, MailPeer, Say, reply, usual};
use serde_json::json;

use crate::egress_kit::HOST;
use crate::mail_kit::smtp_settings;
use crate::sweep::{Process, files, found, written};

const PASSWORD: &str = "canary/Password+Secret-44c0ffee19";
const CODE: &str = "canary-c0de-70a1b2d3";
const RECIPIENT: &str = "canary-7d1e9b52@example.net";

/// Everything that a server could repeat, in one line of a reply.
fn echo(code: &str) -> Say {
    let forms: Vec<_> = [PASSWORD, CODE, RECIPIENT]
        .into_iter()
        .flat_map(|canary| [written(canary), vec![STANDARD.encode(canary)]].concat())
        .collect();
    reply(&format!("{code} {}", forms.join(" ")))
}

/// The servers, by the word of the session at which each turns away, and what the attempt comes to.
const PATHS: [(&str, &str); 6] = [
    ("none", "receipt"),
    ("AUTH", "unauthorized"),
    ("RCPT", "rejected"),
    ("DATA", "unavailable"),
    (".", "rejected"),
    ("lost", "unknown"),
];

fn say(path: &str, line: &Line) -> Say {
    let word = line.text.split([' ', ':']).next().unwrap_or_default();
    match (path, word) {
        ("AUTH", "AUTH") => echo("535 5.7.8"),
        ("RCPT", "RCPT") => echo("550 5.1.1"),
        ("DATA", "DATA") => echo("451 4.3.0"),
        (".", ".") => echo("554 5.6.0"),
        ("lost", ".") => Say::Close,
        (_, ".") => echo("250 2.0.0"),
        _ => usual(line),
    }
}

/// Sends one message over every path. Answers every answer of the API, and what the servers heard.
async fn drive(server: &Process, key: &str, authority: &Authority) -> (Vec<String>, Vec<String>) {
    let (mut said, mut heard) = (Vec::new(), Vec::new());
    for (path, outcome) in PATHS {
        let tls = authority.server(HOST);
        let peer = MailPeer::start(Some(tls), true, move |line| say(path, line)).await;
        let more = json!({ "secure": true, "auth": { "user": "canary", "pass": PASSWORD } });
        let body = "Code {{code}}";
        let settings = smtp_settings(peer.address.port(), "Your code", body, &more);
        let integration = json!({ "connector": "smtp", "settings": settings }).to_string();
        let name = "/v1/integrations/mail";
        said.push(server.call(key, "PUT", name, integration).await.text);
        let activate = format!("{name}/activate");
        let activated = server.call(key, "POST", &activate, "").await;
        said.push(activated.expect(200).text);
        let route = json!({ "integrations": ["mail"] }).to_string();
        let routed = server.call(key, "PUT", "/v1/routes/email", route).await;
        said.push(routed.expect(200).text);
        let payload = json!({ "code": CODE });
        let message = json!({
            "channel": "email", "to": RECIPIENT, "type": "SignIn", "payload": payload,
        });
        let sent = server
            .call(key, "POST", "/v1/messages?wait=20", message.to_string())
            .await
            .expect(202);
        let told = &sent.json()["attempts"][0]["outcome"];
        let kind = told["failure"]["kind"].as_str().unwrap_or("receipt");
        assert_eq!(kind, outcome, "{path}: {}", sent.text);
        said.push(sent.text);
        let test = json!({ "to": RECIPIENT, "payload": payload }).to_string();
        let tested = server
            .call(key, "POST", &format!("{name}/test"), test)
            .await;
        said.push(tested.expect(200).text);
        heard.extend(peer.texts());
    }
    (said, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_is_found_anywhere_but_at_the_mail_server() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let data = folder.path().join("data");
    let roots = authority.file();
    let variables = [
        (
            "SENDBOX__EGRESS__HOSTS",
            format!("{{ \"{HOST}\" = [\"127.0.0.1\"] }}"),
        ),
        ("SENDBOX__EGRESS__SPECIAL_NAMES", "[\"test\"]".to_owned()),
        ("SENDBOX__EGRESS__EXTRA_ROOTS", roots.display().to_string()),
    ];
    let server = Process::start_with(&data, &variables).await;
    let operator = std::fs::read_to_string(data.join("operator.key")).unwrap();
    let operator = operator.trim();
    server
        .upload(operator, connector_bundle::component("smtp").unwrap())
        .await;
    let made = server.call(operator, "PUT", "/v1/tenants/acme", "{}").await;
    made.expect(201);
    let keys = "/v1/tenants/acme/keys";
    let key = server
        .call(operator, "POST", keys, "{}")
        .await
        .text_at("/key");
    let (said, heard) = drive(&server, &key, &authority).await;
    let metrics = server.call(operator, "GET", "/metrics", "").await;
    let mut outputs = vec![("the metrics".to_owned(), metrics.text.into_bytes())];
    outputs.extend(files(&data));
    outputs.extend(server.shown());
    outputs.push(("the API".to_owned(), said.join("\n").into_bytes()));
    outputs.push(("the log".to_owned(), server.stop()));
    outputs.extend(files(&data));

    // All three did leave, to each server that let the session come so far.
    let heard = heard.join("\n");
    let login = STANDARD.encode(format!("\0canary\0{PASSWORD}"));
    assert!(heard.matches(&login).count() >= PATHS.len(), "{heard}");
    for canary in [RECIPIENT, CODE] {
        assert!(
            heard.matches(canary).count() >= 3,
            "{canary} once a path: {heard}"
        );
    }
    let canaries = [
        ("the password", PASSWORD.to_owned()),
        ("the code", CODE.to_owned()),
        ("the recipient", RECIPIENT.to_owned()),
    ];
    for (name, output) in &outputs {
        let found = found(output, &canaries);
        assert!(found.is_empty(), "in {name}: {found:?}");
    }
}
