//! The program as its operator runs it: a process with a log, signals and an exit status.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::harness::{Answer, call};

const LOOPBACK: &str = r#"["127.0.0.0/8"]"#;

/// The program with the rules of a test's network.
pub fn sendbox(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sendbox"));
    command
        .args(arguments)
        .env("SENDBOX__EGRESS__ALLOW_ADDRESSES", LOOPBACK)
        .env("SENDBOX__EGRESS__PLAINTEXT_HOSTS", LOOPBACK)
        .env("SENDBOX__EGRESS__PORTS", r#"["1-65535"]"#)
        .env("SENDBOX__ENGINE__POOL_SLOTS", "16")
        .env("SENDBOX__NODE_LIMITS__FREE_DISK_BYTES", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A server that listens, and all that it has logged.
pub struct Process {
    pub address: SocketAddr,
    child: Child,
    log: watch::Receiver<Vec<Value>>,
}

impl Process {
    /// Starts it on the data of a folder.
    pub async fn start(data: &Path) -> Self {
        Self::spawn(Self::command(data)).await
    }

    /// What [`Process::start`] runs.
    pub fn command(data: &Path) -> Command {
        let mut command = sendbox(&["serve", "--log-json", "--listen", "127.0.0.1:0", "--data"]);
        command.arg(data);
        command
    }

    /// Runs a command of a server until that listens.
    pub async fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, mut log) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                lines.send_modify(|all| all.push(line));
            }
        });
        let said = log.wait_for(|lines| lines.iter().any(|line| address(line).is_some()));
        let said = said.await.expect("the server does not start");
        let address = said.iter().find_map(address_of).unwrap();
        drop(said);
        Self {
            address,
            child,
            log,
        }
    }

    /// Until a line of the log has these words in its message.
    pub async fn says(&mut self, words: &str) {
        let has = |line: &Value| {
            line["fields"]["message"]
                .as_str()
                .is_some_and(|text| text.contains(words))
        };
        let said = self.log.wait_for(|lines| lines.iter().any(has)).await;
        assert!(said.is_ok(), "it never says: {words}");
    }

    pub async fn call(&self, key: &str, method: &str, path: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let answer = call(self.address, method, path, &headers, body.to_string());
        answer.await.unwrap()
    }

    /// Hands in a message, and waits so many seconds for its first attempt.
    pub async fn send(&self, key: &str, wait: u32) -> Answer {
        let message = json!({ "channel": "email", "to": "ann@example.com", "type": "SignIn", "payload": { "code": "123456" } });
        let path = format!("/v1/messages?wait={wait}");
        self.call(key, "POST", &path, message).await
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Its exit status.
    pub fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Ends it as an operator does.
    pub fn stop(self) {
        self.signal("TERM");
        assert_eq!(self.ended(), Some(0));
    }
}

/// A test that fails leaves no server behind.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(line: &Value) -> Option<&str> {
    line.pointer("/fields/address")?.as_str()
}

fn address_of(line: &Value) -> Option<SocketAddr> {
    address(line)?.parse().ok()
}
