//! Every shared bad input of secrets and of the environment gets the verdict that it names.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use sendbox::egress::{Credential, EgressError, HttpRequest};
use sendbox::secret::Secret;
use sendbox::settings::PreparedSettings;
use sendbox_tests::certificates::Authority;
use sendbox_tests::peer::{Arrival, Peer, Reply};
use serde_json::json;

use crate::egress_kit::{HOST, Send, at, bad_inputs, config_for, get, live, post, secret};
use crate::harness::{House, call};
use crate::sandbox::{SECRET, Sandbox};

const VALUE: &str = "k1-the-very-secret";

fn bearer(url: impl Into<String>, token: &str) -> HttpRequest {
    HttpRequest {
        credential: Credential::Bearer(token.to_owned()),
        ..get(url)
    }
}

/// Gives the request's head back.
fn echo(arrival: &Arrival) -> Reply {
    Reply::ok(&arrival.head)
}

/// A placeholder of another tenant's send: its value is [`VALUE`].
fn foreign() -> String {
    let secrets = BTreeMap::from([("/key".to_owned(), Secret::new(VALUE.to_owned()))]);
    let (text, _) = PreparedSettings::new(json!({ "key": null }), &secrets, &[]).fill([9; 16]);
    text.split('"').nth(3).unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_goes_where_it_belongs_and_nowhere_else() {
    let (key, placeholders) = secret(VALUE, false, false);
    let peer = Peer::start(echo).await;
    let egress = live(&config_for(&peer));
    let send = Send {
        placeholders,
        ..Send::default()
    };
    let url = |path: &str| at(&peer, path);
    for (id, input, expect) in bad_inputs("secret") {
        let before = peer.arrivals().len();
        match id.as_str() {
            "secret-001" | "secret-013" => {
                // A signature over a host that the send cannot reach is of no use to anybody.
                let elsewhere = bearer("https://a.wild.test/", &key);
                let (result, exchange) = send.once(&egress, elsewhere).await;
                assert!(matches!(result, Err(EgressError::Denied { .. })), "{id}");
                assert_eq!(exchange.bytes_sent, 0, "{id}");
                assert_eq!(peer.arrivals().len(), before, "{id}");
            }
            "secret-002" | "secret-003" => {
                let request = match id.as_str() {
                    "secret-002" => get(url(&format!("/?k={key}"))),
                    _ => post(url("/"), "application/json", key.clone()),
                };
                let (result, _) = send.once(&egress, request).await;
                assert!(matches!(result, Err(EgressError::Invalid(_))), "{id}");
                assert_eq!(peer.arrivals().len(), before, "{id}");
            }
            "secret-005" => {
                let (result, _) = send.once(&egress, bearer(url("/"), &key)).await;
                let told = String::from_utf8_lossy(&result.unwrap().body).into_owned();
                assert!(peer.arrivals()[before].head.contains(VALUE), "{id}");
                assert!(told.contains(&key) && !told.contains(VALUE), "{id}: {told}");
            }
            "secret-009" | "secret-010" => {
                // Of this send no placeholder: a text like any other, whether somebody holds it or nobody.
                for text in ["{{K1}}".to_owned(), foreign(), foreign().replace('9', "8")] {
                    let request = post(url("/"), "application/json", text.clone());
                    send.once(&egress, request).await.0.unwrap();
                    let body = peer.arrivals().pop().unwrap().body;
                    assert_eq!(body, text.as_bytes(), "{id}");
                }
            }
            // Each has a test of its own, below.
            "secret-016" | "secret-017" => {}
            _ => panic!("no test for {id}: {input} {expect}"),
        }
    }
}

#[tokio::test]
async fn a_secret_comes_back_as_its_placeholder_however_it_is_repeated() {
    let (key, placeholders) = secret(VALUE, false, false);
    let every = |write: fn(u8) -> String| VALUE.bytes().map(write).collect::<String>();
    for echo in [
        every(|byte| format!("%{byte:02x}")),
        every(|byte| format!("%{byte:02X}")),
        every(|byte| match byte % 2 {
            0 => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        }),
        every(|byte| format!("\\x{byte:02x}")),
        every(|byte| format!("\\u{byte:04x}")),
        every(|byte| format!("\\u{byte:04X}")),
        every(|byte| format!("&#{byte};")),
        every(|byte| format!("&#x{byte:x};")),
        every(|byte| format!("{byte:02x}")),
        every(|byte| format!("{byte:02X}:"))
            .trim_end_matches(':')
            .to_owned(),
        every(|byte| format!("{byte:02x} ")).trim_end().to_owned(),
    ] {
        let told = format!("you said {echo}.");
        let peer = Peer::start(move |_| Reply::ok(&told)).await;
        let send = Send {
            placeholders: placeholders.clone(),
            ..Send::default()
        };
        let request = bearer(at(&peer, "/"), &key);
        let (result, _) = send.once(&live(&config_for(&peer)), request).await;
        let heard = String::from_utf8_lossy(&result.unwrap().body).into_owned();
        assert_eq!(heard, format!("you said {key}."), "{echo}");
    }
}

#[tokio::test]
async fn a_trap_beside_a_secret_leaves_no_word_of_it() {
    let sandbox = Sandbox::with_slots(1).await;
    let ended = sandbox.perform("trap-with-secret").await;
    assert_eq!(ended.failure().0, "connector.trap");
    assert_eq!(ended.requests.len(), 1, "the control: it was sent");
    let seen = format!("{:?} {:?}", ended.report, ended.failure());
    assert!(
        seen.contains("panicked") && !seen.contains(SECRET),
        "{seen}"
    );
}

/// The server as a process whose environment is hostile and whose log says everything.
struct Misled {
    child: Child,
    lines: mpsc::Receiver<String>,
    log: String,
}

impl Misled {
    fn start(
        folder: &std::path::Path,
        address: &str,
        roots: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sendbox"))
            .args(["serve", "--listen", address, "--data"])
            .arg(folder.join("data"))
            .env("SENDBOX__EGRESS__ALLOW_ADDRESSES", r#"["127.0.0.0/8"]"#)
            .env("SENDBOX__EGRESS__SPECIAL_NAMES", r#"["test"]"#)
            .env("SENDBOX__EGRESS__PORTS", r#"["1-65535"]"#)
            .env("SENDBOX__EGRESS__EXTRA_ROOTS", roots)
            .env(
                "SENDBOX__EGRESS__HOSTS",
                format!(r#"{{ "{HOST}" = ["127.0.0.1"] }}"#),
            )
            .env("SENDBOX__ENGINE__POOL_SLOTS", "8")
            .env("SENDBOX_LOG", "trace")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (said, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let mut misled = Self {
            child,
            lines,
            log: String::new(),
        };
        while !misled.log.contains("listening") {
            let line = misled.lines.recv().expect("the server starts");
            misled.log += &line;
            misled.log.push('\n');
        }
        misled
    }

    /// All that it said until its end.
    fn end(mut self) -> String {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        self.child.wait().unwrap();
        self.log + &self.lines.iter().collect::<Vec<_>>().join("\n")
    }
}

/// A loopback address that is free to listen on.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_changes_nothing_and_the_fullest_log_holds_no_secret() {
    let (trusted, evil) = (Authority::new(), Authority::new());
    let provider = Peer::start_tls(trusted.server(HOST), echo).await;
    let impostor = Peer::start_tls(evil.server(HOST), echo).await;
    let house = House::start().await;
    let endpoint = |peer: &Peer| format!("https://{HOST}:{}/", peer.address.port());
    let key = house.tenant("acme", &endpoint(&provider), None).await;
    let lured = house.tenant("globex", &endpoint(&impostor), None).await;
    let settings = json!({ "endpoint": endpoint(&provider), "authorization": VALUE });
    let path = "/v1/tenants/acme/integrations/mail";
    let mail = json!({ "connector": "http-email", "settings": settings });
    house.operate("PUT", path, mail).await.expect(200);
    let folder = house.stop().await;

    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let key_log = folder.path().join("tls-keys");
    let address = free_address();
    let misled = Misled::start(
        folder.path(),
        &address,
        trusted.file().to_str().unwrap(),
        &[
            ("HTTPS_PROXY", &proxy_url),
            ("https_proxy", &proxy_url),
            ("ALL_PROXY", &proxy_url),
            ("SSL_CERT_FILE", evil.file().to_str().unwrap()),
            ("SSLKEYLOGFILE", key_log.to_str().unwrap()),
        ],
    );
    let send = async |key: &str| {
        let authorization = format!("Bearer {key}");
        let headers = [("authorization", authorization.as_str())];
        let body = json!({
            "channel": "email", "to": "canary.recipient@example.com", "type": "SignIn",
            "payload": { "code": "731964" },
        });
        let url = "/v1/messages?wait=10";
        let answer = call(
            address.parse().unwrap(),
            "POST",
            url,
            &headers,
            body.to_string(),
        );
        answer.await.unwrap().expect(202)
    };
    assert_eq!(send(&key).await.text_at("/state"), "sent");
    assert_ne!(send(&lured).await.text_at("/state"), "sent");
    let log = misled.end();

    let arrivals = provider.arrivals();
    assert!(arrivals[0].head.contains(VALUE), "the control: it was sent");
    assert_eq!(impostor.arrivals().len(), 0, "SSL_CERT_FILE was trusted");
    assert!(
        proxy.accept().is_err(),
        "a proxy of the environment was asked"
    );
    assert!(!key_log.exists(), "TLS keys were written to a file");
    assert!(log.contains("TRACE"), "the log says everything: {log}");
    let warnings = log.lines().filter(|line| line.contains("ignored: "));
    assert_eq!(warnings.count(), 1, "{log}");
    for canary in [VALUE, "canary.recipient", "731964", &key[20..]] {
        let line = log.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} in the log");
    }
    for (id, ..) in bad_inputs("env") {
        let known = ["env-001", "env-004", "env-005", "env-007"];
        assert!(known.contains(&id.as_str()), "no test for {id}");
    }
}
