//! The log's reader goes away, stands still or has no space left: nobody waits for it.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use serde_json::{Value, json};

use crate::harness::{House, Provider, call};

/// The server with the log lines `level`, and a shell's `redirection` of them.
async fn start(data: &Path, level: &str, redirection: &str, stderr: Stdio) -> (Child, SocketAddr) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec \"$0\" \"$@\" {redirection}")])
        .args([env!("CARGO_BIN_EXE_sendbox"), "serve", "--log-json"])
        .args(["--listen", &address.to_string(), "--data"])
        .arg(data)
        .env("SENDBOX__EGRESS__ALLOW_ADDRESSES", "[\"127.0.0.0/8\"]")
        .env("SENDBOX__EGRESS__PLAINTEXT_HOSTS", "[\"127.0.0.0/8\"]")
        .env("SENDBOX__EGRESS__PORTS", "[\"1-65535\"]")
        .env("SENDBOX__ENGINE__POOL_SLOTS", "16")
        .env("SENDBOX_LOG", level)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap();
    while call(address, "GET", "/readyz", &[], "").await.is_err() {
        assert_eq!(child.try_wait().unwrap(), None, "the server did not start");
    }
    (child, address)
}

/// A message that a provider takes is reported as sent long before the caller's wait is over.
async fn send(address: SocketAddr, key: &str) {
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let message = json!({ "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "123456" } });
    let path = "/v1/messages?wait=30";
    let began = Instant::now();
    let answer = call(address, "POST", path, &headers, message.to_string()).await;
    assert_eq!(answer.unwrap().expect(202).text_at("/state"), "sent");
    assert!(began.elapsed() < Duration::from_secs(20));
}

/// Ends it as an operator does: it drains, and says so by its status.
fn stop(mut child: Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_costs_its_lines_and_nothing_else() {
    let provider = Provider::accepting().await;
    let house = House::start().await;
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    let folder = house.stop().await;
    let data = folder.path().join("data");

    // No space for its first line; closed at the start.
    for redirection in ["2> /dev/full", "2>&-"] {
        let (child, address) = start(&data, "info", redirection, Stdio::null()).await;
        send(address, &acme).await;
        stop(child);
    }

    // The reader goes away.
    let (reader, writer) = std::io::pipe().unwrap();
    let (child, address) = start(&data, "info", "", writer.into()).await;
    drop(reader);
    send(address, &acme).await;
    stop(child);

    // It stands still: more is logged than the pipe holds.
    let (mut reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let (child, address) = start(&data, "info", "", writer.into()).await;
    for _ in 0..60 {
        send(address, &acme).await;
    }
    // It reads again, and every line is there and whole.
    let log = std::thread::spawn(move || {
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        all
    });
    send(address, &acme).await;
    stop(child);
    let log = log.join().unwrap();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let stopped = |line: &Value| line["fields"]["message"] == "stopped";
    let sent = |line: &&Value| line["fields"]["message"] == "sent";
    assert!(lines.iter().filter(sent).count() >= 61, "{lines:#?}");
    assert!(
        lines.last().is_some_and(stopped),
        "the last line is written, too"
    );

    // One that never reads holds no end.
    let (reader, writer) = std::io::pipe().unwrap();
    let (child, address) = start(&data, "info", "", writer.into()).await;
    send(address, &acme).await;
    stop(child);
    drop(reader);
}
