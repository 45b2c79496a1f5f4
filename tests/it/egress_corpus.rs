//! Every shared bad input that concerns the way out gets the verdict that it names, controls included.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use sendbox::egress::{
    AddressPolicy, Answer, Author, Capture, CapturedRequest, EgressConfig, EgressError,
    HostPattern, HttpRequest, HttpResponse,
};
use sendbox::limits::{Limit, Limits};
use sendbox::outcome::{Exchange, Progress};
use sendbox_tests::dns::{DnsServer, Reply as Dns};
use sendbox_tests::peer::{Peer, Reply};
use serde_json::Value;

use crate::egress_kit::{
    HOST, Send, at, bad_inputs as cases, config_for, get, live, post, test_names,
};

/// What stands in for the runtime's own public address.
const OWN: &str = "9.9.9.9";

fn addresses(list: &Value) -> Vec<IpAddr> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|address| address.as_str().unwrap().parse().unwrap())
        .collect()
}

fn rule(result: &Result<HttpResponse, EgressError>) -> &'static str {
    match result {
        Err(EgressError::Denied { rule }) => rule,
        _ => "",
    }
}

/// Whether a request was stopped before anything left.
fn is_stopped(result: &Result<HttpResponse, EgressError>, exchange: &Exchange) -> bool {
    matches!(
        result,
        Err(EgressError::Denied { .. } | EgressError::Invalid(_) | EgressError::Limit { .. })
    ) && exchange.progress == Progress::Refused
        && exchange.peer.is_none()
        && exchange.bytes_sent == 0
}

/// One captured exchange: no socket, all else alike.
async fn captured(
    send: &Send,
    request: HttpRequest,
) -> (
    Result<HttpResponse, EgressError>,
    Exchange,
    Vec<CapturedRequest>,
) {
    let answer = Answer::Response {
        status: 200,
        headers: Vec::new(),
        body: Default::default(),
    };
    let capture = Arc::new(Capture::new(vec![answer]));
    let scope = send.captured(&capture, &test_names());
    let result = scope.http(request).await;
    (result, scope.wire().exchanges.remove(0), capture.requests())
}

#[tokio::test]
async fn addresses_are_refused_after_resolution_and_never_dialled() {
    for (id, input, expect) in cases("addr") {
        let address: IpAddr = input
            .as_str()
            .unwrap()
            .replace("SELF_PUBLIC_IP", OWN)
            .parse()
            .unwrap();
        if expect == "allow" {
            assert_eq!(AddressPolicy::default().judge(address), Ok(address), "{id}");
            continue;
        }
        let mut config = test_names();
        config.own_addresses = vec![OWN.parse().unwrap()];
        config.hosts = BTreeMap::from([(HOST.to_owned(), vec![address])]);
        let (result, exchange) = Send::default()
            .once(&live(&config), get(format!("https://{HOST}/")))
            .await;
        assert!(
            is_stopped(&result, &exchange),
            "{id}: {result:?} {exchange:?}"
        );
        assert!(rule(&result).starts_with("address."), "{id}: {result:?}");
        assert_eq!(
            rule(&result) == "address.self",
            expect == "deny:self",
            "{id}"
        );
    }
}

#[tokio::test]
async fn urls_are_matched_as_one_object_and_refused_ones_are_not_even_resolved() {
    let dns = DnsServer::start(|_, _| Dns::Addresses(vec![[127, 0, 0, 1].into()])).await;
    let egress = live(&EgressConfig {
        name_servers: vec![dns.address],
        ..test_names()
    });
    let hosts = [HOST, "*.wild.test", "xn--bcher-kva.test"]
        .map(str::to_owned)
        .to_vec();
    let send = Send {
        hosts,
        ..Send::default()
    };
    for (id, input, expect) in cases("url") {
        let url = input.as_str().unwrap();
        if expect == "allow" {
            let (result, _, requests) = captured(&send, get(url)).await;
            assert!(result.is_ok(), "{id}: {result:?}");
            let plain = url.to_ascii_lowercase().replace(":443", "");
            assert_eq!(requests[0].url, plain, "{id}");
            let host = plain.split('/').nth(2).unwrap().to_owned();
            assert_eq!(requests[0].headers[0], ("host".to_owned(), host), "{id}");
            continue;
        }
        assert_eq!(expect, "deny:policy", "{id}");
        let (result, exchange) = send.once(&egress, get(url)).await;
        assert!(
            is_stopped(&result, &exchange),
            "{id}: {result:?} {exchange:?}"
        );
    }
    assert_eq!(dns.queries(), Vec::<String>::new());
}

/// Both in a list and in a URL, whichever way each is written.
#[tokio::test]
async fn a_host_is_matched_and_dialled_as_it_is_read_however_it_is_written() {
    let cases = cases("host");
    assert!(cases.len() > 5);
    for (id, input, _) in cases {
        let [written, read] = [0, 1].map(|index| input[index].as_str().unwrap());
        for listed in [written, read] {
            for wanted in [written, read] {
                let send = Send {
                    hosts: vec![listed.to_owned()],
                    ..Send::default()
                };
                let url = format!("https://{wanted}/v3/mail");
                let (result, _, requests) = captured(&send, get(url)).await;
                assert!(result.is_ok(), "{id}: {listed} {wanted}: {result:?}");
                assert_eq!(requests[0].url, format!("https://{read}/v3/mail"), "{id}");
                let host = ("host".to_owned(), read.to_owned());
                assert_eq!(requests[0].headers[0], host, "{id}");
            }
        }
        let operators = HostPattern::parse(written, Author::Operator).unwrap();
        assert_eq!(operators.to_string(), read, "{id}");
    }
}

/// A time to live of zero would mean a lookup for each of the connections.
#[tokio::test]
async fn an_answer_of_no_time_to_live_is_kept_for_a_second() {
    let peer =
        Peer::start(|_| Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()))
            .await;
    let dns = DnsServer::start(|_, _| Dns::Addresses(vec![[127, 0, 0, 1].into()])).await;
    let mut config = config_for(&peer);
    config.hosts.clear();
    config.name_servers = vec![dns.address];
    config.dns_ttl_min_ms = EgressConfig::default().dns_ttl_min_ms;
    let egress = live(&config);
    let begun = std::time::Instant::now();
    for sent in 1..=20 {
        let (result, _) = Send::default().once(&egress, get(at(&peer, "/"))).await;
        assert!(result.is_ok(), "{result:?}");
        peer.closed(sent).await;
    }
    let most = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    assert!(dns.queries().len() <= most, "{:?} {most}", dns.queries());
}

#[tokio::test]
async fn paths_that_two_parsers_read_differently_are_refused() {
    for (id, input, expect) in cases("path") {
        let path = match input["repeat"].as_str() {
            None => input.as_str().unwrap().to_owned(),
            Some(part) => {
                let times = usize::try_from(input["times"].as_u64().unwrap()).unwrap();
                input["prefix"].as_str().unwrap().to_owned() + &part.repeat(times)
            }
        };
        assert_eq!(expect, "deny:path", "{id}");
        let (result, exchange, requests) =
            captured(&Send::default(), get(format!("https://{HOST}{path}"))).await;
        assert!(
            is_stopped(&result, &exchange) && requests.is_empty(),
            "{id}: {result:?}"
        );
    }
}

#[tokio::test]
async fn redirects_are_the_guests_to_follow_and_count_against_its_requests() {
    for (id, input, _) in cases("redirect") {
        let (status, location) = (
            input["status"].as_u64().unwrap(),
            input["location"].as_str().unwrap().to_owned(),
        );
        let line =
            format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let peer = Peer::start(move |_| Reply::Bytes(line.clone().into_bytes())).await;
        let mut send = Send::default();
        send.limits.requests = 2;
        let scope = send.live(&live(&config_for(&peer)));
        let mut request = post(at(&peer, "/v3/mail/"), "text/plain", "x");
        request
            .headers
            .push(("authorization".to_owned(), "Bearer t".to_owned()));
        let response = scope.http(request).await.unwrap();
        assert_eq!(u64::from(response.status), status, "{id}");
        assert!(
            response
                .headers
                .contains(&("location".to_owned(), location.clone())),
            "{id}"
        );
        assert_eq!((peer.connections(), peer.arrivals().len()), (1, 1), "{id}");
        // A guest that follows by itself is checked as for any request, and counted.
        let followed = if location.starts_with(&format!("https://{HOST}/")) {
            at(&peer, "/next")
        } else {
            location
        };
        let second = scope.http(get(followed)).await;
        assert_eq!(second.is_ok(), id == "redirect-005", "{id}: {second:?}");
        let third = scope.http(get(at(&peer, "/"))).await;
        assert!(
            matches!(
                third,
                Err(EgressError::Limit {
                    limit: Limit::Requests,
                    ..
                })
            ),
            "{id}"
        );
    }
}

/// Cases about a body that a guest streams with a length or trailers of its own: only wasi:http has those.
const STREAMED: &[&str] = &["header-031", "header-032", "header-047"];

#[tokio::test]
async fn headers_obey_the_model() {
    for (id, input, expect) in cases("header") {
        if STREAMED.contains(&id.as_str()) {
            continue;
        }
        let mut request = post(
            format!("https://{HOST}/v3/mail/send"),
            "text/plain",
            "hello",
        );
        if let Some(pair) = input.as_array() {
            let name = pair[0].as_str().unwrap();
            let values = pair[1..]
                .iter()
                .map(|value| (name.to_owned(), value.as_str().unwrap().to_owned()));
            request.headers.extend(values);
        } else if let Some(count) = input["count"].as_u64() {
            request.headers = (0..count)
                .map(|index| (format!("x-{index}"), "v".to_owned()))
                .collect();
        } else if let Some(length) = input["one_value_bytes"].as_u64() {
            request.headers.push((
                "x-a".to_owned(),
                "v".repeat(usize::try_from(length).unwrap()),
            ));
        } else {
            request.method = input["method"].as_str().unwrap().to_owned();
        }
        let (result, exchange, requests) = captured(&Send::default(), request).await;
        let has = |name: &str, value: &str| {
            requests[0]
                .headers
                .contains(&(name.to_owned(), value.to_owned()))
        };
        let limit = |expected| matches!(&result, Err(EgressError::Limit { limit, .. }) if *limit == expected);
        let verdict = expect.split([' ', ',', ';']).next().unwrap();
        let held = match verdict {
            "deny:header" => rule(&result) == "header.host-owned",
            "deny:header-value" | "deny:header-name" => {
                matches!(result, Err(EgressError::Invalid(_)))
            }
            "deny:method" => rule(&result) == "method.not-allowed",
            "limit:header-count" => limit(Limit::HeaderCount),
            "limit:header-size" => limit(Limit::HeaderSize),
            "normalize:" => result.is_ok() && has("accept-encoding", "identity"),
            "allow" => result.is_ok() && has("authorization", "Bearer literal"),
            other => panic!("{id}: unknown verdict {other}"),
        };
        assert!(held, "{id}: {expect}: {result:?}");
        assert_eq!(is_stopped(&result, &exchange), result.is_err(), "{id}");
        assert_eq!(requests.len(), usize::from(result.is_ok()), "{id}");
    }
}

#[test]
fn patterns_that_are_too_wide_are_refused_when_they_are_saved() {
    for (id, input, expect) in cases("policy") {
        let text = input.as_str().unwrap();
        assert!(expect.starts_with("reject"), "{id}");
        let problem = HostPattern::parse(text, Author::Tenant)
            .unwrap_err()
            .to_string();
        if expect.contains("suggestion") {
            assert!(problem.contains("'api.allowed.test'"), "{id}: {problem}");
        }
        let operators = HostPattern::parse(text, Author::Operator);
        assert_eq!(
            operators.is_ok(),
            expect.contains("operator"),
            "{id}: {operators:?}"
        );
    }
}

#[tokio::test]
async fn names_are_resolved_once_judged_whole_and_dialled_as_judged() {
    for (id, input, expect) in cases("dns") {
        match id.as_str() {
            "dns-001" => rebinding().await,
            "dns-010" => lookup_fails(Dns::Silence).await,
            "dns-011" => lookup_fails(Dns::Failure).await,
            "dns-013" => single_label(input["name"].as_str().unwrap()).await,
            "dns-017" => stale_pool().await,
            "dns-019" => two_tenants().await,
            _ => {
                assert!(expect.starts_with("deny:address"), "{id}");
                refused_answer(&id, &input).await;
            }
        }
    }
}

/// The first answer stands in for a public address: it alone is opened. The second is as private as any.
async fn rebinding() {
    let first = Peer::start_at("127.0.0.2:0".parse().unwrap(), None, |_| {
        Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec())
    })
    .await;
    let port = first.address.port();
    let second = Peer::start_at(([127, 0, 0, 1], port).into(), None, |_| Reply::ok("")).await;
    let answers = [[127, 0, 0, 2], [127, 0, 0, 1]];
    let dns =
        DnsServer::start(move |_, before| Dns::Addresses(vec![answers[before.min(1)].into()]))
            .await;
    let mut config = config_for(&first);
    config.hosts.clear();
    config.name_servers = vec![dns.address];
    config.allow_addresses = vec!["127.0.0.2".parse().unwrap()];
    let egress = live(&config);
    let (result, exchange) = Send::default().once(&egress, get(at(&first, "/"))).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(exchange.peer, Some(first.address));
    assert_eq!(dns.queries(), [HOST]);
    first.closed(1).await;
    let (result, exchange) = Send::default().once(&egress, get(at(&first, "/"))).await;
    assert_eq!(rule(&result), "address.loopback");
    assert_eq!((exchange.peer, dns.queries().len()), (None, 2));
    assert_eq!(second.connections(), 0);
}

async fn refused_answer(id: &str, input: &Value) {
    let answers = addresses(&input["answers"][0]);
    let chain: Vec<String> = serde_json::from_value(input["cname"].clone()).unwrap_or_default();
    let dns = DnsServer::start(move |_, _| Dns::Chain(chain.clone(), answers.clone())).await;
    let egress = live(&EgressConfig {
        name_servers: vec![dns.address],
        ..test_names()
    });
    let (result, exchange) = Send::default()
        .once(&egress, get(format!("https://{HOST}/")))
        .await;
    assert!(
        is_stopped(&result, &exchange),
        "{id}: {result:?} {exchange:?}"
    );
    assert!(rule(&result).starts_with("address."), "{id}: {result:?}");
    assert_eq!(dns.queries()[0], HOST, "{id}");
}

async fn lookup_fails(reply: Dns) {
    assert_eq!(Limits::default().dns_ms, 5_000);
    let dns = DnsServer::start(move |_, _| reply.clone()).await;
    let egress = live(&EgressConfig {
        name_servers: vec![dns.address],
        ..test_names()
    });
    let mut send = Send::default();
    send.limits.dns_ms = 200;
    let (result, exchange) = send.once(&egress, get(format!("https://{HOST}/"))).await;
    assert_eq!(result, Err(EgressError::Dns));
    assert_eq!(
        (exchange.progress, exchange.peer),
        (Progress::NotConnected, None)
    );
}

async fn single_label(name: &str) {
    let dns = DnsServer::start(|_, _| Dns::Addresses(vec![[8, 8, 8, 8].into()])).await;
    let egress = live(&EgressConfig {
        name_servers: vec![dns.address],
        ..test_names()
    });
    let send = Send {
        hosts: vec![name.to_owned()],
        ..Send::default()
    };
    let (result, _) = send.once(&egress, get(format!("https://{name}/"))).await;
    assert_eq!(rule(&result), "host.single-label");
    assert!(dns.queries().is_empty());
}

async fn stale_pool() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    Send::default()
        .once(&egress, get(at(&peer, "/")))
        .await
        .0
        .unwrap();
    let send = Send {
        revision: 2,
        hosts: vec!["other.test".to_owned()],
        ..Send::default()
    };
    let (result, _) = send.once(&egress, get(at(&peer, "/"))).await;
    assert_eq!(rule(&result), "host.not-asked-by-connector");
    peer.closed(1).await;
    assert_eq!(peer.arrivals().len(), 1);
}

async fn two_tenants() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    for tenant in ["acme", "globex"] {
        let send = Send {
            tenant,
            ..Send::default()
        };
        send.once(&egress, get(at(&peer, "/"))).await.0.unwrap();
    }
    assert_eq!(peer.connections(), 2);
}
