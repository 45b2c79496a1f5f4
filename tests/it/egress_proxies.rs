//! Sources behind a proxy: what it is asked for, what is judged before, and what a hostile one can do.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use sendbox::egress::{Ailment, EgressError, ProxyError};
use sendbox::outcome::Progress;
use sendbox::source::EgressSource;
use sendbox_tests::certificates::Authority;
use sendbox_tests::mail_peer::{MailPeer, usual};
use sendbox_tests::peer::{Peer, Reply};
use sendbox_tests::proxy::{Habit, ProxyPeer, RealProxy};
use serde_json::{Value, json};

use crate::egress_kit::{HOST, Send, at, config_for, get, live, secret};
use crate::harness::{House, Provider};
use crate::mail_kit::{Bundled, code_for, mail_peer_host, smtp_settings};
use crate::templates::command;

const KINDS: [&str; 2] = ["socks5", "http-connect"];
/// Where the proxies' connections leave from, as the operator declares it.
const EXIT: &str = "127.0.0.9";

fn through(kind: &str, proxy: SocketAddr, login: Option<(&str, &str)>) -> EgressSource {
    let (user, password) = login.unzip();
    let proxy = json!({ "kind": kind, "address": proxy, "user": user, "password": password });
    let source = json!({ "name": "behind", "address": EXIT, "proxy": proxy });
    serde_json::from_value(source).unwrap()
}

fn behind(source: &EgressSource) -> Send {
    Send {
        by: Some(source.clone()),
        ..Send::default()
    }
}

#[tokio::test]
async fn a_proxy_is_handed_the_judged_address_and_the_receiver_sees_the_proxy() {
    for kind in KINDS {
        for login in [None, Some(("user", "p@ss"))] {
            let (peer, proxy) = (
                Peer::start(|_| Reply::ok("ok")).await,
                ProxyPeer::start(Habit::Serve).await,
            );
            let egress = live(&config_for(&peer));
            let source = through(kind, proxy.address, login);
            for _ in 0..2 {
                let (response, exchange) = behind(&source).once(&egress, get(at(&peer, "/"))).await;
                assert_eq!(response.unwrap().status, 200, "{kind}");
                assert_eq!(exchange.source_ip, Some(EXIT.parse().unwrap()));
                assert_eq!(exchange.peer, Some(peer.address));
            }
            // One tunnel, kept for the second request.
            let [asked] = &proxy.asked()[..] else {
                panic!("{kind}: {:?}", proxy.asked());
            };
            assert_eq!((asked.kind, &asked.to), (kind, &peer.address.to_string()));
            let expected = login.map(|(user, password)| match kind {
                "socks5" => (user.to_owned(), password.to_owned()),
                _ => ("dXNlcjpwQHNz".to_owned(), String::new()),
            });
            assert_eq!(asked.credentials, expected, "{kind}");
        }
    }
}

#[tokio::test]
async fn a_proxy_is_handed_an_address_of_version_6_as_well() {
    let peer = Peer::start_at("[::1]:0".parse().unwrap(), None, |_| Reply::ok("ok")).await;
    let mut config = config_for(&peer);
    config.allow_addresses.push("::1".parse().unwrap());
    let egress = live(&config);
    for kind in KINDS {
        let proxy = ProxyPeer::start(Habit::Serve).await;
        let mut source = through(kind, proxy.address, None);
        source.address = "2001:db8::9".parse().unwrap();
        let (response, _) = behind(&source).once(&egress, get(at(&peer, "/"))).await;
        assert_eq!(response.unwrap().status, 200, "{kind}");
        assert_eq!(proxy.asked()[0].to, peer.address.to_string());
    }
}

#[tokio::test]
async fn what_is_refused_without_a_proxy_is_refused_with_one() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let mut config = config_for(&peer);
    // The proxy itself is the operator's: it may be private.
    config.allow_addresses.clear();
    let egress = live(&config);
    for kind in KINDS {
        let proxy = ProxyPeer::start(Habit::Serve).await;
        let source = through(kind, proxy.address, None);
        let (response, exchange) = behind(&source).once(&egress, get(at(&peer, "/"))).await;
        let denied = EgressError::Denied {
            rule: "address.loopback",
        };
        assert_eq!(response, Err(denied), "{kind}");
        assert_eq!(exchange.peer, None);
        assert_eq!(proxy.asked(), []);
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_secret_does_not_pass_a_proxy_in_clear() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    let proxy = ProxyPeer::start(Habit::Serve).await;
    let (placeholder, placeholders) = secret("hunter2", false, false);
    let send = Send {
        placeholders,
        ..behind(&through("socks5", proxy.address, None))
    };
    let mut request = get(at(&peer, "/"));
    request.headers.push(("x-key".to_owned(), placeholder));
    let (response, exchange) = send.once(&egress, request).await;
    let denied = EgressError::Denied {
        rule: "secret.plaintext",
    };
    assert_eq!(response, Err(denied));
    assert_eq!((exchange.bytes_sent, peer.arrivals().len()), (0, 0));
}

/// What hostile and broken proxies answer, and what is made of it.
fn hostile(kind: &str) -> Vec<(&'static str, Habit, ProxyError)> {
    use ProxyError::{Answer, Credentials, Protocol, Refused, Timeout};
    let say = |pieces: &[&[u8]]| Habit::Say(pieces.iter().map(|piece| piece.to_vec()).collect());
    // A SOCKS5 proxy greets before it is told where to.
    let broken = if kind == "socks5" { Protocol } else { Answer };
    let common = [
        ("closes", Habit::Close, broken),
        ("says nothing", say(&[]), Timeout),
        ("speaks mail", say(&[b"220 mail.example ESMTP\r\n"]), broken),
        (
            "drips",
            Habit::Drip(match kind {
                "socks5" => vec![5],
                _ => b"HTTP/1.1 200 ".repeat(100),
            }),
            Timeout,
        ),
    ];
    let own = if kind == "socks5" {
        vec![
            ("version 4", say(&[&[4, 0]]), Protocol),
            ("no method", say(&[&[5, 0xff]]), Credentials),
            ("a method that was not offered", say(&[&[5, 7]]), Protocol),
            ("wants a password", say(&[&[5, 2]]), Credentials),
            (
                "refused by rule",
                say(&[&[5, 0], &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]]),
                Refused,
            ),
            (
                "host unreachable",
                say(&[&[5, 0], &[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]]),
                Refused,
            ),
            (
                "an unknown reply",
                say(&[&[5, 0], &[5, 99, 0, 1, 0, 0, 0, 0, 0, 0]]),
                Answer,
            ),
            (
                "an unknown address",
                say(&[&[5, 0], &[5, 0, 0, 9, 0, 0]]),
                Answer,
            ),
            (
                "half an address",
                say(&[&[5, 0], &[5, 0, 0, 3, 255, b'a']]),
                Timeout,
            ),
            ("endless zeros", Habit::Endless(vec![0; 4096]), Protocol),
        ]
    } else {
        let long = [
            b"HTTP/1.1 200 OK\r\nX-Long: ".as_slice(),
            &[b'a'; 9000],
            b"\r\n\r\n",
        ]
        .concat();
        let many = "HTTP/1.1 200 OK\r\n".to_owned() + &"a: b\r\n".repeat(100) + "\r\n";
        vec![
            (
                "407",
                say(&[b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n"]),
                Credentials,
            ),
            ("403", say(&[b"HTTP/1.1 403 No\r\n\r\n"]), Refused),
            (
                "502",
                say(&[b"HTTP/1.0 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"]),
                Refused,
            ),
            (
                "a redirect",
                say(&[b"HTTP/1.1 302 Go\r\nlocation: https://evil.test/\r\n\r\n"]),
                Refused,
            ),
            ("100", say(&[b"HTTP/1.1 100 Continue\r\n\r\n"]), Refused),
            ("too long a line", say(&[&long]), Answer),
            ("too many fields", say(&[many.as_bytes()]), Answer),
            (
                "an endless head",
                Habit::Endless(b"HTTP/1.1 200 OK\r\na: b\r\n".to_vec()),
                Answer,
            ),
            ("endless zeros", Habit::Endless(vec![0; 4096]), Answer),
        ]
    };
    common.into_iter().chain(own).collect()
}

#[tokio::test]
async fn a_hostile_proxy_costs_a_bounded_time_and_not_a_byte_of_a_request() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    for kind in KINDS {
        for (case, habit, expected) in hostile(kind) {
            let proxy = ProxyPeer::start(habit).await;
            let egress = live(&config_for(&peer));
            let source = through(kind, proxy.address, None);
            let mut send = behind(&source);
            send.limits.connect_ms = if expected == ProxyError::Timeout {
                100
            } else {
                5_000
            };
            let begun = Instant::now();
            let (response, exchange) = send.once(&egress, get(at(&peer, "/"))).await;
            assert_eq!(response, Err(EgressError::Proxy(expected)), "{kind} {case}");
            assert!(begun.elapsed() < Duration::from_secs(4), "{kind} {case}");
            assert_eq!(exchange.error.as_deref(), Some("egress.proxy"));
            assert_eq!(
                (exchange.progress, exchange.bytes_sent),
                (Progress::NotConnected, 0),
                "{kind} {case}"
            );
            let suspended = egress.sources().suspension(&source, None);
            let reason = match expected {
                ProxyError::Credentials => Some(Ailment::ProxyCredentials),
                ProxyError::Protocol => Some(Ailment::ProxyProtocol),
                _ => None,
            };
            assert_eq!(suspended.map(|found| found.reason), reason, "{kind} {case}");
        }
    }
    assert_eq!(peer.connections(), 0);
}

/// What proxies say, who were asked for a destination that they do not reach, and should not.
fn improper(kind: &str) -> Vec<&'static [u8]> {
    match kind {
        "socks5" => vec![
            b"",
            &[5, 1],
            &[5, 99, 0, 1, 0, 0, 0, 0, 0, 0],
            b"nope, not that one",
        ],
        _ => vec![b"", b"HTTP/1.1 ", b"nope\r\n\r\n"],
    }
}

#[tokio::test]
async fn a_destination_that_a_proxy_cannot_answer_for_costs_nobody_else_the_source() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let dead = sendbox_tests::mail_folder::free_port();
    let names = ["one.test", "two.test", "three.test"];
    let mut config = config_for(&peer);
    let ports = [dead, peer.address.port()];
    let plain = ports.map(|port| names.map(|name| format!("{name}:{port}")));
    config.plaintext_hosts = plain.concat();
    let addresses = names.map(|name| (name.to_owned(), vec![peer.address.ip()]));
    config.hosts.extend(addresses);
    let tenant = |name: &str| name.parse().unwrap();
    for kind in KINDS {
        for answer in improper(kind) {
            let proxy = ProxyPeer::start(Habit::Except(dead, answer.to_vec())).await;
            let (source, egress) = (through(kind, proxy.address, None), live(&config));
            let call = async |tenant, name: &str, port: u16| {
                let send = Send {
                    tenant,
                    hosts: names.map(str::to_owned).to_vec(),
                    ..behind(&source)
                };
                let request = get(format!("http://{name}:{port}/"));
                send.once(&egress, request)
                    .await
                    .0
                    .map(|answer| answer.status)
            };
            let improper = Err(EgressError::Proxy(ProxyError::Answer));
            let out_of_use = || {
                let health = egress.sources();
                let of = |name| health.suspension(&source, Some(&tenant(name)));
                let suspended = [of("acme"), of("globex")];
                suspended.map(|found| found.map(|found| found.reason))
            };
            let reason = Some(Ailment::ProxyProtocol);
            // One dead destination, however often.
            for _ in 0..3 {
                assert_eq!(call("acme", names[0], dead).await, improper, "{kind}");
            }
            assert_eq!(out_of_use(), [None, None], "{kind} {answer:?}");
            // What gets through says that the proxy is well.
            assert_eq!(call("globex", names[0], peer.address.port()).await, Ok(200));
            assert_eq!(call("acme", names[1], dead).await, improper);
            assert_eq!(out_of_use(), [None, None], "{kind} {answer:?}");
            // Two of one tenant's are that tenant's alone.
            assert_eq!(call("acme", names[2], dead).await, improper);
            assert_eq!(out_of_use(), [reason, None], "{kind} {answer:?}");
            assert_eq!(egress.sources().suspension(&source, None), None);
            // A second tenant's, at another destination, are everybody's.
            assert_eq!(call("globex", names[0], dead).await, improper);
            assert_eq!(out_of_use(), [reason, reason], "{kind} {answer:?}");
            let for_all = egress.sources().suspension(&source, None);
            assert_eq!(for_all.map(|found| found.reason), reason);
        }
    }
}

#[tokio::test]
async fn a_tunnel_is_not_used_under_another_login() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    for kind in KINDS {
        let proxy = ProxyPeer::start(Habit::Serve).await;
        for password in ["first", "second", "second"] {
            let source = through(kind, proxy.address, Some(("user", password)));
            let (response, _) = behind(&source).once(&egress, get(at(&peer, "/"))).await;
            assert_eq!(response.unwrap().status, 200, "{kind}");
        }
        assert_eq!(proxy.asked().len(), 2, "{kind}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_away_suspends_its_source_until_it_is_changed() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    // A port that was free a moment ago.
    let away = SocketAddr::from(([127, 0, 0, 1], sendbox_tests::mail_folder::free_port()));
    let source = through("socks5", away, None);
    let (response, _) = behind(&source).once(&egress, get(at(&peer, "/"))).await;
    assert_eq!(response, Err(EgressError::Proxy(ProxyError::Unreachable)));
    let found = egress.sources().suspension(&source, None).unwrap();
    assert_eq!(found.reason, Ailment::ProxyUnreachable);
    let proxy = ProxyPeer::start(Habit::Serve).await;
    let moved = through("socks5", proxy.address, None);
    assert_eq!(egress.sources().suspension(&moved, None), None);
}

#[tokio::test]
async fn mail_passes_a_proxy_whose_answer_comes_together_with_the_greeting() {
    let authority = Authority::new();
    let connector = Bundled::new("smtp").await;
    for kind in KINDS {
        for habit in [Habit::Serve, Habit::Coalesce] {
            let peer = MailPeer::start(Some(authority.server(HOST)), false, usual).await;
            let proxy = ProxyPeer::start(habit).await;
            let egress = live(&mail_peer_host(&peer, &authority));
            let send = behind(&through(kind, proxy.address, None));
            let settings = smtp_settings(peer.address.port(), "Code", "{{code}}", &json!({}));
            let report = connector
                .send(&send, &egress, settings, code_for("b@y.test"))
                .await;
            assert!(report.result.is_ok(), "{kind}: {report:?}");
            assert_eq!(proxy.asked()[0].to, peer.address.to_string());
            // The name that stands for the machine is the address that the server sees.
            let greeting = format!("EHLO [{EXIT}]");
            assert!(peer.texts().contains(&greeting), "{:?}", peer.texts());
        }
    }
}

/// Real proxies that ask for a password and leave from [`EXIT`].
fn real(user: &str, password: &str) -> Vec<(&'static str, RealProxy)> {
    let exit: IpAddr = EXIT.parse().unwrap();
    let proxies = [
        ("socks5", RealProxy::microsocks(exit, user, password)),
        ("http-connect", RealProxy::tinyproxy(exit, user, password)),
    ];
    let there = proxies
        .into_iter()
        .filter_map(|(kind, proxy)| Some((kind, proxy?)));
    there.collect()
}

#[tokio::test]
async fn real_proxies_carry_requests_and_mail_and_refuse_a_wrong_password() {
    let authority = Authority::new();
    let connector = Bundled::new("smtp").await;
    for (kind, proxy) in real("sender", "s3cret") {
        proxy.listens().await;
        let peer = Peer::start(|_| Reply::ok("ok")).await;
        let egress = live(&config_for(&peer));
        let source = through(kind, proxy.address, Some(("sender", "s3cret")));
        let (response, _) = behind(&source).once(&egress, get(at(&peer, "/"))).await;
        assert_eq!(response.unwrap().status, 200, "{kind}");
        assert_eq!(peer.sources(), [EXIT.parse::<IpAddr>().unwrap()], "{kind}");

        let mail = MailPeer::start(Some(authority.server(HOST)), false, usual).await;
        let out = live(&mail_peer_host(&mail, &authority));
        let settings = smtp_settings(mail.address.port(), "Code", "{{code}}", &json!({}));
        let report = connector
            .send(&behind(&source), &out, settings, code_for("b@y.test"))
            .await;
        assert!(report.result.is_ok(), "{kind}: {report:?}");
        assert_eq!(mail.lines()[0].source.ip().to_string(), EXIT, "{kind}");

        // Without the tunnel that is kept.
        let egress = live(&config_for(&peer));
        let wrong = through(kind, proxy.address, Some(("sender", "wrong")));
        let (response, _) = behind(&wrong).once(&egress, get(at(&peer, "/"))).await;
        let refused = EgressError::Proxy(ProxyError::Credentials);
        assert_eq!(response, Err(refused), "{kind}");
        assert_eq!(peer.arrivals().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxys_password_is_written_once_and_shown_to_nobody() {
    let (house, provider) = (House::start().await, Provider::accepting().await);
    let endpoint = format!("http://{}/", provider.address);
    let key = house.tenant("acme", &endpoint, Some("127.0.0.2")).await;
    let proxy = ProxyPeer::start(Habit::Serve).await;
    let path = "/v1/egress/sources/acme";
    let put = async |proxy: Value| {
        let source = json!({ "address": EXIT, "proxy": proxy });
        house.operate("PUT", path, source).await
    };
    let whole = json!({
        "kind": "socks5", "address": proxy.address, "user": "sender", "password": "hunter2-canary",
    });
    let mut left_out = whole.clone();
    left_out.as_object_mut().unwrap().remove("password");
    put(left_out.clone()).await.expect(422);
    for body in [whole, left_out.clone()] {
        let shown = put(body).await.expect(200);
        assert_eq!(shown.json()["secrets"], json!(["/proxy/password"]));
        assert!(!shown.text.contains("hunter2"), "{}", shown.text);
    }
    for path in [path, "/v1/egress/sources", "/v1/egress/addresses"] {
        let shown = house.operate("GET", path, Value::Null).await.expect(200);
        assert!(!shown.text.contains("hunter2"), "{}", shown.text);
    }
    let word = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(word.path(), "hunter2-canary\n").unwrap();
    let words = format!(
        "egress put-source shell --address {EXIT} --proxy socks5://sender@{} \
         --proxy-password-file {} --per-day 50,100 --per-hour 10",
        proxy.address,
        word.path().display()
    );
    command(&house, &house.operator, &words).await;
    let shown = house
        .operate("GET", "/v1/egress/sources/shell", Value::Null)
        .await;
    assert_eq!(shown.json()["secrets"], json!(["/proxy/password"]));
    assert_eq!(shown.json()["warm_up"]["per_day"], json!([50, 100]));
    // Another proxy would learn it.
    let mut elsewhere = left_out;
    elsewhere["address"] = json!("10.0.0.6:1080");
    put(elsewhere).await.expect(422);
    let message = json!({
        "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "1" },
    });
    let path = "/v1/messages?wait=10";
    let answer = house.call(&key, "POST", path, &message).await.expect(202);
    assert_eq!(answer.text_at("/state"), "sent");
    let login = Some(("sender".to_owned(), "hunter2-canary".to_owned()));
    assert_eq!(proxy.asked()[0].credentials, login);
    let folder = house.stop().await;
    for file in std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .flatten()
    {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        let found = bytes.windows(7).any(|window| window == b"hunter2");
        assert!(!found, "{}", file.path().display());
    }
}
