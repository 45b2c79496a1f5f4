//! What one send may use of the network, and how hostile answers end.

use sendbox::egress::EgressError;
use sendbox::limits::Limit;
use sendbox::outcome::Progress;
use sendbox_tests::peer::{Peer, Reply};

use crate::egress_kit::{HOST, Send, at, config_for, get, live, post};

async fn answered(
    reply: Reply,
    send: &Send,
) -> (
    Result<sendbox::egress::HttpResponse, EgressError>,
    sendbox::outcome::Exchange,
) {
    let peer = Peer::start(move |_| reply.clone()).await;
    send.once(&live(&config_for(&peer)), get(at(&peer, "/")))
        .await
}

fn limit(result: Result<sendbox::egress::HttpResponse, EgressError>) -> Limit {
    match result {
        Err(EgressError::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn requests_and_hosts_are_counted_over_the_whole_send() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let mut config = config_for(&peer);
    let url = |name: &str| format!("http://{name}:{}/", peer.address.port());
    for name in ["a.test", "b.test"] {
        config
            .plaintext_hosts
            .push(name.to_owned() + ":" + &peer.address.port().to_string());
        config
            .hosts
            .insert(name.to_owned(), vec![peer.address.ip()]);
    }
    let mut send = Send {
        hosts: vec!["a.test".into(), "b.test".into(), HOST.into()],
        ..Send::default()
    };
    send.limits.hosts = 2;
    send.limits.requests = 4;
    let scope = send.live(&live(&config));
    assert!(scope.http(get(url("a.test"))).await.is_ok());
    assert!(scope.http(get(url("b.test"))).await.is_ok());
    assert_eq!(limit(scope.http(get(url(HOST))).await), Limit::Hosts);
    assert!(scope.http(get(url("a.test"))).await.is_ok());
    assert_eq!(limit(scope.http(get(url("a.test"))).await), Limit::Requests);
    let progress: Vec<_> = scope
        .wire()
        .exchanges
        .iter()
        .map(|exchange| exchange.progress)
        .collect();
    use Progress::{Answered, Refused};
    assert_eq!(progress, [Answered, Answered, Refused, Answered, Refused]);
    assert_eq!(peer.arrivals().len(), 3);
}

#[tokio::test]
async fn a_request_over_a_size_is_refused_before_it_is_dialled() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    let mut send = Send::default();
    send.limits.request_body = 10;
    let (result, exchange) = send
        .once(&egress, post(at(&peer, "/"), "text/plain", "12345678901"))
        .await;
    assert_eq!(
        (limit(result), exchange.progress),
        (Limit::RequestBody, Progress::Refused)
    );
    let mut many = get(at(&peer, "/"));
    many.headers = (0..5)
        .map(|index| (format!("x-{index}"), "y".repeat(7_000)))
        .collect();
    assert_eq!(limit(send.once(&egress, many).await.0), Limit::HeaderSize);
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_response_over_a_limit_ends_the_exchange_and_its_connection() {
    let mut send = Send::default();
    send.limits.response_body = 1_000;
    let headers = |count: usize| "x-a: b\r\n".repeat(count);
    let long = "y".repeat(70_000);
    for (case, reply) in [
        (
            "too many headers",
            Reply::Bytes(format!("HTTP/1.1 200 OK\r\n{}\r\n", headers(101)).into()),
        ),
        (
            "too large a head",
            Reply::Bytes(format!("HTTP/1.1 200 OK\r\nx-a: {long}\r\n\r\n").into()),
        ),
        ("too large a body", Reply::ok(&"z".repeat(1_001))),
        (
            "endless chunks",
            Reply::Endless(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n".to_vec(),
            ),
        ),
        (
            "endless body",
            Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\nabc".to_vec()),
        ),
    ] {
        let (result, exchange) = answered(reply, &send).await;
        let expected = if case == "endless chunks" {
            EgressError::Interrupted
        } else {
            EgressError::ResponseTooLarge
        };
        assert_eq!(result, Err(expected), "{case}");
        assert!(exchange.progress >= Progress::Complete, "{case}");
    }
}

#[tokio::test]
async fn a_response_that_breaks_the_protocol_is_told_from_one_that_breaks_off() {
    for (case, reply) in [
        ("no HTTP", Reply::Bytes(b"220 mail.example ESMTP\r\n\r\n".to_vec())),
        ("short body", Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec())),
        ("two lengths", Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_vec())),
        ("a switch of protocols", Reply::Bytes(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec())),
        ("nine interim responses", Reply::Bytes(("HTTP/1.1 102 Processing\r\n\r\n".repeat(9) + "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").into())),
    ] {
        let (result, exchange) = answered(reply, &Send::default()).await;
        let error = match case {
            "short body" => EgressError::Interrupted,
            _ => EgressError::Malformed,
        };
        assert_eq!(result, Err(error), "{case}");
        assert!(exchange.progress >= Progress::Complete, "{case}");
    }
    let eight = "HTTP/1.1 102 Processing\r\n\r\n".repeat(8)
        + "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(
        answered(Reply::Bytes(eight.into()), &Send::default())
            .await
            .0
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn a_peer_that_never_answers_ends_at_the_first_byte_timeout_or_the_deadline() {
    let mut send = Send::default();
    send.limits.first_byte_ms = 30;
    let (result, exchange) = answered(Reply::Silence, &send).await;
    assert_eq!(
        (result, exchange.progress),
        (Err(EgressError::Timeout), Progress::Complete)
    );
    let send = Send {
        deadline: std::time::Duration::from_millis(50),
        ..Send::default()
    };
    let (result, exchange) = answered(
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab".to_vec()),
        &send,
    )
    .await;
    assert_eq!(result, Err(EgressError::Timeout));
    assert_eq!(
        (exchange.progress, exchange.status),
        (Progress::Answered, Some(200))
    );
    let peer = Peer::start(|_| Reply::Silence).await;
    let mut request = get(at(&peer, "/"));
    request.timeout = Some(std::time::Duration::from_millis(30));
    let (result, _) = Send::default()
        .once(&live(&config_for(&peer)), request)
        .await;
    assert_eq!(result, Err(EgressError::Timeout), "the guest's own timeout");
}

#[tokio::test]
async fn a_compressed_answer_is_passed_on_as_it_is_and_cookies_are_kept_by_nobody() {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nset-cookie: a=b\r\ncontent-length: 3\r\n\r\n";
    let reply = [head.as_bytes(), &[0x1f, 0x8b, 0x08]].concat();
    let peer = Peer::start(move |_| Reply::Bytes(reply.clone())).await;
    let egress = live(&config_for(&peer));
    for _ in 0..2 {
        let response = Send::default()
            .once(&egress, get(at(&peer, "/")))
            .await
            .0
            .unwrap();
        assert_eq!(response.body.as_ref(), [0x1f, 0x8b, 0x08]);
    }
    assert!(
        peer.arrivals()
            .iter()
            .all(|arrival| !arrival.head.contains("cookie"))
    );
}
