//! One exchange as it stands on the wire: what is sent, from where, on which connection, and how far it came.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sendbox::egress::{Answer, Arm, Capture, Credential, EgressConfig, EgressError, HttpRequest};
use sendbox::outcome::Progress;
use sendbox_tests::certificates::{Authority, self_signed};
use sendbox_tests::peer::{Peer, Reply};

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

#[tokio::test]
async fn requests_leave_from_their_source_and_a_kept_connection_serves_its_own_key_alone() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    let address = |last: u8| Some(IpAddr::from([127, 0, 0, last]));
    let sends = [
        ("acme", 2),
        ("acme", 3),
        ("globex", 2),
        ("acme", 2),
        ("globex", 2),
        ("acme", 3),
    ];
    for (tenant, last) in sends {
        let send = Send {
            tenant,
            source: address(last),
            ..Send::default()
        };
        let (response, exchange) = send.once(&egress, get(at(&peer, "/"))).await;
        assert_eq!(response.unwrap().status, 200);
        assert_eq!(exchange.source_ip, address(last));
    }
    let seen: Vec<_> = peer
        .arrivals()
        .iter()
        .map(|a| (a.connection, a.source.ip().to_string()))
        .collect();
    let expected = [
        (0, "127.0.0.2"),
        (1, "127.0.0.3"),
        (2, "127.0.0.2"),
        (0, "127.0.0.2"),
        (2, "127.0.0.2"),
        (1, "127.0.0.3"),
    ];
    assert_eq!(
        seen,
        expected.map(|(connection, source)| (connection, source.to_owned()))
    );
}

#[tokio::test]
async fn integrations_and_revisions_share_no_connection_and_an_old_revisions_is_closed() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    for (integration, revision) in [("mail", 1), ("other", 1), ("mail", 1), ("mail", 2)] {
        let send = Send {
            integration,
            revision,
            ..Send::default()
        };
        send.once(&egress, get(at(&peer, "/"))).await.0.unwrap();
    }
    let connections: Vec<_> = peer
        .arrivals()
        .iter()
        .map(|arrival| arrival.connection)
        .collect();
    assert_eq!(connections, [0, 1, 0, 2]);
    peer.closed(1).await;
}

#[tokio::test]
async fn a_source_that_is_not_on_this_machine_fails_closed() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let send = Send {
        source: Some(IpAddr::from([203, 0, 113, 9])),
        ..Send::default()
    };
    let (response, exchange) = send
        .once(&live(&config_for(&peer)), get(at(&peer, "/")))
        .await;
    assert!(matches!(response, Err(EgressError::Connect(_))));
    assert_eq!(exchange.progress, Progress::NotConnected);
    let v6 = Send {
        source: Some("::1".parse().unwrap()),
        ..Send::default()
    };
    let (response, _) = v6
        .once(&live(&config_for(&peer)), get(at(&peer, "/")))
        .await;
    assert!(
        matches!(response, Err(EgressError::Connect(_))),
        "no address of the source's family"
    );
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn the_next_judged_address_is_tried_when_one_refuses() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let mut config = config_for(&peer);
    config.hosts.insert(
        HOST.to_owned(),
        vec![[127, 0, 0, 9].into(), peer.address.ip()],
    );
    let (response, exchange) = Send::default()
        .once(&live(&config), get(at(&peer, "/")))
        .await;
    assert_eq!(response.unwrap().status, 200);
    assert_eq!(exchange.peer, Some(peer.address));
}

#[tokio::test]
async fn secrets_are_filled_in_for_their_place_and_taken_out_of_the_answer() {
    let value = "s3cr3t&\"key\"";
    let (key, placeholders) = secret(value, true, true);
    let echo = |arrival: &sendbox_tests::peer::Arrival| {
        let line = arrival
            .head
            .lines()
            .find(|line| line.starts_with("authorization"))
            .unwrap_or_default();
        let body = format!("{line} {}", String::from_utf8_lossy(&arrival.body));
        Reply::Bytes(
            format!(
                "HTTP/1.1 200 OK\r\nx-echo: {line}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    };
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
async fn an_attempt_is_armed_once_after_the_connection_and_before_the_first_byte() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    let calls = Arc::new(AtomicUsize::new(0));
    let arm = |answer: bool| -> Arm {
        let (calls, peer) = (Arc::clone(&calls), peer.clone());
        Arc::new(move || {
            let (calls, peer) = (Arc::clone(&calls), peer.clone());
            Box::pin(async move {
                // The peer's own count may still be to come; what it never has is a request.
                assert_eq!(peer.arrivals().len(), 0);
                calls.fetch_add(1, Ordering::SeqCst);
                answer
            })
        })
    };
    let refused = Send {
        arm: Some(arm(false)),
        ..Send::default()
    }
    .live(&egress);
    for _ in 0..2 {
        assert_eq!(
            refused.http(get(at(&peer, "/"))).await,
            Err(EgressError::NotArmed)
        );
    }
    assert!(
        refused
            .wire()
            .exchanges
            .iter()
            .all(|exchange| exchange.progress == Progress::NotConnected)
    );
    let armed = Send {
        arm: Some(arm(true)),
        ..Send::default()
    }
    .live(&egress);
    for _ in 0..2 {
        assert!(armed.http(get(at(&peer, "/"))).await.is_ok());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(peer.arrivals().len(), 2);
    let denied = Send {
        arm: Some(arm(true)),
        ..Send::default()
    }
    .live(&egress);
    assert!(denied.http(get("https://other.test/")).await.is_err());
    assert_eq!(
        calls.load(Ordering::SeqCst),
        2,
        "a denied request arms nothing"
    );
}

#[tokio::test]
async fn a_request_without_an_answer_is_complete_and_never_repeated() {
    let peer = Peer::start(|_| Reply::Close(Vec::new())).await;
    let egress = live(&config_for(&peer));
    let (response, exchange) = Send::default()
        .once(&egress, post(at(&peer, "/"), "text/plain", "x"))
        .await;
    assert_eq!(response, Err(EgressError::Interrupted));
    assert_eq!(exchange.progress, Progress::Complete);
    assert_eq!(exchange.error.as_deref(), Some("egress.interrupted"));
    assert_eq!(peer.arrivals().len(), 1);
}

#[tokio::test]
async fn an_idle_connection_that_its_peer_closed_is_replaced() {
    let peer =
        Peer::start(|_| Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()))
            .await;
    let egress = live(&config_for(&peer));
    for round in 0..5 {
        let (response, exchange) = Send::default().once(&egress, get(at(&peer, "/"))).await;
        assert_eq!(response.unwrap().status, 200);
        assert_eq!(exchange.progress, Progress::Answered);
        peer.closed(round + 1).await;
    }
    assert_eq!(peer.arrivals().len(), 5);
}

#[tokio::test]
async fn a_connection_that_said_close_or_more_than_its_answer_is_not_used_again() {
    let replies: [&[u8]; 3] = [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    ];
    for reply in replies {
        let peer = Peer::start(move |_| Reply::Bytes(reply.to_vec())).await;
        let egress = live(&config_for(&peer));
        for _ in 0..2 {
            let response = Send::default()
                .once(&egress, get(at(&peer, "/")))
                .await
                .0
                .unwrap();
            assert_eq!(response.body.as_ref(), b"ok");
        }
        assert_eq!(peer.connections(), 2);
    }
}

#[tokio::test]
async fn the_record_is_right_when_the_guest_does_not_live_to_see_the_answer() {
    let peer = Peer::start(|_| Reply::Silence).await;
    let egress = live(&config_for(&peer));
    let scope = Arc::new(Send::default().live(&egress));
    let sender = Arc::clone(&scope);
    let request = get(at(&peer, "/"));
    let task = tokio::spawn(async move { sender.http(request).await });
    peer.received(1).await;
    assert_eq!(
        scope.wire().exchanges[0].progress,
        Progress::Complete,
        "while it waits"
    );
    task.abort();
    assert!(task.await.is_err());
    let exchange = scope.wire().exchanges.remove(0);
    assert_eq!(exchange.progress, Progress::Complete);
    assert_eq!(exchange.error.as_deref(), Some("egress.abandoned"));
    peer.closed(1).await;
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
