//! A server's start and end: what is refused before it listens, and which signals do what.

use std::ffi::OsString;
use std::fs;
use std::net::TcpStream;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use crate::harness::{Held, House, Provider, patient};
use crate::process::{Process, sendbox};

/// Exit status and standard error of a command that ends by itself.
fn run(arguments: &[&str], variable: (&str, OsString)) -> (Option<i32>, String) {
    let output = sendbox(arguments).env(variable.0, variable.1).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn what_config_check_refuses_no_server_starts_with() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    for (key, value, words) in [
        ("delivery.concurrency", "0", "less than the minimum of 1"),
        (
            "delivery.tenant_concurrency",
            "0",
            "less than the minimum of 1",
        ),
        ("delivery.time_to_live_ms", "0", "less than the minimum"),
        (
            "delivery.concurrency",
            "4000000000000000000",
            "more than the hard maximum",
        ),
        (
            "egress.smtp_sessions",
            "4000000000000000000",
            "more than the hard maximum",
        ),
        ("limits.memory", "0", "less than the minimum"),
        ("limits.requests", "0", "less than the minimum"),
        (
            "tenant_limits.messages_per_second",
            "0",
            "less than the minimum of 1",
        ),
        ("engine.pool_slots", "0", "less than the minimum of 1"),
        ("node_limits.connections", "0", "less than the minimum"),
        (
            "store.retention_ms",
            "1",
            "less than the minimum of 86400000",
        ),
        ("egress.extra_roots", "\"/missing.pem\"", "/missing.pem"),
        (
            "egress.plaintext_hosts",
            "[\"http://x.example\"]",
            "use 'x.example'",
        ),
        ("egress.special_names", "[\"a_b\"]", "'a_b' is no host name"),
        (
            "egress.hosts",
            "{ \"a_b\" = [\"192.0.2.1\"] }",
            "'a_b' is no host name",
        ),
        ("egress.allowed_hosts", "[\"a.*.example\"]", "wildcard"),
        ("server.drain_ms", "\"soon\"", "expected u64"),
    ] {
        let name = format!("SENDBOX__{}", key.to_uppercase().replace('.', "__"));
        let variable = || (name.as_str(), OsString::from(value));
        let (status, said) = run(&["config", "check", "--data", data], variable());
        assert_eq!(status, Some(78), "{key} = {value}: {said}");
        let field = key.split_once('.').unwrap().1;
        assert!(
            said.contains(field) && said.contains(words),
            "{key}: {said}"
        );
        let served = run(
            &["serve", "--data", data, "--listen", "127.0.0.1:0"],
            variable(),
        );
        assert_eq!(served, (status, said), "{key}");
    }
    assert!(!Path::new(data).exists(), "nothing was made");
    // An operator may open a network's own names.
    let wide = OsString::from(r#"["*.internal", "*.test"]"#);
    let (status, said) = run(
        &["config", "check"],
        ("SENDBOX__EGRESS__ALLOWED_HOSTS", wide),
    );
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn a_variable_that_is_no_utf_8_matters_only_if_it_is_ours() {
    let broken = || OsString::from_vec(b"caf\xe9".to_vec());
    assert_eq!(run(&["config", "check"], ("NAME", broken())).0, Some(0));
    let (status, said) = run(&["config", "check"], ("SENDBOX__SERVER__LISTEN", broken()));
    assert_eq!(status, Some(78), "{said}");
    assert!(
        said.contains("server.listen") && said.contains("not UTF-8"),
        "{said}"
    );
    // Compose writes what is not set as an empty variable.
    for name in ["SENDBOX_CONFIG", "SENDBOX_LOG"] {
        assert_eq!(
            run(&["config", "check"], (name, OsString::new())).0,
            Some(0),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_signals_end_a_server_that_mean_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Process::start(folder.path()).await;
    for name in ["HUP", "USR1", "USR2", "ALRM"] {
        server.signal(name);
    }
    assert_eq!(
        server.call("", "GET", "/healthz", ().into()).await.status,
        200
    );
    server.signal("QUIT");
    server.says("draining").await;
    assert_eq!(server.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_drain_at_once() {
    let mut held = Held::start().await;
    let house = House::start_with(sendbox::time::Clock::System, patient).await;
    let acme = house.tenant("acme", &held.endpoint(), None).await;
    let folder = house.stop().await;
    let mut server = Process::start(&folder.path().join("data")).await;
    server.send(&acme, 0).await.expect(202);
    held.arrived(1).await;
    server.signal("TERM");
    server.says("draining").await;
    server.signal("INT");
    assert_eq!(server.ended(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_takes_the_descriptors_that_it_may_have() {
    let provider = Provider::accepting().await;
    let house = House::start().await;
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    let folder = house.stop().await;
    let data = folder.path().join("data");
    let mut command = Process::command(&data);
    limit(&mut command, "--nofile=256:4096");
    let mut server = Process::spawn(command).await;
    server.says("the limit of open files is too small").await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = files.unwrap().split_whitespace().collect();
    assert_eq!(words[3..5], ["4096", "4096"]);
    // More connections that say nothing than the soft limit was.
    let silent: Vec<_> = (0..400)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    let sent = server.send(&acme, 30).await.expect(202);
    assert_eq!(sent.text_at("/state"), "sent");
    drop(silent);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn address_space_that_is_too_small_is_said_with_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Process::command(&folder.path().join("data"));
    limit(&mut command, "--as=60000000000");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("LimitAS") && said.contains("engine.pool_slots lower"),
        "{said}"
    );
    command
        .env("SENDBOX__ENGINE__POOL_SLOTS", "2")
        .env("SENDBOX__ENGINE__LARGE_POOL_SLOTS", "1");
    Process::spawn(command).await.stop();
}

/// Runs a command under a limit of the system.
fn limit(command: &mut std::process::Command, words: &str) {
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let variables: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let mut limited = std::process::Command::new("prlimit");
    limited
        .arg(words)
        .arg(program)
        .args(arguments)
        .envs(variables)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    *command = limited;
}
