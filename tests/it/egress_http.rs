//! One exchange as it stands on the wire: what is sent, what comes back, and what is written down.

use std::sync::Arc;

use sendbox::egress::{Answer, Capture, Credential, EgressConfig, EgressError, HttpRequest};
use sendbox::outcome::Progress;
use sendbox_tests::certificates::{Authority, self_signed};
use sendbox_tests::peer::{Arrival, Peer, Reply};

use crate::egress_kit::{HOST, Send, at, config_for, get, live, post, secret, test_names};

#[tokio::test]
async fn a_request_over_tls_is_written_as_the_guest_made_it_and_recorded_to_the_byte() {
    let authority = Authority::new();
    let peer = Peer::start_tls(authority.server(HOST), |_| Reply::ok("{\"id\":1}")).await;
    let mut config = config_for(&peer);
    config.plaintext_hosts.clear();
    config.ports = vec![sendbox::egress::PortRange::one(peer.address.port())];
    config.extra_roots = Some(authority.file());
    let egress = live(&config);
    let port = peer.address.port();
    let request = HttpRequest {
        credential: Credential::Bearer("t0ken".to_owned()),
        ..post(
            format!("https://{HOST}:{port}/v1/send?a=b%20c"),
            "application/json",
            "{\"to\":1}",
        )
    };
    let (response, exchange) = Send::default().once(&egress, request).await;
    let response = response.unwrap();
    assert_eq!(
        (response.status, response.body.as_ref()),
        (200, b"{\"id\":1}".as_ref())
    );
    let arrival = peer.arrivals().remove(0);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        arrival.head,
        format!(
            "POST /v1/send?a=b%20c HTTP/1.1\r\nhost: {HOST}:{port}\r\ncontent-type: application/json\r\n\
             authorization: Bearer t0ken\r\naccept-encoding: identity\r\nuser-agent: sendbox/{version}\r\n\
             content-length: 8\r\n\r\n"
        )
    );
    assert_eq!(arrival.body, b"{\"to\":1}");
    assert_eq!(exchange.progress, Progress::Answered);
    assert_eq!((exchange.status, exchange.error), (Some(200), None));
    assert_eq!(
        exchange.bytes_sent,
        (arrival.head.len() + arrival.body.len()) as u64
    );
    assert_eq!(
        exchange.bytes_received,
        "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"id\":1}".len() as u64
    );
    assert_eq!(exchange.peer, Some(peer.address));
    assert_eq!(exchange.source_ip, Some(arrival.source.ip()));
    assert_eq!(
        (exchange.method.as_str(), exchange.authority),
        ("POST", format!("{HOST}:{port}"))
    );
}

/// Gives back the credential, in a header and in the body, and the request's body.
fn echo(arrival: &Arrival) -> Reply {
    let mut lines = arrival.head.lines();
    let line = lines.find(|line| line.starts_with("authorization"));
    let line = line.unwrap_or_default();
    let body = format!("{line} {}", String::from_utf8_lossy(&arrival.body));
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nx-echo: {line}\r\ncontent-length: {length}");
    Reply::Bytes(format!("{head}\r\n\r\n{body}").into_bytes())
}

#[tokio::test]
async fn secrets_are_filled_in_for_their_place_and_taken_out_of_the_answer() {
    let (key, placeholders) = secret("s3cr3t&\"key\"", true, true);
    let peer = Peer::start(echo).await;
    let egress = live(&config_for(&peer));
    let send = Send {
        placeholders,
        ..Send::default()
    };
    let url = at(&peer, &format!("/x?k={key}&z=1"));
    for (content_type, credential) in [
        (
            "application/json; charset=utf-8",
            Credential::Basic("user".into(), key.clone()),
        ),
        (
            "application/x-www-form-urlencoded",
            Credential::Bearer(key.clone()),
        ),
        (
            "text/plain",
            Credential::Header("Authorization".into(), format!("Key {key}")),
        ),
    ] {
        let request = HttpRequest {
            credential,
            ..post(&url, content_type, format!("<{key}>"))
        };
        let response = send.once(&egress, request).await.0.unwrap();
        let told = format!(
            "{:?} {}",
            response.headers,
            String::from_utf8_lossy(&response.body)
        );
        assert!(
            !told.contains("s3cr3t") && !told.contains("czNjcjN0"),
            "{told}"
        );
        assert!(told.contains(&key), "{told}");
    }
    let arrivals = peer.arrivals();
    assert!(arrivals.iter().all(|arrival| {
        arrival
            .head
            .starts_with("POST /x?k=s3cr3t%26%22key%22&z=1 HTTP")
    }));
    let bodies: Vec<_> = arrivals
        .iter()
        .map(|arrival| String::from_utf8_lossy(&arrival.body))
        .collect();
    assert_eq!(
        bodies,
        [
            "<s3cr3t&\\\"key\\\">",
            "<s3cr3t%26%22key%22>",
            "<s3cr3t&\"key\">"
        ]
    );
    assert!(
        arrivals[0]
            .head
            .contains("authorization: Basic dXNlcjpzM2NyM3QmImtleSI=\r\n")
    );
    assert!(
        arrivals[1]
            .head
            .contains("authorization: Bearer s3cr3t&\"key\"\r\n")
    );
    assert!(
        arrivals[2]
            .head
            .contains("authorization: Key s3cr3t&\"key\"\r\n")
    );
}

#[tokio::test]
async fn a_secret_out_of_place_stops_the_request() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    let (key, placeholders) = secret("s3cr3t-key", false, false);
    let send = Send {
        placeholders,
        ..Send::default()
    };
    for request in [
        get(at(&peer, &format!("/?k={key}"))),
        get(at(&peer, &format!("/{key}"))),
        post(at(&peer, "/"), "application/json", key.clone()),
    ] {
        let (response, exchange) = send.once(&egress, request).await;
        assert!(
            matches!(response, Err(EgressError::Invalid(_))),
            "{response:?}"
        );
        assert_eq!(exchange.progress, Progress::Refused);
    }
    let (broken, placeholders) = secret("key\r\nx-evil: 1", false, false);
    let send = Send {
        placeholders,
        ..Send::default()
    };
    let request = HttpRequest {
        credential: Credential::Bearer(broken),
        ..get(at(&peer, "/"))
    };
    assert!(matches!(
        send.once(&egress, request).await.0,
        Err(EgressError::Invalid(_))
    ));
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn no_byte_of_a_request_goes_where_tls_is_not_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let peers = [
        ("expired", Some(authority.expired(HOST))),
        ("self-signed", Some(self_signed(HOST))),
        ("wrong host", Some(authority.server("b.allowed.test"))),
        ("untrusted root", Some(other.server(HOST))),
        ("plaintext", None),
    ];
    for (case, acceptor) in peers {
        let peer = Peer::start_at("127.0.0.1:0".parse().unwrap(), acceptor, |_| {
            Reply::ok("ok")
        })
        .await;
        let port = peer.address.port();
        let mut config = config_for(&peer);
        config.ports = vec![sendbox::egress::PortRange::one(port)];
        config.extra_roots = Some(authority.file());
        let mut send = Send::default();
        send.limits.tls_ms = 500;
        let (response, exchange) = send
            .once(&live(&config), get(format!("https://{HOST}:{port}/")))
            .await;
        assert!(
            matches!(response, Err(EgressError::Tls(_))),
            "{case}: {response:?}"
        );
        assert_eq!(
            (exchange.progress, exchange.bytes_sent),
            (Progress::NotConnected, 0),
            "{case}"
        );
        assert!(peer.arrivals().is_empty(), "{case}");
    }
}

#[tokio::test]
async fn a_captured_request_is_the_one_that_would_have_left() {
    let (key, placeholders) = secret("s3cr3t-key", false, false);
    let answer = |status| Answer::Response {
        status,
        headers: vec![("X-Id".into(), "s3cr3t-key".into())],
        body: "ok".into(),
    };
    let capture = Arc::new(Capture::new(vec![
        answer(202),
        Answer::DnsFailure,
        Answer::UntrustedTls,
        Answer::Garbage,
        Answer::Truncated { status: 200 },
    ]));
    let send = Send {
        placeholders,
        ..Send::default()
    };
    let scope = send.captured(&capture, &test_names());
    let url = format!("https://{HOST}/v1");
    let request = HttpRequest {
        credential: Credential::Bearer(key.clone()),
        ..post(&url, "text/plain", "hi")
    };
    let response = scope.http(request).await.unwrap();
    assert_eq!(
        (response.status, response.headers),
        (202, vec![("x-id".to_owned(), key)])
    );
    for expected in [
        EgressError::Dns,
        EgressError::Tls("the certificate's issuer is not trusted".into()),
        EgressError::Interrupted,
        EgressError::Interrupted,
        EgressError::Connect("no recorded answer is left".into()),
    ] {
        assert_eq!(scope.http(get(&url)).await, Err(expected));
    }
    assert!(scope.http(get("https://other.test/")).await.is_err());
    let progress: Vec<_> = scope
        .wire()
        .exchanges
        .iter()
        .map(|exchange| exchange.progress)
        .collect();
    use Progress::{Answered, Complete, NotConnected, Refused};
    assert_eq!(
        progress,
        [
            Answered,
            NotConnected,
            NotConnected,
            Complete,
            Answered,
            NotConnected,
            Refused
        ]
    );
    let requests = capture.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(
        (requests[0].url.as_str(), requests[0].body.as_ref()),
        (url.as_str(), b"hi".as_ref())
    );
    assert!(
        requests[0]
            .headers
            .contains(&("authorization".to_owned(), "Bearer s3cr3t-key".to_owned()))
    );
    assert_eq!(requests[0].headers[0], ("host".to_owned(), HOST.to_owned()));
}

#[test]
fn unknown_keys_and_malformed_values_of_the_configuration_are_refused() {
    for bad in [
        r#"{"host": []}"#,
        r#"{"ports": [0]}"#,
        r#"{"ports": ["9-1"]}"#,
        r#"{"allow_addresses": ["10.0.0.1/8"]}"#,
    ] {
        assert!(serde_json::from_str::<EgressConfig>(bad).is_err(), "{bad}");
    }
    let good = r#"{"ports": [443, "8000-8999"], "allow_addresses": ["127.0.0.0/8"]}"#;
    assert!(serde_json::from_str::<EgressConfig>(good).is_ok());
}
