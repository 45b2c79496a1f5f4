//! Secrets that a write leaves out: kept where nothing changes for them, and otherwise told apart by what arrives at
//! hosts, in answers and in the database. Every call that writes or uses settings is made with every kind of change.

use std::collections::BTreeMap;

use sendbox::secret::{DataKey, KeyId, KeyRing, WrappedKey};
use sendbox::time::Clock;
use sendbox_tests::guests;
use sendbox_tests::mail_peer::{MailPeer, reply, usual};
use sendbox_tests::peer::{Peer, Reply};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

use crate::harness::{Answer, House, call};
use crate::sweep::{Process, found};

const SECRET: &str = "canary/Kept+Secret-51c7e0";
const ROTATED: &str = "canary/Kept+Rotated-77ab2f";

fn canaries() -> Vec<(&'static str, String)> {
    vec![
        ("secret", SECRET.to_owned()),
        ("rotated", ROTATED.to_owned()),
    ]
}

/// Where settings lead to: the secret's own host, or another; by address, or by a name of the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Own,
    Elsewhere,
    OwnByName,
    ElsewhereByName,
}

const PLACES: [Place; 4] = [
    Place::Own,
    Place::Elsewhere,
    Place::OwnByName,
    Place::ElsewhereByName,
];

/// The hosts of both kinds.
struct Hosts {
    web: [Peer; 2],
    mail: [MailPeer; 2],
}

impl Hosts {
    async fn start() -> Self {
        let web = || Peer::start(|_| Reply::ok("{}"));
        // A login without TLS, so that whatever is handed over can be read.
        let mail = || {
            MailPeer::start(None, false, |line| match line.text.split(' ').next() {
                Some("EHLO") => reply("250-mx.test\r\n250 AUTH PLAIN LOGIN"),
                _ => usual(line),
            })
        };
        Self {
            web: [web().await, web().await],
            mail: [mail().await, mail().await],
        }
    }

    fn host_and_port(&self, mail: bool, place: Place) -> (&'static str, u16) {
        let index = usize::from(matches!(place, Place::Elsewhere | Place::ElsewhereByName));
        let host = match place {
            Place::Own | Place::Elsewhere => "127.0.0.1",
            Place::OwnByName | Place::ElsewhereByName => "localhost",
        };
        let address = match mail {
            true => self.mail[index].address,
            false => self.web[index].address,
        };
        (host, address.port())
    }

    /// All that arrived at the own hosts, or at the others.
    fn heard(&self, own: bool) -> Vec<u8> {
        let index = usize::from(!own);
        let mut all = self.mail[index].texts().join("\n").into_bytes();
        for arrival in self.web[index].arrivals() {
            all.extend(arrival.head.into_bytes());
            all.extend(arrival.body);
        }
        all
    }
}

/// A connector with a secret, and settings that lead to a host of the tenant's choice.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    connector: &'static str,
    pointer: &'static str,
    to: &'static str,
    settings: fn(&str, u16) -> Value,
}

fn texts() -> Value {
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    json!(usage_types.map(|usage_type| json!({
        "usageType": usage_type, "contentType": "text/plain", "subject": "Code", "content": "{{code}}",
    })))
}

fn sms_texts() -> Value {
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    json!(usage_types.map(|usage_type| json!({ "usageType": usage_type, "content": "{{code}}" })))
}

const SUBJECTS: [Subject; 6] = [
    Subject {
        name: "http-email",
        connector: "http-email",
        pointer: "/authorization",
        to: "a@example.com",
        settings: |host, port| json!({ "endpoint": format!("http://{host}:{port}/") }),
    },
    Subject {
        name: "http-sms",
        connector: "http-sms",
        pointer: "/authorization",
        to: "4915112345678",
        settings: |host, port| json!({ "endpoint": format!("http://{host}:{port}/") }),
    },
    Subject {
        name: "gatewayapi-sms",
        connector: "gatewayapi-sms",
        pointer: "/apiToken",
        to: "4915112345678",
        settings: |host, port| {
            json!({
                "endpoint": format!("http://{host}:{port}/"), "sender": "Example", "templates": sms_texts(),
            })
        },
    },
    Subject {
        name: "smtp",
        connector: "smtp",
        pointer: "/auth/pass",
        to: "a@example.com",
        settings: |host, port| {
            json!({
                "host": host, "port": port, "ignoreTLS": true, "fromEmail": "noreply@x.test",
                "auth": { "type": "login", "user": "user" }, "templates": texts(),
            })
        },
    },
    Subject {
        name: "guest",
        connector: "acts",
        pointer: "/secret",
        to: "4915112345678",
        settings: guest,
    },
    // The same connector in a version that calls its secret a setting like any other.
    Subject {
        name: "guest, open",
        connector: "acts",
        pointer: "/secret",
        to: "4915112345678",
        settings: guest,
    },
];

/// A guest that sends its secret to its host, and tells its log all that it holds.
fn guest(host: &str, port: u16) -> Value {
    json!({ "act": "sweep", "look_for": "x", "url": format!("http://{host}:{port}/") })
}

/// What a write says of the secret that it leaves out.
#[derive(Clone, Copy, Debug)]
enum Said {
    Nothing,
    Null,
}

fn put_at(settings: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    settings.pointer_mut(parent).unwrap()[name] = value;
}

/// A connector's version in which the secret is not marked.
fn open_version() -> Vec<u8> {
    let mut component = guests::ACTS.to_vec();
    let marked = br#""secret":{"type":"string","writeOnly":true"#;
    let at = memchr::memmem::find(&component, marked).expect("the schema stands in the component");
    component[at..at + marked.len()]
        .copy_from_slice(br#""secret":{"type":"string","writtOnly":true"#);
    component
}

struct Scene {
    house: House,
    hosts: Hosts,
    key: String,
    digests: BTreeMap<&'static str, String>,
    /// Everything that was answered.
    answers: Vec<(String, String)>,
    made: usize,
}

impl Scene {
    async fn start() -> Self {
        let house = House::start_with(Clock::System, |config| {
            config.tenant_limits.integrations = 10_000;
        })
        .await;
        let mut digests = BTreeMap::new();
        for subject in SUBJECTS {
            let component = match subject.name {
                "guest" => guests::ACTS.to_vec(),
                "guest, open" => open_version(),
                name => connector_bundle::component(name).unwrap().to_vec(),
            };
            let digest = house
                .upload(&component)
                .await
                .expect(201)
                .text_at("/digest");
            digests.insert(subject.name, digest);
        }
        house
            .operate("PUT", "/v1/tenants/acme", json!({}))
            .await
            .expect(201);
        let key = house.key("acme").await;
        Self {
            house,
            hosts: Hosts::start().await,
            key,
            digests,
            answers: Vec::new(),
            made: 0,
        }
    }

    fn settings(&self, subject: &Subject, place: Place) -> Value {
        let (host, port) = self.hosts.host_and_port(subject.connector == "smtp", place);
        (subject.settings)(host, port)
    }

    fn body(&self, subject: &Subject, place: Place, said: Said) -> Value {
        let mut settings = self.settings(subject, place);
        if let Said::Null = said {
            put_at(&mut settings, subject.pointer, Value::Null);
        }
        json!({
            "connector": subject.connector, "digest": self.digests[subject.name], "settings": settings,
        })
    }

    /// An answer to the tenant, kept for the end.
    async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let path = format!("/v1/integrations/{path}");
        let answer = self.house.call(&self.key, method, &path, body).await;
        self.answers
            .push((format!("{method} {path} {body}"), answer.text.clone()));
        answer
    }

    /// A new integration that holds the secret, given for its own host.
    async fn integration(&mut self, subject: &Subject) -> String {
        self.made += 1;
        let name = format!("i{}", self.made);
        let mut body = self.body(subject, Place::Own, Said::Nothing);
        put_at(&mut body["settings"], subject.pointer, json!(SECRET));
        let path = format!("/v1/integrations/{name}");
        let answer = self.house.call(&self.key, "PUT", &path, &body).await;
        assert_eq!(
            answer.expect(201).json()["secrets"],
            json!([subject.pointer])
        );
        name
    }

    /// Uses the integration as it is saved by now, if it is, in every way that it can be used.
    async fn using(&mut self, name: &str, to: &str) -> u16 {
        self.ask("GET", name, &Value::Null).await;
        let test = format!("{name}/test");
        let tested = self.ask("POST", &test, &json!({ "to": to })).await;
        let activate = format!("{name}/activate");
        self.ask("POST", &activate, &Value::Null).await;
        tested.status
    }

    /// Secrets in what was answered since the last look.
    fn answered(&mut self) -> Vec<String> {
        let answers = std::mem::take(&mut self.answers);
        let found = answers.iter().flat_map(|(call, answer)| {
            let found = found(answer.as_bytes(), &canaries()).into_iter();
            found.map(move |canary| format!("{canary} in the answer to {call}: {answer}"))
        });
        found.collect()
    }
}

/// What is done with an integration after its secret was given.
#[derive(Clone, Copy, Debug)]
enum Way {
    Put,
    PutByOperator,
    PutWithKeysTwice,
    Test,
    RotateAndPut,
    RotateAndTest,
    DeleteAndPut,
}

const WAYS: [Way; 7] = [
    Way::Put,
    Way::PutByOperator,
    Way::PutWithKeysTwice,
    Way::Test,
    Way::RotateAndPut,
    Way::RotateAndTest,
    Way::DeleteAndPut,
];

impl Scene {
    async fn go(&mut self, way: Way, name: &str, from: &Subject, body: &Value, to: &str) -> u16 {
        let test = |body: &Value| {
            let mut body = body.clone();
            body["to"] = json!(to);
            body
        };
        if let Way::RotateAndPut | Way::RotateAndTest = way {
            let new = json!({ "secrets": { from.pointer: ROTATED } });
            let path = format!("{name}/secrets");
            self.ask("POST", &path, &new).await.expect(200);
        }
        match way {
            Way::Put | Way::RotateAndPut => self.ask("PUT", name, body).await.status,
            Way::PutByOperator => {
                let path = format!("/v1/tenants/acme/integrations/{name}");
                let answer = self.house.operate("PUT", &path, body.clone()).await;
                self.answers.push((format!("{way:?} {body}"), answer.text));
                answer.status
            }
            Way::PutWithKeysTwice => self.put_twice(name, from, body).await,
            Way::Test | Way::RotateAndTest => {
                let path = format!("{name}/test");
                self.ask("POST", &path, &test(body)).await.status
            }
            Way::DeleteAndPut => {
                self.ask("DELETE", name, &Value::Null).await.expect(204);
                self.ask("PUT", name, body).await.status
            }
        }
    }

    /// Each setting twice: first as it was, then as it is to be.
    async fn put_twice(&mut self, name: &str, from: &Subject, body: &Value) -> u16 {
        let inner = |settings: &Value| {
            let text = settings.to_string();
            text[1..text.len() - 1].to_owned()
        };
        let first = inner(&self.settings(from, Place::Own));
        let text = format!(
            r#"{{"connector":{},"digest":{},"settings":{{{first},{}}}}}"#,
            body["connector"],
            body["digest"],
            inner(&body["settings"]),
        );
        let authorization = format!("Bearer {}", self.key);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let path = format!("/v1/integrations/{name}");
        let answer = call(self.house.server.address, "PUT", &path, &headers, text).await;
        let answer = answer.unwrap();
        self.answers.push((format!("twice {body}"), answer.text));
        answer.status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_secret_goes_to_its_own_host_alone_whatever_is_written_after_it() {
    let mut scene = Scene::start().await;
    let closed = &SUBJECTS[..5];
    let (mut tried, mut kept) = (0, 0);
    for from in closed {
        for to in &SUBJECTS {
            let same = from.name == to.name;
            for (place, way, said) in PLACES
                .iter()
                .flat_map(|place| WAYS.iter().map(move |way| (*place, *way)))
                .flat_map(|(place, way)| [Said::Nothing, Said::Null].map(|said| (place, way, said)))
            {
                // Who calls and how hosts are spelt is nothing to another connector.
                let is_other = matches!(way, Way::Put | Way::Test | Way::RotateAndPut)
                    && matches!(place, Place::Own | Place::Elsewhere);
                if !same && !is_other {
                    continue;
                }
                let name = scene.integration(from).await;
                let body = scene.body(to, place, said);
                let status = scene.go(way, &name, from, &body, to.to).await;
                let used = scene.using(&name, to.to).await;
                let told = format!(
                    "{} to {} at {place:?} by {way:?}, {said:?}: {status}, {used}",
                    from.name, to.name
                );
                let secrets = scene.ask("GET", &name, &Value::Null).await.json()["secrets"].clone();
                let holds = secrets == json!([from.pointer]);
                let unchanged = same && place == Place::Own;
                // A key that stands twice has no one meaning: nothing is written.
                if matches!(way, Way::PutWithKeysTwice) && status == 422 {
                    assert!(holds, "{told}");
                    assert_eq!(scene.answered(), [""; 0], "{told}");
                    tried += 1;
                    continue;
                }
                // A write that would leave the secret of no use is refused, and says where.
                let marked = to.name != "guest, open" && from.pointer == to.pointer;
                if marked && !unchanged && !matches!(way, Way::DeleteAndPut) {
                    assert_eq!(status, 422, "{told}");
                    let place = format!("/settings{}", from.pointer);
                    let named = |(_, answer): &(String, String)| answer.contains(&place);
                    assert!(
                        scene.answers.iter().any(named),
                        "{told} {:?}",
                        scene.answers
                    );
                }
                if unchanged && !matches!(way, Way::DeleteAndPut) {
                    assert_eq!((status, used, holds), (200, 200, true), "{told}");
                    kept += 1;
                }
                tried += 1;
                assert_eq!(scene.answered(), [""; 0], "{told}");
            }
            let elsewhere = found(&scene.hosts.heard(false), &canaries());
            assert_eq!(elsewhere, [""; 0], "{} to {}", from.name, to.name);
        }
    }
    assert!(
        tried == 5 * (56 + 5 * 12) && kept == 5 * 5 * 2,
        "{tried} {kept}"
    );
    // The control: it was there to be found.
    let own = found(&scene.hosts.heard(true), &canaries());
    assert!(
        own.iter().any(|found| found.starts_with("secret")),
        "{own:?}"
    );
    assert!(
        own.iter().any(|found| found.starts_with("rotated")),
        "{own:?}"
    );
    let folder = scene.house.stop().await;
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(found(&bytes, &canaries()), [""; 0], "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 2, "database and log");
}

/// Puts the secrets of all rows back into the layout in which nothing said what they were given for.
async fn unbind(data: &std::path::Path) {
    let options = SqliteConnectOptions::new().filename(data.join("sendbox.db"));
    let mut db = options.connect().await.unwrap();
    let ring = KeyRing::load_or_create(&data.join("sealing.key")).unwrap();
    let mut keys = BTreeMap::new();
    for row in sqlx::query("SELECT owner, wrapped_by, wrapped FROM data_key WHERE purpose = 'seal'")
        .fetch_all(&mut db)
        .await
        .unwrap()
    {
        let wrapped = WrappedKey {
            by: KeyId::from_stored(row.get("wrapped_by")),
            bytes: row.get("wrapped"),
        };
        let owner: String = row.get("owner");
        let bytes = ring.unwrap(&owner, &wrapped).unwrap();
        let key = DataKey::from_bytes(&bytes).unwrap();
        keys.insert(owner, key);
    }
    let plain = json!({ "/authorization": SECRET }).to_string();
    for id in ["mail", "second", "third"] {
        let place = format!("tenant/acme/integration/{id}");
        let sealed = keys["tenant/acme"].seal(&place, plain.as_bytes()).unwrap();
        let done = sqlx::query("UPDATE integration SET secrets = ?, bound = 0 WHERE id = ?");
        let done = done.bind(sealed).bind(id).execute(&mut db).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
    }
    // As an integration was left that had another connector before.
    sqlx::query("UPDATE integration SET settings = json_set(settings, '$.apiToken', 'in-clear') WHERE id = 'third'")
        .execute(&mut db)
        .await
        .unwrap();
    let sealed = keys["host"]
        .seal("egress-source/out/proxy-password", b"proxy-hunter2")
        .unwrap();
    sqlx::query("UPDATE egress_source SET proxy_password = ?, bound = 0, revision = 0")
        .bind(sealed)
        .execute(&mut db)
        .await
        .unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_an_older_version_are_bound_at_the_start_to_what_is_asked_for_then() {
    let (house, own, elsewhere) = (
        House::start().await,
        Peer::start(|_| Reply::ok("{}")).await,
        Peer::start(|_| Reply::ok("{}")).await,
    );
    let endpoint = |peer: &Peer| format!("http://{}/", peer.address);
    let key = house.tenant("acme", &endpoint(&own), None).await;
    house
        .upload(connector_bundle::component("gatewayapi-sms").unwrap())
        .await
        .expect(201);
    for name in ["mail", "second", "third"] {
        let settings = json!({ "endpoint": endpoint(&own), "authorization": "another" });
        let body = json!({ "connector": "http-email", "settings": settings });
        let path = format!("/v1/integrations/{name}");
        let answer = house.call(&key, "PUT", &path, &body).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text);
    }
    let proxy =
        json!({ "kind": "socks5", "address": "127.0.0.1:9", "user": "u", "password": "other" });
    let source = json!({ "address": "127.0.0.9", "proxy": proxy });
    house
        .operate("PUT", "/v1/egress/sources/out", source)
        .await
        .expect(200);
    let operator = house.operator.clone();
    let folder = house.stop().await;
    let data = folder.path().join("data");
    unbind(&data).await;
    // The first start binds; the log of the second still names what stands in clear.
    for start in 0..2 {
        let server = Process::start(&data).await;
        for name in ["mail", "second", "third"] {
            let path = format!("/v1/integrations/{name}/test");
            let body = json!({ "to": "a@example.com" }).to_string();
            let tested = server.call(&key, "POST", &path, body).await.expect(200);
            assert_eq!(tested.json()["ok"], true, "{}", tested.text);
        }
        let source = server
            .call(&operator, "GET", "/v1/egress/sources/out", "")
            .await;
        assert_eq!(
            source.expect(200).json()["secrets"],
            json!(["/proxy/password"])
        );
        let led_away = json!({
            "connector": "http-email", "settings": { "endpoint": endpoint(&elsewhere) },
        });
        let put = server.call(&key, "PUT", "/v1/integrations/mail", led_away.to_string());
        let refused = put.await.expect(422);
        assert_eq!(
            refused.text_at("/errors/0/pointer"),
            "/settings/authorization"
        );
        let log = String::from_utf8(server.stop()).unwrap();
        let warned = log
            .lines()
            .filter(|line| line.contains("settings hold in clear"));
        let warned: Vec<_> = warned.collect();
        assert_eq!(warned.len(), 1, "{start}: {log}");
        assert!(
            warned[0].contains("third") && warned[0].contains("/apiToken"),
            "{warned:?}"
        );
        assert!(!log.contains("in-clear"));
    }
    let heard = |peer: &Peer| {
        let arrivals = peer.arrivals().into_iter();
        arrivals.map(|arrival| arrival.head).collect::<String>()
    };
    assert_eq!(heard(&own).matches(SECRET).count(), 6);
    assert!(!heard(&elsewhere).contains(SECRET));
}

/// Runs `sendbox integration …` for the tenant whose key it is.
async fn command(house: &House, key: &str, arguments: &[&str], input: &Value) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input.json");
    std::fs::write(&file, input.to_string()).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_sendbox"));
    command
        .arg("integration")
        .args(arguments)
        .arg(&file)
        .env("SENDBOX_SERVER", format!("http://{}", house.server.address))
        .env("SENDBOX_KEY", key);
    let output = command.output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_keeps_a_secret_where_it_belongs() {
    let (house, hosts) = (House::start().await, Hosts::start().await);
    let subject = &SUBJECTS[0];
    let settings = |place| {
        let (host, port) = hosts.host_and_port(false, place);
        (subject.settings)(host, port)
    };
    let key = house
        .tenant(
            "acme",
            settings(Place::Own)["endpoint"].as_str().unwrap(),
            None,
        )
        .await;
    let put = ["put", "mail", "--connector", "http-email", "--settings"];
    let rotate = ["rotate", "mail", "--secrets"];
    let mut first = settings(Place::Own);
    put_at(&mut first, subject.pointer, json!(SECRET));
    let mut said = String::new();
    let mut run = async |arguments: &[&str], input: &Value| {
        let (done, words) = command(&house, &key, arguments, input).await;
        said.push_str(&words);
        done
    };
    assert!(run(&put, &first).await);
    assert!(
        run(&put, &settings(Place::Own)).await,
        "what was read is written back"
    );
    assert!(!run(&put, &settings(Place::Elsewhere)).await);
    assert!(run(&rotate, &json!({ subject.pointer: ROTATED })).await);
    assert!(!run(&put, &settings(Place::OwnByName)).await);
    assert!(run(&put, &settings(Place::Own)).await);
    let mut forgotten = settings(Place::Elsewhere);
    put_at(&mut forgotten, subject.pointer, json!(""));
    let body = json!({ "to": "a@example.com" });
    let test = async || {
        let path = "/v1/integrations/mail/test";
        house.call(&key, "POST", path, &body).await.expect(200).text
    };
    let before = test().await;
    assert!(run(&put, &forgotten).await, "an empty text forgets it");
    let after = test().await;
    for text in [&said, &before, &after] {
        assert_eq!(found(text.as_bytes(), &canaries()), [""; 0], "{text}");
    }
    assert!(said.contains("/settings/authorization"), "{said}");
    assert!(
        !found(&hosts.heard(true), &canaries()).is_empty(),
        "the control"
    );
    assert_eq!(found(&hosts.heard(false), &canaries()), [""; 0]);
    house.stop().await;
}
