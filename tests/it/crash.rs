//! SIGKILL, again and again, under load: what was accepted is neither lost nor silently repeated.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use crate::harness::{Answer, Arrival, House, Provider, call};

const MESSAGES: usize = 10_000;
const KILLS: usize = 20;
const CLIENTS: usize = 32;
/// What left in time is read by a provider on a busy machine at most so much later.
const ON_THE_WAY: Duration = Duration::from_secs(5);
/// How long to wait for a sign before looking again.
const PATIENCE: Duration = Duration::from_millis(100);

/// The server as a process of its own, on data that outlives it.
struct Process {
    child: Child,
    /// Counts the starts: whoever meets a dead server waits for the next.
    starts: watch::Sender<usize>,
}

impl Process {
    fn start(data: &Path, address: SocketAddr, starts: watch::Sender<usize>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sendbox"))
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .env("SENDBOX__EGRESS__ALLOW_ADDRESSES", "[\"127.0.0.0/8\"]")
            .env("SENDBOX__EGRESS__PLAINTEXT_HOSTS", "[\"127.0.0.0/8\"]")
            .env("SENDBOX__EGRESS__PORTS", "[\"1-65535\"]")
            .env("SENDBOX__ENGINE__POOL_SLOTS", "64")
            .env("SENDBOX_LOG", "sendbox::cli=info,error")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = log
            .lines()
            .map_while(Result::ok)
            .inspect(|line| eprintln!("{line}"));
        assert!(
            lines.any(|line| line.contains("listening")),
            "the server did not start"
        );
        std::thread::spawn(move || lines.count());
        starts.send_modify(|count| *count += 1);
        Self { child, starts }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM: as an operator ends a server.
    fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Data of a server with one tenant, made in this process for one that will be ended; the tenant's key,
/// and an address that is free to listen on.
async fn set_up(provider: &Provider) -> (String, tempfile::TempDir, SocketAddr) {
    let house = House::start().await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let folder = house.stop().await;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    (key, folder, listener.local_addr().unwrap())
}

/// Every tenth message lives for a second only: the provider must never see it later.
fn is_short(number: usize) -> bool {
    number.is_multiple_of(10)
}

/// Posts until the server has said yes: through refusals and through its deaths.
async fn accepted(
    address: SocketAddr,
    key: &str,
    number: usize,
    mut starts: watch::Receiver<usize>,
) -> Answer {
    let authorization = format!("Bearer {key}");
    let idempotency = format!("message-{number}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("idempotency-key", idempotency.as_str()),
    ];
    let seconds = if is_short(number) { 1 } else { 600 };
    let body = json!({
        "channel": "email", "to": "a@example.com", "type": "SignIn",
        "payload": { "code": number.to_string() }, "expires_in_seconds": seconds,
    })
    .to_string();
    loop {
        starts.mark_unchanged();
        match call(address, "POST", "/v1/messages", &headers, body.clone()).await {
            Ok(answer) if answer.status == 202 => return answer,
            Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
            // Killed before it answered; the new one may be up already.
            Err(_) => drop(tokio::time::timeout(PATIENCE, starts.changed()).await),
        }
    }
}

/// Every message of the tenant with its attempts, once all are in a final state.
async fn finished(
    address: SocketAddr,
    key: &str,
    ids: &HashMap<usize, String>,
    provider: &Provider,
) -> HashMap<usize, Value> {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str())];
    for state in ["accepted", "sending", "waiting"] {
        loop {
            let path = format!("/v1/messages?limit=1&state={state}");
            let page = call(address, "GET", &path, &headers, "")
                .await
                .unwrap()
                .expect(200)
                .json();
            if page["data"].as_array().unwrap().is_empty() {
                break;
            }
            let more = provider.wait_for(provider.count() + 1);
            let _ = tokio::time::timeout(PATIENCE, more).await;
        }
    }
    let mut messages = HashMap::new();
    for (number, id) in ids {
        let message = call(address, "GET", &format!("/v1/messages/{id}"), &headers, "")
            .await
            .unwrap()
            .expect(200);
        messages.insert(*number, message.json());
    }
    messages
}

fn arrivals_by_number(arrivals: &[Arrival]) -> HashMap<usize, Vec<SystemTime>> {
    let mut by_number: HashMap<usize, Vec<SystemTime>> = HashMap::new();
    for arrival in arrivals {
        let number = arrival.json()["payload"]["code"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        by_number.entry(number).or_default().push(arrival.at);
    }
    by_number
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_send_nothing_late_and_mark_every_repeat() {
    let provider = Provider::start(|_| (StatusCode::OK, HeaderMap::new(), "{}".into())).await;
    let (key, folder, address) = set_up(&provider).await;
    let data = folder.path().join("data");
    let (starts, started) = watch::channel(0);
    let mut process = Process::start(&data, address, starts);
    let (next, ids) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Mutex::new(HashMap::new())),
    );
    let (done, mut progress) = watch::channel(0_usize);
    let done = Arc::new(done);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (next, ids, done, key) = (next.clone(), ids.clone(), done.clone(), key.clone());
            let started = started.clone();
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= MESSAGES {
                        return;
                    }
                    let id = accepted(address, &key, number, started.clone())
                        .await
                        .text_at("/id");
                    ids.lock().await.insert(number, id);
                    done.send_modify(|count| *count += 1);
                }
            })
        })
        .collect();
    for kill in 1..=KILLS {
        let at = MESSAGES / (KILLS + 1) * kill;
        progress.wait_for(|count| *count >= at).await.unwrap();
        process.kill();
        process = Process::start(&data, address, process.starts.clone());
    }
    for client in clients {
        client.await.unwrap();
    }
    let ids = ids.lock().await.clone();
    let messages = finished(address, &key, &ids, &provider).await;
    let arrivals = arrivals_by_number(&provider.arrivals());
    judge(&ids, &messages, &arrivals);
    process.kill();
}

fn judge(
    ids: &HashMap<usize, String>,
    messages: &HashMap<usize, Value>,
    arrivals: &HashMap<usize, Vec<SystemTime>>,
) {
    assert_eq!(ids.len(), MESSAGES, "every post was accepted in the end");
    assert_eq!(
        ids.values().collect::<HashSet<_>>().len(),
        MESSAGES,
        "one message for each idempotency key"
    );
    let mut repeats = 0;
    for (number, message) in messages {
        let seen = arrivals.get(number).map_or(0, Vec::len);
        let state = message["state"].as_str().unwrap();
        let short = is_short(*number);
        match state {
            "sent" => assert!(seen >= 1, "{number} is sent, but never arrived: {message}"),
            "expired" => assert!(
                short && seen == 0,
                "{number} expired, but arrived {seen} times: {message}"
            ),
            // The repeat of a message that may have been sent ran out of time: declared, not silent.
            "unknown" => assert!(short, "{number}: {message}"),
            _ => panic!("{number} is {state}: {message}"),
        }
        let marked = message["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|a| a["possible_duplicate"] == true)
            .count();
        assert!(
            seen <= 1 + marked,
            "{number} arrived {seen} times with {marked} repeats marked: {message}"
        );
        repeats += seen.saturating_sub(1);
        let time = |value: &Value| humantime::parse_rfc3339(value.as_str().unwrap()).unwrap();
        let expires = time(&message["expires_at"]);
        for attempt in message["attempts"].as_array().unwrap() {
            let left = |exchange: &Value| {
                exchange["progress"] == "answered" || exchange["progress"] == "complete"
            };
            if attempt["exchanges"].as_array().unwrap().iter().any(left) {
                assert!(
                    time(&attempt["started_at"]) < expires,
                    "{number} was begun late: {message}"
                );
            }
        }
        for at in arrivals.get(number).into_iter().flatten() {
            assert!(
                *at <= expires + ON_THE_WAY,
                "{number} arrived after its expiry: {message}"
            );
        }
    }
    println!("{MESSAGES} messages, {KILLS} kills, {repeats} marked repeats");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_server_finishes_what_is_under_way_and_takes_nothing_new() {
    let (begun, mut under_way) = tokio::sync::mpsc::unbounded_channel();
    let (open, closed) = std::sync::mpsc::channel::<()>();
    let closed = std::sync::Mutex::new(closed);
    let provider = Provider::start(move |_| {
        begun.send(()).unwrap();
        closed.lock().unwrap().recv().unwrap();
        (StatusCode::OK, HeaderMap::new(), "{}".into())
    })
    .await;
    let (key, folder, address) = set_up(&provider).await;
    let data = folder.path().join("data");
    let (starts, started) = watch::channel(0);
    let mut process = Process::start(&data, address, starts);
    // 1 and 2: neither is one of those that live for a second only.
    let mut ids = HashMap::new();
    for number in [1, 2] {
        let answer = accepted(address, &key, number, started.clone()).await;
        ids.insert(number, answer.text_at("/id"));
    }
    under_way.recv().await.unwrap();
    process.terminate();
    while call(address, "GET", "/healthz", &[], "").await.is_ok() {}
    open.send(()).unwrap();
    open.send(()).unwrap();
    assert!(process.child.wait().unwrap().success());
    process = Process::start(&data, address, process.starts.clone());
    for message in finished(address, &key, &ids, &provider).await.values() {
        assert_eq!(message["state"], "sent", "{message}");
        assert_eq!(message["attempt_count"], 1, "{message}");
        assert_eq!(message["possible_duplicate"], false, "{message}");
    }
    assert_eq!(provider.count(), 2);
    process.kill();
}
