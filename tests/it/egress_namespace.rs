//! In a network whose every forbidden address listens, no forbidden case leads to a connection: real
//! components, over HTTP and SMTP, with a resolver that says what it likes.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use sendbox::connector::CallReport;
use sendbox::egress::{Egress, EgressConfig};
use sendbox_tests::canary::{Canary, active_opens, in_namespace};
use sendbox_tests::certificates::Authority;
use sendbox_tests::dns::{DnsServer, Reply as Dns};
use sendbox_tests::mail_peer::{MailPeer, usual};
use sendbox_tests::peer::{Peer, Reply};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::egress_kit::{HOST, Send, bad_inputs, live, test_names};
use crate::mail_kit::{Bundled, code_for, smtp_settings};

/// What stands in for the runtime's own public address.
const OWN: &str = "9.9.9.9";
/// A permitted address, which listens like all others.
const PERMITTED: &str = "8.8.8.8";
/// Where a guest might want to go: what is allowed, and what never is.
const PORTS: [u16; 8] = [443, 465, 587, 25, 80, 22, 8080, 2525];

/// Production in a namespace, and two connectors to send by.
struct Scene {
    canary: Canary,
    dns: DnsServer,
    answers: Arc<Mutex<Vec<Dns>>>,
    egress: Arc<Egress>,
    http: Bundled,
    smtp: Bundled,
    peer: Peer,
    _authority: Authority,
}

impl Scene {
    async fn new() -> Self {
        let authority = Authority::new();
        let peer = Peer::start_tls(authority.server(HOST), |_| {
            Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec())
        })
        .await;
        let mail = MailPeer::start(Some(authority.server(HOST)), true, usual).await;
        let canary = Canary::default();
        for port in PORTS {
            let behind = match port {
                443 => Some(peer.address),
                465 => Some(mail.address),
                _ => None,
            };
            canary.listen(port, behind).await;
        }
        let answers: Arc<Mutex<Vec<Dns>>> = Arc::default();
        let told = Arc::clone(&answers);
        let dns = DnsServer::start(move |_, before| {
            let told = told.lock().unwrap();
            told[before.min(told.len() - 1)].clone()
        })
        .await;
        let egress = live(&EgressConfig {
            name_servers: vec![dns.address],
            own_addresses: vec![OWN.parse().unwrap()],
            extra_roots: Some(authority.file()),
            // Every session anew: each must be looked up.
            smtp_idle_sessions: 0,
            ..test_names()
        });
        Self {
            canary,
            dns,
            answers,
            egress,
            http: Bundled::new("http-email").await,
            smtp: Bundled::new("smtp").await,
            peer,
            _authority: authority,
        }
    }

    /// From now on the resolver answers so: the last answer again and again.
    fn answer(&self, answers: impl IntoIterator<Item = Dns>) {
        *self.answers.lock().unwrap() = answers.into_iter().collect();
    }

    fn send() -> Send {
        let hosts = [HOST, "*.wild.test", "xn--bcher-kva.test"];
        Send {
            tenant_hosts: Some(hosts.map(str::to_owned).to_vec()),
            ..Send::default()
        }
    }

    /// By the connector that posts to a URL; none where it cannot even be set up so.
    async fn post(&self, url: &str) -> Option<CallReport> {
        let settings = json!({ "endpoint": url });
        self.through(&self.http, settings).await
    }

    /// By the connector that submits mail to a host.
    async fn submit(&self, host: &str) -> Option<CallReport> {
        let more = json!({ "host": host, "secure": true });
        self.through(&self.smtp, smtp_settings(465, "Code", "{{code}}", &more))
            .await
    }

    async fn through(&self, connector: &Bundled, settings: Value) -> Option<CallReport> {
        if !connector.accepts(self.egress.ceiling(), &settings) {
            return None;
        }
        let (send, message) = (Self::send(), code_for("b@y.test"));
        let sent = connector.send(&send, &self.egress, settings, message);
        Some(sent.await)
    }

    /// Nobody was called: neither in the kernel's count nor at a listener.
    fn assert_silent(&self, case: &str, before: u64, reports: &[Option<CallReport>]) {
        assert_eq!(active_opens(), before, "{case}: a connection was begun");
        assert_eq!(self.canary.take(), [], "{case}");
        for report in reports.iter().flatten() {
            assert!(report.result.is_err(), "{case}: {report:?}");
            let peers = report
                .wire
                .exchanges
                .iter()
                .filter_map(|exchange| exchange.peer);
            assert_eq!(peers.count(), 0, "{case}: {report:?}");
        }
    }

    /// Both connectors reach a permitted address, and nothing else: the checks above can fail.
    async fn assert_reaches(&self, address: IpAddr) {
        self.answer([Dns::Addresses(vec![address])]);
        let before = active_opens();
        let posted = self.post(&format!("https://{HOST}/")).await.unwrap();
        assert!(posted.result.is_ok(), "{address}: {posted:?}");
        let submitted = self.submit(HOST).await.unwrap();
        assert!(submitted.result.is_ok(), "{address}: {submitted:?}");
        assert!(active_opens() >= before + 2, "{address}");
        let expected = [443, 465].map(|port| SocketAddr::new(address, port));
        assert_eq!(self.canary.take(), expected);
    }
}

fn addresses(list: &Value) -> Vec<IpAddr> {
    let texts = list.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn no_forbidden_address_is_ever_called() {
    in_namespace(|| async {
        let scene = Scene::new().await;
        let (mut forbidden, mut within_reach) = (0, 0);
        for (id, input, expect) in bad_inputs("addr") {
            let text = input.as_str().unwrap().replace("SELF_PUBLIC_IP", OWN);
            let address: IpAddr = text.parse().unwrap();
            if expect == "allow" {
                scene.assert_reaches(address).await;
                continue;
            }
            forbidden += 1;
            // Whoever dials it is heard, where the kernel has such connections at all.
            if TcpStream::connect((address, 8080)).await.is_ok() {
                within_reach += 1;
                while scene.canary.take().is_empty() {
                    tokio::task::yield_now().await;
                }
            }
            scene.answer([Dns::Addresses(vec![address])]);
            let before = active_opens();
            let reports = [
                scene.post(&format!("https://{HOST}/")).await,
                scene.submit(HOST).await,
            ];
            assert!(reports.iter().all(Option::is_some), "{id}");
            scene.assert_silent(&id, before, &reports);
        }
        println!("{within_reach} of {forbidden} forbidden addresses listened");
        // Multicast, broadcast, fe80::/10 without an interface: not even the kernel connects there.
        assert!(forbidden == 0 || within_reach + 4 >= forbidden);
        scene.assert_reaches(PERMITTED.parse().unwrap()).await;
    });
}

#[test]
fn no_forbidden_url_or_mail_host_is_ever_called() {
    in_namespace(|| async {
        let scene = Scene::new().await;
        // Each name leads to an address that may be dialled: the name alone must keep it out.
        scene.answer([Dns::Addresses(vec![PERMITTED.parse().unwrap()])]);
        for (id, input, expect) in bad_inputs("url") {
            if expect == "allow" {
                continue;
            }
            let url = input.as_str().unwrap();
            let before = active_opens();
            let host = url.split("//").nth(1).unwrap_or_default();
            let host = host.split('/').next().unwrap_or_default();
            let submitted = match host {
                // Forbidden for its scheme alone.
                HOST => None,
                host => scene.submit(host).await,
            };
            let reports = [scene.post(url).await, submitted];
            scene.assert_silent(&id, before, &reports);
        }
        assert_eq!(scene.dns.queries(), Vec::<String>::new());
        scene.assert_reaches(PERMITTED.parse().unwrap()).await;
    });
}

#[test]
fn no_answer_of_a_resolver_leads_to_a_forbidden_address() {
    in_namespace(|| async {
        let scene = Scene::new().await;
        for (id, input, expect) in bad_inputs("dns") {
            if !expect.starts_with("deny:address") {
                continue;
            }
            let chain = serde_json::from_value(input["cname"].clone()).unwrap_or_default();
            scene.answer([Dns::Chain(chain, addresses(&input["answers"][0]))]);
            let before = active_opens();
            let url = format!("https://{HOST}/");
            let reports = [scene.post(&url).await, scene.submit(HOST).await];
            scene.assert_silent(&id, before, &reports);
        }
        scene.assert_reaches(PERMITTED.parse().unwrap()).await;
    });
}

#[test]
fn a_resolver_that_changes_its_answer_is_asked_once_for_each_connection() {
    for port in [443, 465] {
        in_namespace(move || turning(port));
    }
}

/// The first answer may be dialled, and those after it may not.
async fn turning(port: u16) {
    let dialled = SocketAddr::new(PERMITTED.parse().unwrap(), port);
    let turns = [PERMITTED, "10.0.0.1", "169.254.169.254"].map(|text| text.parse().unwrap());
    let scene = Scene::new().await;
    scene.answer(turns.map(|address| Dns::Addresses(vec![address])));
    for turn in 0..turns.len() {
        let before = active_opens();
        let report = match port {
            443 => scene.post(&format!("https://{HOST}/")).await,
            _ => scene.submit(HOST).await,
        };
        assert_eq!(scene.dns.queries(), vec![HOST; turn + 1], "{port}");
        if turn > 0 {
            scene.assert_silent("a turned name", before, &[report]);
            continue;
        }
        let report = report.unwrap();
        assert!(report.result.is_ok(), "{port}: {report:?}");
        assert_eq!(scene.canary.take(), [dialled]);
        assert_eq!(report.wire.exchanges[0].peer, Some(dialled));
        if port == 443 {
            scene.peer.closed(1).await;
        }
    }
}
