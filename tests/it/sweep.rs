//! Canaries for secrets, driven through every path of a server in a process of its own and looked for in all
//! that comes out of it: in each form, and never to be found but at the provider.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use sendbox_tests::guests;
use sendbox_tests::peer::{Arrival, Peer, Reply};
use serde_json::json;

use crate::harness::{Answer, call};

const SECRET: &str = "canary/Settings+Secret-9f3ab1c27d";
const CODE: &str = "canary-c0de-5b1d77e0";
const LINK: &str = "https://app.example/canary?token=6e2f9a";
const RECIPIENT: &str = "4915198761234560";

/// A text as it is written out, apart from base64.
pub fn written(text: &str) -> Vec<String> {
    let percent: String = text
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' => c.to_string(),
            c => format!("%{:02X}", u32::from(c)),
        })
        .collect();
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![text.to_owned(), percent, hex.to_uppercase(), hex]
}

/// The forms of a text that are looked for, made apart from those of the program.
fn forms(text: &str) -> Vec<String> {
    let mut forms = written(text);
    for lead in 0..3 {
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            // Without the characters that what stands before or after has a part in.
            let encoded = alphabet.encode(format!("{}{text}", "x".repeat(lead)));
            forms.push(encoded[4..encoded.len() - 2].to_owned());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Names of the canaries that stand in `output` in whichever form.
pub fn found(output: &[u8], canaries: &[(&'static str, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in canaries {
        for form in forms(text) {
            if memmem::find(output, form.as_bytes()).is_some() {
                found.push(format!("{name} as {form}"));
            }
        }
    }
    found
}

/// The server with all that it says.
pub struct Process {
    child: Child,
    address: SocketAddr,
    log: Option<JoinHandle<Vec<u8>>>,
}

impl Process {
    pub async fn start(data: &Path) -> Self {
        Self::start_with(data, &[]).await
    }

    /// With more variables in its environment.
    pub async fn start_with(data: &Path, variables: &[(&str, String)]) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut child = Command::new(env!("CARGO_BIN_EXE_sendbox"))
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .env("SENDBOX__EGRESS__ALLOW_ADDRESSES", "[\"127.0.0.0/8\"]")
            .env("SENDBOX__EGRESS__PLAINTEXT_HOSTS", "[\"127.0.0.0/8\"]")
            .env("SENDBOX__EGRESS__PORTS", "[\"1-65535\"]")
            .env("SENDBOX__ENGINE__POOL_SLOTS", "16")
            .env("SENDBOX__LIMITS__CPU_MS", "1000")
            .env("SENDBOX__LIMITS__FIRST_BYTE_MS", "500")
            .env("SENDBOX__DELIVERY__RETRY__MAX_ATTEMPTS", "1")
            .env("SENDBOX_LOG", "trace")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut all = Vec::new();
            stderr.read_to_end(&mut all).unwrap();
            all
        });
        while call(address, "GET", "/readyz", &[], "").await.is_err() {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the server did not start"
            );
        }
        Self {
            child,
            address,
            log: Some(log),
        }
    }

    pub async fn call(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: impl Into<bytes::Bytes>,
    ) -> Answer {
        let authorization = format!("Bearer {key}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        call(self.address, method, path, &headers, body)
            .await
            .unwrap()
    }

    /// Ends the server in the midst of whatever it does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stores a component.
    pub async fn upload(&self, operator: &str, component: &[u8]) {
        let authorization = format!("Bearer {operator}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/wasm"),
        ];
        let component = component.to_vec();
        let answer = call(self.address, "POST", "/v1/connectors", &headers, component).await;
        answer.unwrap().expect(201);
    }

    /// What other processes of its user can read of it.
    pub fn shown(&self) -> Vec<(String, Vec<u8>)> {
        let read = |name: &str| {
            let path = format!("/proc/{}/{name}", self.child.id());
            (path.clone(), std::fs::read(path).unwrap())
        };
        ["environ", "cmdline"].map(read).into()
    }

    /// Ends the server as an operator does, and answers its whole log.
    pub fn stop(mut self) -> Vec<u8> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success() && self.child.wait().unwrap().success());
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Repeats the secret in many forms, with the status that the path asks for.
fn reflect(arrival: &Arrival) -> Reply {
    if arrival.head.starts_with("POST /silent") {
        return Reply::Silence;
    }
    let status = if arrival.head.starts_with("POST /no") {
        "400 Bad Request"
    } else {
        "200 OK"
    };
    let mut echoes = written(SECRET);
    echoes.extend(["", "u", "u:"].map(|user| STANDARD.encode(format!("{user}{SECRET}"))));
    let body = format!(
        "{} {}",
        echoes.join(" "),
        String::from_utf8_lossy(&arrival.body)
    );
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nx-echo: Bearer {SECRET}\r\ncontent-length: {length}\r\n\r\n");
    Reply::Bytes([head.into_bytes(), body.into_bytes()].concat())
}

/// What the guest looks for in its memory: every form of the secret, and last its own marker.
fn look_for() -> String {
    let mut texts = forms(SECRET);
    texts.push("marker-in-plain-sight".to_owned());
    let backwards = texts
        .iter()
        .map(|text| text.chars().rev().collect::<String>());
    backwards.collect::<Vec<_>>().join("|")
}

/// Sends one message through each path. Answers every answer of the API.
async fn drive(server: &Process, key: &str, provider: &Peer) -> Vec<String> {
    let mut said = Vec::new();
    let payload = json!({ "code": CODE, "link": LINK });
    let base = format!("http://{}", provider.address);
    for (act, path, kind) in [
        ("sweep", "/ok", "receipt"),
        ("sweep", "/no", "failure"),
        ("sweep", "/silent", "failure"),
        ("sweep-trap", "/ok", "failure"),
        ("sweep-limit", "/ok", "failure"),
    ] {
        let settings = json!({
            "act": act, "url": format!("{base}{path}"), "secret": SECRET, "look_for": look_for(),
            "marker": "marker-in-plain-sight",
        });
        let body = json!({ "connector": "acts", "settings": settings }).to_string();
        let put = server
            .call(key, "PUT", "/v1/integrations/canary", body)
            .await;
        said.push(put.text);
        let activate = server
            .call(key, "POST", "/v1/integrations/canary/activate", "")
            .await;
        said.push(activate.expect(200).text);
        let route = json!({ "integrations": ["canary"] }).to_string();
        said.push(
            server
                .call(key, "PUT", "/v1/routes/sms", route)
                .await
                .expect(200)
                .text,
        );
        let message =
            json!({ "channel": "sms", "to": RECIPIENT, "type": "SignIn", "payload": payload });
        let answer = server
            .call(key, "POST", "/v1/messages?wait=20", message.to_string())
            .await;
        let answer = answer.expect(202);
        assert!(
            answer.json()["attempts"][0]["outcome"][kind].is_object(),
            "{act} {path}: {}",
            answer.text
        );
        let id = answer.text_at("/id");
        said.push(answer.text);
        said.push(
            server
                .call(key, "GET", &format!("/v1/messages/{id}"), "")
                .await
                .expect(200)
                .text,
        );
        let test = json!({ "to": RECIPIENT, "payload": payload }).to_string();
        said.push(
            server
                .call(key, "POST", "/v1/integrations/canary/test", test)
                .await
                .expect(200)
                .text,
        );
        let front = json!({ "to": RECIPIENT, "type": "SignIn", "payload": payload }).to_string();
        said.push(
            server
                .call(key, "POST", "/front-doors/logto/acme/sms", front)
                .await
                .text,
        );
        // What is refused must not be repeated either.
        let bad = json!({ "channel": "sms", "to": format!("{RECIPIENT}?"), "type": CODE, "payload": payload });
        said.push(
            server
                .call(key, "POST", "/v1/messages", bad.to_string())
                .await
                .text,
        );
        let bad =
            json!({ "connector": "acts", "settings": { "act": 1, "secret": SECRET } }).to_string();
        said.push(
            server
                .call(key, "PUT", "/v1/integrations/canary", bad)
                .await
                .expect(422)
                .text,
        );
    }
    let rotation = json!({ "secrets": { "/secret": format!("{SECRET}2") } }).to_string();
    said.push(
        server
            .call(key, "POST", "/v1/integrations/canary/secrets", rotation)
            .await
            .expect(200)
            .text,
    );
    for path in [
        "integrations",
        "integrations/canary",
        "routes",
        "messages",
        "languages",
        "email-use",
    ] {
        said.push(
            server
                .call(key, "GET", &format!("/v1/{path}"), "")
                .await
                .expect(200)
                .text,
        );
    }
    said
}

/// Every file of the data folder but those that hold keys, by name.
pub fn files(data: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_file() && !["operator.key", "sealing.key"].contains(&name.as_str()) {
            all.push((name, std::fs::read(path).unwrap()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_is_found_anywhere_but_at_the_provider() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), Peer::start(reflect).await);
    let data = folder.path().join("data");
    let server = Process::start(&data).await;
    let operator = std::fs::read_to_string(data.join("operator.key"))
        .unwrap()
        .trim()
        .to_owned();
    server.upload(&operator, guests::ACTS).await;
    server
        .call(&operator, "PUT", "/v1/tenants/acme", "{}")
        .await
        .expect(201);
    let key = server
        .call(&operator, "POST", "/v1/tenants/acme/keys", "{}")
        .await
        .text_at("/key");
    // The third part of a key is its secret, and may hold the separator itself.
    let canaries = [
        ("the secret", SECRET.to_owned()),
        ("the code", CODE.to_owned()),
        ("the link", LINK.to_owned()),
        ("the recipient", RECIPIENT.to_owned()),
        (
            "the tenant's key",
            key.splitn(3, '_').nth(2).unwrap().to_owned(),
        ),
        (
            "the operator's key",
            operator.splitn(3, '_').nth(2).unwrap().to_owned(),
        ),
    ];
    let said = drive(&server, &key, &provider).await;
    let mut outputs: Vec<(String, Vec<u8>)> = Vec::new();
    for path in [
        "/metrics",
        "/v1/tenants",
        "/v1/tenants/acme/keys",
        "/v1/sealing-keys",
        "/v1/tenants/acme/messages",
    ] {
        let answer = server.call(&operator, "GET", path, "").await.expect(200);
        outputs.push((path.to_owned(), answer.text.into_bytes()));
    }
    outputs.extend(files(&data));
    outputs.extend(server.shown());
    outputs.push(("the API".to_owned(), said.join("\n").into_bytes()));
    let log = server.stop();
    assert!(memmem::find(&log, b"TRACE").is_some(), "the log is whole");
    outputs.push(("the log".to_owned(), log));
    outputs.extend(files(&data));

    // The secret did leave, code and recipient with it.
    let arrivals = provider.arrivals();
    assert!(arrivals.len() >= 10, "{}", arrivals.len());
    for arrival in &arrivals {
        let body = String::from_utf8_lossy(&arrival.body);
        assert!(arrival.head.contains(SECRET), "{}", arrival.head);
        assert!(body.contains(RECIPIENT) && body.contains(CODE), "{body}");
    }
    // A guest that saw each form in its memory would have said so; of its own marker it does.
    let nothing = format!("found {}1 for", "0".repeat(forms(SECRET).len()));
    let told = said.join("\n");
    assert!(told.matches(&nothing).count() >= 5, "{told}");
    for (name, output) in &outputs {
        let found = found(output, &canaries);
        assert!(found.is_empty(), "in {name}: {found:?}");
    }
    // The search itself finds what is there.
    for (canary, text) in &canaries {
        for form in forms(text) {
            let planted = format!("before {form} after");
            let found = found(planted.as_bytes(), &canaries);
            assert!(
                found.iter().any(|found| found.starts_with(canary)),
                "{canary} as {form}"
            );
        }
    }
}
