//! The acts, good and bad.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sendbox_guest::wasm::guest::{ConnectorInfo, Failure, Receipt};
use sendbox_guest::wasm::sendbox::connector::http::{Credential, HttpError, Request, send};
use sendbox_guest::wasm::sendbox::connector::log::{Level, log};
use sendbox_guest::wasm::sendbox::connector::types::{Channel, FailureKind, SecretGrant};

const DECLARED: &str = "https://echo.example.com/";

pub(crate) fn describe() -> ConnectorInfo {
    ConnectorInfo {
        id: "acts".into(),
        channel: Channel::Sms,
        version: "1.0.0".into(),
        titles: vec![("en".into(), "Acts".into())],
        descriptions: vec![],
        settings_schema: r#"{"type":"object","properties":{"act":{"type":"string"},"look_for":{"type":"string"},"secret":{"type":"string","writeOnly":true,"x-derivations":1},"ungranted":{"type":"string","writeOnly":true},"url":{"type":"string"},"marker":{"type":"string"}}}"#.into(),
        hosts: vec!["echo.example.com".into(), "{settings:/url}".into()],
        secret_grants: vec![SecretGrant {
            setting: "/secret".into(),
            query: false,
            body: false,
            signing: true,
        }],
        readme: String::new(),
    }
}

pub(crate) fn perform(settings: &str) -> Result<Receipt, Failure> {
    let is = |act: &str| settings.contains(&format!("\"act\":\"{act}\""));
    match () {
        () if is("echo") => fetch(DECLARED),
        () if is("clock") => Ok(clock()),
        () if is("wasi-http") => crate::fetch::post(DECLARED).map(told).map_err(failed),
        () if is("wasi-http-undeclared") => crate::fetch::post("https://other.example.net/")
            .map(told)
            .map_err(failed),
        () if is("wasi-http-wrong-length") => crate::fetch::post_wrong_length(DECLARED)
            .map(told)
            .map_err(failed),
        () if is("wasi-http-forgotten") => {
            crate::fetch::forget(DECLARED);
            Ok(told("left".into()))
        }
        () if is("wasi-http-unsent") => {
            crate::fetch::write_unsent(DECLARED);
            Ok(told("wrote".into()))
        }
        () if is("leak") => Err(leak(settings)),
        () if is("endless-loop") => endless_loop(),
        () if is("memory-bomb") => memory_bomb(),
        () if is("deep-recursion") => Ok(told(recurse(0).to_string())),
        () if is("large-result") => Ok(told("x".repeat(1 << 20))),
        () if is("huge-result") => Ok(told("x".repeat(16 << 20))),
        () if is("log-flood") => log_flood(),
        () if is("request-flood") => request_flood(),
        () if is("resource-flood") => crate::floods::resources(),
        () if is("random-flood") => Ok(told(crate::floods::random())),
        () if is("blank-lines") => crate::floods::blank_lines(),
        () if is("placeholders") => crate::floods::placeholders(settings, DECLARED),
        () if is("tiny-requests") => crate::floods::tiny_requests(),
        () if is("wasi-flood") => crate::floods::forgotten_requests(DECLARED),
        () if is("held-request") => Ok(told(crate::floods::held(settings))),
        () if is("trap-with-secret") => crate::floods::trap_with_secret(settings, DECLARED),
        () if is("retry-in-years") => Err(Failure {
            retry_after: Some(u64::MAX),
            ..failed("busy".into())
        }),
        () if is("dial-private") => fetch("https://10.0.0.1/"),
        () if is("dial-undeclared") => fetch("https://other.example.net/"),
        () if is("sleep") => {
            crate::floods::sleep();
            Ok(told("woke".into()))
        }
        () if is("send-and-panic") => panic!("sent: {:?}", get(DECLARED)),
        () if is("panic") => panic!("as told"),
        () if is("exit") => std::process::exit(7),
        () if is("sign") => crate::sign::everything(settings).map(told).map_err(failed),
        () if is("sign-ungranted") => crate::sign::with_others(settings).map(told).map_err(failed),
        () if is("sign-and-derive") => crate::sign::both(settings).map(told).map_err(failed),
        () if is("sign-flood") => crate::sign::without_end(settings).map(told).map_err(failed),
        () if is("key-flood") => crate::sign::keys_without_end(settings)
            .map(told)
            .map_err(failed),
        () if is("look-around") => Ok(look_around()),
        () => Err(failed("no such act".into())),
    }
}

pub(crate) fn told(detail: String) -> Receipt {
    Receipt {
        provider_message_id: None,
        detail: Some(detail),
    }
}

pub(crate) fn failed(message: String) -> Failure {
    Failure {
        kind: FailureKind::Unavailable,
        code: None,
        message,
        retry_after: None,
    }
}

fn get(url: &str) -> Result<String, HttpError> {
    let request = Request {
        method: "GET".into(),
        url: url.into(),
        headers: vec![],
        body: vec![],
        credential: Credential::None,
        timeout: None,
    };
    send(&request).map(|response| String::from_utf8_lossy(&response.body).into_owned())
}

fn fetch(url: &str) -> Result<Receipt, Failure> {
    get(url)
        .map(told)
        .map_err(|error| failed(format!("{error:?}")))
}

fn clock() -> Receipt {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let random = wasip2::random::random::get_random_bytes(16);
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    told(format!("{} {random}", now.as_millis()))
}

/// Repeats what it holds for a secret, to the log and in its failure.
fn leak(settings: &str) -> Failure {
    let echoed = get(DECLARED).unwrap_or_default();
    log(Level::Info, &format!("settings {settings} echoed {echoed}"));
    eprintln!("echoed {echoed}");
    failed(format!("echoed {echoed}"))
}

pub(crate) fn endless_loop() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn memory_bomb() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Keeps nothing in linear memory, so that the engine's stack ends first.
fn recurse(depth: u64) -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    if calls == u64::MAX {
        return depth;
    }
    recurse(depth + 1).wrapping_mul(3) ^ calls
}

fn log_flood() -> Result<Receipt, Failure> {
    let line = "x".repeat(10 << 10);
    for _ in 0..100 {
        log(Level::Info, &line);
        eprintln!("{line}");
    }
    Ok(told("said it all".into()))
}

fn request_flood() -> Result<Receipt, Failure> {
    for count in 0.. {
        if let Err(error) = get(DECLARED) {
            return Err(failed(format!("{count} answered, then {error:?}")));
        }
    }
    Ok(told(String::new()))
}

/// What a guest finds of its host.
fn look_around() -> Receipt {
    let variables = std::env::vars().count();
    let arguments = std::env::args().count();
    let files = std::fs::read_dir("/").is_ok();
    let sockets = std::net::TcpStream::connect("127.0.0.1:80").is_ok();
    let names = std::net::ToSocketAddrs::to_socket_addrs("localhost:80").is_ok();
    told(format!("{variables} {arguments} {files} {sockets} {names}"))
}
