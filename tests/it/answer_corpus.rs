//! Every shared bad input about TLS and responses gets the verdict that it names, through a connector in its
//! sandbox, controls included.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sendbox::connector::CallReport;
use sendbox::egress::{Egress, EgressConfig, PortRange};
use sendbox::limits::Limits;
use sendbox::outcome::{FailureKind, Progress};
use sendbox_tests::certificates::{Authority, self_signed};
use sendbox_tests::mail_peer::{MailPeer, usual};
use sendbox_tests::peer::{Arrival, Peer, Reply};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::egress_kit::{HOST, Send, at, bad_inputs, config_for, get, live};
use crate::mail_kit::{Bundled, code_for, mail_host, mail_peer_host, smtp_settings};

/// The provider's end of one case, and the send.
struct Trial {
    reply: Reply,
    send: Send,
    progress: Progress,
    status: Option<u16>,
}

impl Trial {
    fn new(reply: Reply, progress: Progress) -> Self {
        Self {
            reply,
            send: Send::default(),
            progress,
            status: None,
        }
    }

    /// A head that said 200 before what followed broke.
    fn with_head(reply: impl Into<Vec<u8>>) -> Self {
        Self {
            status: Some(200),
            ..Self::new(Reply::Bytes(reply.into()), Progress::Answered)
        }
    }

    /// The provider may have accepted: that must be said, and the connection must not be used again.
    async fn ends_unknown(self, id: &str, http: &Bundled) -> CallReport {
        let reply = self.reply.clone();
        let peer = Peer::start(move |_| reply.clone()).await;
        let egress = live(&config_for(&peer));
        let report = send(http, &self.send, &egress, &peer).await;
        let [exchange] = report.wire.exchanges.as_slice() else {
            panic!("{id}: {:?}", report.wire);
        };
        assert_eq!(
            (exchange.progress, exchange.status),
            (self.progress, self.status),
            "{id}"
        );
        // Guest or host, whoever ended the send.
        let kind = report.result.as_ref().map_err(|failure| failure.kind);
        let said = kind == Err(FailureKind::Unknown);
        assert!(
            said || (report.trapped && report.wire.completed()),
            "{id}: {kind:?}"
        );
        assert_eq!(peer.arrivals().len(), 1, "{id}");
        send(http, &self.send, &egress, &peer).await;
        assert_eq!(peer.connections(), 2, "{id}: the connection was used again");
        report
    }
}

/// One send of the connector `http-email` to a peer in clear.
async fn send(http: &Bundled, send: &Send, egress: &Arc<Egress>, peer: &Peer) -> CallReport {
    let settings = json!({ "endpoint": at(peer, "/") });
    http.send(send, egress, settings, code_for("b@y.test"))
        .await
}

fn head(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
}

fn size(value: &serde_json::Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn within(change: impl FnOnce(&mut Limits)) -> Send {
    let mut send = Send::default();
    change(&mut send.limits);
    send
}

#[tokio::test]
async fn each_answer_of_a_provider_ends_within_bounds_and_as_it_must() {
    let http = Bundled::new("http-email").await;
    for (id, input, _) in bad_inputs("response") {
        let trial = match id.as_str() {
            "response-001" => {
                let lines = "x-a: b\r\n".repeat(size(&input["headers"]));
                Trial {
                    status: None,
                    progress: Progress::Complete,
                    ..Trial::with_head(head(&lines))
                }
            }
            "response-002" => {
                let value = "y".repeat(size(&input["header_block_bytes"]));
                Trial::with_head(head(&format!("x-a: {value}\r\n")))
            }
            "response-004" => {
                let length = size(&input["body_bytes"]);
                let lines = format!("content-length: {length}\r\n");
                let trial = Trial::with_head(head(&lines) + &"z".repeat(length));
                let report = trial.ends_unknown(&id, &http).await;
                assert!(
                    report.wire.exchanges[0].bytes_received <= length as u64,
                    "{id}"
                );
                continue;
            }
            "response-005" => {
                let short = "y".repeat(size(&input["sent"]));
                let reply =
                    head(&format!("content-length: {}\r\n", input["content_length"])) + &short;
                Trial {
                    reply: Reply::Close(reply.into_bytes()),
                    ..Trial::with_head("")
                }
            }
            "response-007" => {
                let endless = head("transfer-encoding: chunked\r\n") + "1\r\na\r\n";
                Trial {
                    reply: Reply::Endless(endless.into_bytes()),
                    ..Trial::with_head("")
                }
            }
            "response-009" => {
                assert_eq!(Limits::default().wall_ms, 15_000);
                Trial {
                    reply: Reply::Drip(head("content-length: 9\r\n").into_bytes()),
                    send: Send {
                        deadline: Duration::from_millis(200),
                        ..Send::default()
                    },
                    ..Trial::new(Reply::Silence, Progress::Complete)
                }
            }
            "response-010" => {
                assert_eq!(Limits::default().first_byte_ms, 10_000);
                Trial {
                    send: within(|limits| limits.first_byte_ms = 50),
                    ..Trial::new(Reply::Silence, Progress::Complete)
                }
            }
            "response-011" => {
                compressed().await;
                continue;
            }
            "response-013" => {
                let both = "content-length: 2\r\ntransfer-encoding: chunked\r\n";
                Trial::with_head(head(both) + "2\r\nok\r\n0\r\n\r\n")
            }
            "response-021" => {
                escapes(&http, input["body"].as_str().unwrap()).await;
                continue;
            }
            "response-022" => {
                cookies(&http, input["set-cookie"].as_str().unwrap()).await;
                continue;
            }
            "response-023" => Trial::new(Reply::Close(Vec::new()), Progress::Complete),
            "response-025" => {
                assert_eq!(Limits::default().tls_ms, 10_000);
                let send = within(|limits| limits.tls_ms = 50);
                let endpoint = Endpoint::raw(Vec::new()).await;
                no_session(&id, &http, &endpoint, &send).await;
                continue;
            }
            other => panic!("{other} has no test: {input}"),
        };
        trial.ends_unknown(&id, &http).await;
    }
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    for _ in 0..2 {
        let report = send(&http, &Send::default(), &egress, &peer).await;
        assert!(report.result.is_ok(), "{:?}", report.result);
    }
    assert_eq!(peer.connections(), 1);
}

/// 100 KiB of zeros in 133 bytes: a guest gets them as they came.
async fn compressed() {
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xed, 0xc1, 1, 1];
    bomb.resize(133, 0);
    let answer = bomb.clone();
    let peer = Peer::start(move |_| {
        let lines = format!(
            "content-encoding: gzip\r\ncontent-length: {}\r\n",
            answer.len()
        );
        Reply::Bytes([head(&lines).as_bytes(), &answer].concat())
    })
    .await;
    let egress = live(&config_for(&peer));
    let (response, exchange) = Send::default().once(&egress, get(at(&peer, "/"))).await;
    assert_eq!(response.unwrap().body, bomb);
    assert!(exchange.bytes_received < 300);
    let asked = &peer.arrivals()[0].head;
    assert!(asked.contains("accept-encoding: identity\r\n"), "{asked}");
}

/// What a provider writes to a terminal reaches neither the tenant's timeline nor a log as an escape.
async fn escapes(http: &Bundled, body: &str) {
    let answer = format!(
        "HTTP/1.1 500 No\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let peer = Peer::start(move |_| Reply::Bytes(answer.clone().into_bytes())).await;
    let report = send(http, &Send::default(), &live(&config_for(&peer)), &peer).await;
    let failure = report.result.unwrap_err();
    assert!(failure.message.contains("pwn"), "{}", failure.message);
    let words = report.log.iter().chain([&failure.message]);
    for text in words {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

async fn cookies(http: &Bundled, cookie: &str) {
    let lines = format!("set-cookie: {cookie}\r\ncontent-length: 0\r\n");
    let answer = head(&lines);
    let peer = Peer::start(move |_| Reply::Bytes(answer.clone().into_bytes())).await;
    let egress = live(&config_for(&peer));
    for tenant in ["acme", "acme", "globex"] {
        let from = Send {
            tenant,
            ..Send::default()
        };
        assert!(send(http, &from, &egress, &peer).await.result.is_ok());
    }
    let asked = |arrival: &Arrival| arrival.head.to_ascii_lowercase().contains("cookie");
    assert_eq!(peer.arrivals().len(), 3);
    assert!(!peer.arrivals().iter().any(asked));
}

/// A server under [`HOST`] with which no trusted session comes about, and what it heard in clear.
struct Endpoint {
    authority: Authority,
    web: Peer,
    mail: MailPeer,
    heard: Arc<AtomicUsize>,
    ports: [u16; 2],
}

impl Endpoint {
    async fn with(acceptor: impl FnOnce(&Authority) -> TlsAcceptor) -> Self {
        let authority = Authority::new();
        let acceptor = acceptor(&authority);
        let loopback = "127.0.0.1:0".parse().unwrap();
        let web = Peer::start_at(loopback, Some(acceptor.clone()), |_| Reply::ok("ok")).await;
        let mail = MailPeer::start(Some(acceptor), true, usual).await;
        Self::of(authority, web, mail)
    }

    /// Speaks in clear where TLS is expected.
    async fn in_clear() -> Self {
        let web = Peer::start(|_| Reply::ok("ok")).await;
        Self::of(
            Authority::new(),
            web,
            MailPeer::start(None, false, usual).await,
        )
    }

    fn of(authority: Authority, web: Peer, mail: MailPeer) -> Self {
        let ports = [web.address.port(), mail.address.port()];
        Self {
            authority,
            web,
            mail,
            heard: Arc::default(),
            ports,
        }
    }

    /// Answers whatever it hears first with these bytes and then waits, in silence.
    async fn raw(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, counter) = (answer.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 << 10];
                    let mut first = true;
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        let text = String::from_utf8_lossy(&buffer[..count]);
                        let said = text.contains("POST ") || text.contains("EHLO");
                        counter.fetch_add(usize::from(said), Ordering::SeqCst);
                        if std::mem::take(&mut first) && stream.write_all(&answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        let mut endpoint = Self::in_clear().await;
        endpoint.ports = [port, port];
        endpoint.heard = heard;
        endpoint
    }

    fn config(&self) -> EgressConfig {
        EgressConfig {
            ports: self.ports.map(PortRange::one).to_vec(),
            ..mail_host(&self.ports, &self.authority)
        }
    }

    /// Requests and commands that arrived.
    fn arrivals(&self) -> usize {
        self.heard.load(Ordering::SeqCst) + self.web.arrivals().len() + self.mail.lines().len()
    }
}

/// A send to it fails before a byte of the request, as unavailable.
async fn no_session(id: &str, http: &Bundled, endpoint: &Endpoint, send: &Send) {
    let settings = json!({ "endpoint": format!("https://{HOST}:{}/", endpoint.ports[0]) });
    let egress = live(&endpoint.config());
    let report = http
        .send(send, &egress, settings, code_for("b@y.test"))
        .await;
    is_without_session(id, report, endpoint);
}

fn is_without_session(id: &str, report: CallReport, endpoint: &Endpoint) {
    let exchange = &report.wire.exchanges[0];
    let found = (exchange.progress, exchange.bytes_sent);
    assert_eq!(found, (Progress::NotConnected, 0), "{id}");
    assert_eq!(exchange.error.as_deref(), Some("egress.tls"), "{id}");
    let failure = report.result.expect_err("a failure");
    let code = failure.code.as_deref();
    assert_eq!(
        (failure.kind, code),
        (FailureKind::Unavailable, Some("tls")),
        "{id}"
    );
    assert_eq!(endpoint.arrivals(), 0, "{id}");
}

/// A TLS 1.1 server's answer (RFC 4346, 7.4.1.3): a handshake record with a `ServerHello`.
fn server_hello_1_1() -> Vec<u8> {
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    // No session id, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    hello.extend([0, 0x00, 0x2f, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x02, 0, length + 4, 2, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn no_byte_of_a_request_or_a_mail_leaves_without_a_trusted_session() {
    let (http, smtp) = (Bundled::new("http-email").await, Bundled::new("smtp").await);
    let send = within(|limits| limits.tls_ms = 500);
    for (id, input, _) in bad_inputs("tls") {
        let endpoint = match id.as_str() {
            "tls-001" => Endpoint::with(|authority| authority.expired(HOST)).await,
            "tls-002" => Endpoint::with(|_| self_signed(HOST)).await,
            "tls-003" => Endpoint::with(|authority| authority.server("b.allowed.test")).await,
            "tls-004" => Endpoint::with(|_| Authority::new().server(HOST)).await,
            "tls-006" => Endpoint::raw(server_hello_1_1()).await,
            "tls-013" => Endpoint::in_clear().await,
            // The one connector that has such a setting cannot pass it on.
            "tls-014" => Endpoint::with(|_| self_signed(HOST)).await,
            other => panic!("{other} has no test: {input}"),
        };
        no_session(&id, &http, &endpoint, &send).await;
        let more = match id.as_str() {
            "tls-014" => json!({"port": endpoint.ports[1], "tls": {"rejectUnauthorized": false}}),
            _ => json!({}),
        };
        // In nodemailer's settings port 465 alone means TLS from the first byte.
        let mut settings = smtp_settings(endpoint.ports[1], "Code", "{{code}}", &more);
        settings["secure"] = json!(true);
        let egress = live(&endpoint.config());
        let report = smtp
            .send(&send, &egress, settings, code_for("b@y.test"))
            .await;
        let exchange = &report.wire.exchanges[0];
        assert_eq!(exchange.progress, Progress::NotConnected, "{id}");
        assert_eq!(exchange.error.as_deref(), Some("egress.tls"), "{id}");
        let failure = report.result.expect_err("a failure");
        assert!(
            !failure.message.contains("p@ss"),
            "{id}: {}",
            failure.message
        );
        assert_eq!(endpoint.arrivals(), 0, "{id}");
    }
    let endpoint = Endpoint::with(|authority| authority.server(HOST)).await;
    let settings = json!({ "endpoint": format!("https://{HOST}:{}/", endpoint.ports[0]) });
    let egress = live(&endpoint.config());
    let report = http
        .send(&send, &egress, settings, code_for("b@y.test"))
        .await;
    assert!(report.result.is_ok(), "{:?}", report.result);
    let settings = smtp_settings(
        endpoint.ports[1],
        "Code",
        "{{code}}",
        &json!({"secure": true}),
    );
    let egress = live(&mail_peer_host(&endpoint.mail, &endpoint.authority));
    let report = smtp
        .send(&send, &egress, settings, code_for("b@y.test"))
        .await;
    assert!(report.result.is_ok(), "{:?}", report.result);
}

#[test]
fn every_kind_of_bad_input_has_its_tests() {
    let all = sendbox_tests::cases::cases("corpus/bad-input.jsonl");
    const KINDS: [&str; 17] = [
        "addr",
        "dns",
        "env",
        "guest",
        "header",
        "path",
        "policy",
        "redirect",
        "response",
        "secret",
        "smtp-body",
        "smtp-envelope",
        "smtp-header",
        "smtp-server",
        "tls",
        "upload",
        "url",
    ];
    for case in all {
        let kind = case["kind"].as_str().unwrap();
        assert!(KINDS.contains(&kind), "{case}");
    }
}
