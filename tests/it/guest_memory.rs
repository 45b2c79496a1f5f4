//! The memory of all guests: one tenant's take no more than their share, others send on, and a server in a small
//! control group lives.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sendbox::connector::{EngineConfig, GuestClock};
use sendbox::limits::Limits;
use sendbox_tests::guests;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::alone::{alone, status};
use crate::harness::{Answer, House, Provider, call};
use crate::sandbox::Sandbox;

/// Bytes of the control group that the server is put into.
const GROUP: u64 = 256 << 20;
const STUCK: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_guests_get_their_share_of_the_memory_and_others_send_on() {
    let config = EngineConfig {
        guest_memory: Some(64 << 20),
        ..EngineConfig::default()
    };
    let sandbox = Arc::new(Sandbox::of(config).await);
    let perform = |tenant: &'static str, act: &'static str, limits: Limits| {
        let sandbox = sandbox.clone();
        async move {
            let clock = GuestClock::System;
            let (acts, sandbox) = (sandbox.acts.clone(), sandbox);
            sandbox.perform_for(tenant, &acts, act, limits, clock).await
        }
    };
    let mut bombs = JoinSet::new();
    for _ in 0..24 {
        bombs.spawn(perform("mallory", "memory-bomb", Limits::default()));
    }
    let (mut answered, mut stopped) = (0, 0);
    while !bombs.is_empty() {
        let echo = perform("alice", "echo", Limits::default()).await;
        assert!(echo.report.result.is_ok(), "{:?}", echo.report.result);
        answered += 1;
        while let Some(ended) = bombs.try_join_next() {
            let ended = ended.unwrap();
            // Of 32 MiB that all may take, 24 are a tenant's: less than one guest may have.
            assert_eq!(ended.failure().0, "limit.guest-memory");
            assert!(ended.report.used.memory < 24 << 20);
            stopped += 1;
        }
    }
    assert!(answered > 0 && stopped == 24);
    assert_eq!(sandbox.runtime.shared_memory(), (32 << 20, 0));
}

#[tokio::test]
async fn a_guest_that_finds_no_room_waits_for_it_and_says_so_when_there_is_none() {
    let config = EngineConfig {
        guest_memory: Some(16 << 20),
        ..EngineConfig::default()
    };
    let sandbox = Arc::new(Sandbox::of(config).await);
    let within = |wall_ms| Limits {
        wall_ms,
        ..Limits::default()
    };
    // Each sleeper holds some two MiB: a tenant has six.
    let mut sleepers = JoinSet::new();
    for _ in 0..8 {
        let sandbox = sandbox.clone();
        sleepers.spawn(async move { sandbox.perform_under("sleep", within(1_500)).await });
    }
    tokio::task::yield_now().await;
    let late = sandbox.perform_under("echo", within(50)).await;
    assert_eq!(late.failure().0, "limit.guest-memory");
    assert!(late.failure().1.contains("engine.guest_memory"));
    let clock = GuestClock::System;
    let other = sandbox.perform_for("other", &sandbox.acts, "echo", within(5_000), clock);
    assert!(other.await.report.result.is_ok());
    // Room comes free.
    let patient = sandbox.perform_under("echo", within(10_000)).await;
    assert!(patient.report.result.is_ok(), "{:?}", patient.report.result);
    while let Some(ended) = sleepers.join_next().await {
        let ended = ended.unwrap();
        assert!(["limit.wall", "limit.guest-memory"].contains(&ended.failure().0));
    }
}

#[test]
fn resident_memory_comes_back_after_a_storm() {
    alone(
        "guest_memory::resident_memory_comes_back_after_a_storm",
        storm,
    );
}

/// As many guests at once as have their memory given back together, and no other send after them.
async fn storm() {
    const GUESTS: u64 = 24;
    let limits = Limits {
        memory: 24 << 20,
        cpu_ms: 2_000,
        ..Limits::default()
    };
    let config = EngineConfig {
        guest_memory: Some(8 << 30),
        ..EngineConfig::default()
    };
    let sandbox = Arc::new(Sandbox::of(config).await);
    assert!(sandbox.perform("echo").await.report.result.is_ok());
    let before = status("VmRSS");
    let mut bombs = JoinSet::new();
    for _ in 0..GUESTS {
        let (sandbox, limits) = (sandbox.clone(), limits.clone());
        bombs.spawn(async move { sandbox.perform_under("memory-bomb", limits).await });
    }
    while let Some(ended) = bombs.join_next().await {
        let ended = ended.unwrap();
        assert_eq!(ended.failure().0, "limit.memory");
        assert!(ended.report.used.memory > 20 << 20);
    }
    let left = status("VmRSS").saturating_sub(before);
    println!("{left} KiB of {} MiB are left", GUESTS * 24);
    // Each slot keeps a MiB, and what is not the guests' own is there too.
    assert!(left < GUESTS * 2 * 1024, "{left} KiB");
}

/// A control group of its own, of either version.
struct Group {
    folder: PathBuf,
    version: u8,
}

impl Group {
    /// One of so many bytes, where this process may make it.
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("sendbox-test-{}", std::process::id());
        let places = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", 1),
            ("/sys/fs/cgroup", "memory.max", 2),
        ];
        places.into_iter().find_map(|(top, limit, version)| {
            let group = Self {
                folder: Path::new(top).join(&name),
                version,
            };
            fs::create_dir(&group.folder).ok()?;
            // Nothing is swapped out in place of what is refused.
            let _ = fs::write(group.folder.join("memory.swap.max"), "0");
            fs::write(group.folder.join(limit), bytes.to_string()).ok()?;
            Some(group)
        })
    }

    /// Processes that the kernel ended here for want of memory.
    fn killed(&self) -> u64 {
        let file = match self.version {
            1 => "memory.oom_control",
            _ => "memory.events",
        };
        let events = fs::read_to_string(self.folder.join(file)).unwrap();
        let killed = events
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "));
        killed.map_or(0, |count| count.trim().parse().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The program in a control group, ended with the test.
struct Program {
    child: Child,
    address: std::net::SocketAddr,
}

impl Program {
    fn start(group: &Group, data: &Path) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let loopback = "[\"127.0.0.0/8\"]";
        let mut child = Command::new("sh")
            .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
            .arg(group.folder.join("cgroup.procs"))
            .arg(env!("CARGO_BIN_EXE_sendbox"))
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .env("SENDBOX__EGRESS__ALLOW_ADDRESSES", loopback)
            .env("SENDBOX__EGRESS__PLAINTEXT_HOSTS", loopback)
            .env("SENDBOX__EGRESS__PORTS", "[\"1-65535\"]")
            .env("SENDBOX_LOG", "sendbox::cli=info,error")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines().map_while(Result::ok);
        let listens = lines.by_ref().any(|line| line.contains("listening"));
        assert!(listens, "the program does not start");
        std::thread::spawn(move || lines.count());
        Self { child, address }
    }

    async fn call(&self, key: &str, method: &str, path: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {key}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let called = call(self.address, method, path, &headers, body.to_string());
        let called = tokio::time::timeout(STUCK, called).await;
        called
            .expect("an answer in time")
            .expect("the program answers")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tenant with the guest that takes all the memory that it gets.
async fn mallory(house: &House) -> String {
    house.upload(guests::ACTS).await.expect(201);
    house
        .operate("PUT", "/v1/tenants/mallory", json!({}))
        .await
        .expect(201);
    let settings = json!({ "act": "memory-bomb", "secret": "hunter2-hunter2", "url": "https://echo.example.com/" });
    house.integrate("mallory", "bomb", "acts", settings).await;
    let route = json!({ "integrations": ["bomb"] });
    house
        .operate("PUT", "/v1/tenants/mallory/routes/sms", route)
        .await
        .expect(200);
    house.key("mallory").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenants_memory_bombs_do_not_end_a_server_in_a_small_control_group() {
    let Some(group) = Group::new(GROUP) else {
        eprintln!("skipped: no control group of its own can be made here");
        return;
    };
    let provider = Provider::accepting().await;
    let house = House::start().await;
    let endpoint = format!("http://{}/", provider.address);
    let alice = house.tenant("alice", &endpoint, None).await;
    let mallory = mallory(&house).await;
    let folder = house.stop().await;
    let program = Arc::new(Program::start(&group, &folder.path().join("data")));

    let mut storm = JoinSet::new();
    for number in 0..60 {
        let (program, mallory) = (program.clone(), mallory.clone());
        storm.spawn(async move {
            let to = format!("1415555{number:04}");
            let message = json!({ "channel": "sms", "to": to, "type": "Generic", "payload": { "code": "1" } });
            program.call(&mallory, "POST", "/v1/messages", &message).await;
            let test = json!({ "to": to });
            let path = "/v1/tenants/mallory/integrations/bomb/test";
            program.call(&mallory, "POST", path, &test).await;
        });
    }
    let mut sent = 0;
    while !storm.is_empty() || sent < 20 {
        let message = json!({
            "channel": "email", "to": "you@example.com", "type": "SignIn", "payload": { "code": "123456" }
        });
        let answer = program
            .call(&alice, "POST", "/v1/messages?wait=60", &message)
            .await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.text_at("/state"), "sent", "{}", answer.text);
        sent += 1;
        while let Some(ended) = storm.try_join_next() {
            ended.unwrap();
        }
    }
    assert_eq!(provider.count(), sent);
    assert_eq!(group.killed(), 0);
}
