//! From where requests leave, which connection they share, and how far they came when it breaks.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sendbox::egress::{Arm, EgressConfig, EgressError};
use sendbox::outcome::Progress;
use sendbox::source::Family;
use sendbox_tests::dns::{DnsServer, Reply as Dns};
use sendbox_tests::peer::{Peer, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::egress_kit::{HOST, Send, at, config_for, get, in_ten_minutes, live, post};

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
async fn an_idle_connection_is_closed_after_its_time_and_when_its_peer_closes_it() {
    // The peer's end is seen to be closed though nobody sends any more.
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&EgressConfig {
        idle_ms: 40,
        ..config_for(&peer)
    });
    let (response, _) = Send::default().once(&egress, get(at(&peer, "/"))).await;
    assert_eq!(response.unwrap().status, 200);
    peer.closed(1).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut config = config_for(&peer);
    config.plaintext_hosts = vec![format!("{HOST}:{port}")];
    let egress = live(&config);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap()
    });
    let url = format!("http://{HOST}:{port}/");
    let (response, _) = Send::default().once(&egress, get(url)).await;
    assert_eq!(response.unwrap().status, 200);
    assert_eq!(server.await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_has_a_greatest_age_however_busy_it_is() {
    for (age, expected) in [(0, [0, 1]), (300_000, [0, 0])] {
        let peer = Peer::start(|_| Reply::ok("ok")).await;
        let egress = live(&EgressConfig {
            connection_age_ms: age,
            ..config_for(&peer)
        });
        for _ in 0..2 {
            let (response, _) = Send::default().once(&egress, get(at(&peer, "/"))).await;
            assert_eq!(response.unwrap().status, 200);
        }
        let connections = peer.arrivals().into_iter().map(|a| a.connection);
        assert_eq!(connections.collect::<Vec<_>>(), expected, "{age}");
    }
}

#[tokio::test]
async fn a_full_pool_lets_go_of_what_was_idle_longest() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&EgressConfig {
        idle_connections: 2,
        ..config_for(&peer)
    });
    for tenant in ["one", "two", "three", "three", "two", "one"] {
        let send = Send {
            tenant,
            ..Send::default()
        };
        let (response, _) = send.once(&egress, get(at(&peer, "/"))).await;
        assert_eq!(response.unwrap().status, 200);
    }
    let connections = peer.arrivals().into_iter().map(|a| a.connection);
    assert_eq!(connections.collect::<Vec<_>>(), [0, 1, 2, 2, 1, 3]);
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
    assert_eq!(response, Err(EgressError::SourceMissing));
    assert_eq!(exchange.progress, Progress::NotConnected);
    let v6 = Send {
        source: Some("::1".parse().unwrap()),
        ..Send::default()
    };
    let (response, _) = v6
        .once(&live(&config_for(&peer)), get(at(&peer, "/")))
        .await;
    assert_eq!(response, Err(EgressError::Family(Family::Ipv6)));
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
async fn an_attempt_is_armed_once_after_the_connection_and_before_the_first_byte() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let egress = live(&config_for(&peer));
    let calls = Arc::new(AtomicUsize::new(0));
    let arm = |answer: bool| -> Arm {
        let (calls, peer) = (Arc::clone(&calls), peer.clone());
        Arc::new(move |_| {
            let (calls, peer) = (Arc::clone(&calls), peer.clone());
            Box::pin(async move {
                // The peer's own count may still be to come; what it never has is a request.
                assert_eq!(peer.arrivals().len(), 0);
                calls.fetch_add(1, Ordering::SeqCst);
                in_ten_minutes().filter(|_| answer)
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
async fn a_request_of_an_armed_attempt_does_not_begin_after_the_attempts_time() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let send = Send {
        arm: Some(Arc::new(|_| Box::pin(async { Some(Instant::now()) }))),
        ..Send::default()
    };
    let (response, exchange) = send
        .once(&live(&config_for(&peer)), get(at(&peer, "/")))
        .await;
    assert_eq!(response, Err(EgressError::NotArmed));
    assert_eq!(exchange.progress, Progress::NotConnected);
    assert!(peer.arrivals().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_is_replaced_only_within_the_attempts_time() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let over = Arc::new(OnceLock::new());
    let until = Arc::clone(&over);
    // To find the way again takes what the attempt has left.
    let dns = DnsServer::start(move |_, _| {
        while until.get().is_some_and(|until| Instant::now() < *until) {
            std::thread::yield_now();
        }
        Dns::Addresses(vec![[127, 0, 0, 1].into()])
    })
    .await;
    let mut config = config_for(&Peer::start(|_| Reply::Silence).await);
    config.hosts.clear();
    config.name_servers = vec![dns.address];
    config.plaintext_hosts = vec![format!("{HOST}:{port}")];
    let egress = live(&config);
    let (close, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (closed, go) = (Arc::clone(&close), Arc::clone(&gone));
    let served = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        answered(&mut first).await;
        closed.notified().await;
        first.set_zero_linger().unwrap();
        drop(first);
        go.notify_one();
        let (mut second, _) = listener.accept().await.unwrap();
        answered(&mut second).await
    });
    let url = format!("http://{HOST}:{port}/");
    let first = Send::default().live(&egress).http(get(&url)).await;
    assert_eq!(first.unwrap().status, 200);
    let send = Send {
        arm: Some(Arc::new(move |_| {
            let (close, gone) = (Arc::clone(&close), Arc::clone(&gone));
            let over = Arc::clone(&over);
            Box::pin(async move {
                close.notify_one();
                gone.notified().await;
                Some(*over.get_or_init(|| Instant::now() + Duration::from_millis(300)))
            })
        })),
        ..Send::default()
    };
    let late = send.live(&egress).http(get(&url)).await;
    assert_eq!(late, Err(EgressError::NotArmed));
    drop(egress);
    assert_eq!(served.await.unwrap(), 0, "a byte was sent all the same");
}

/// Reads once and says 200; how many bytes came.
async fn answered(stream: &mut TcpStream) -> usize {
    let read = stream.read(&mut [0; 4_096]).await.unwrap();
    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    // Who has gone does not hear it.
    let _ = stream.write_all(ok).await;
    read
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
