//! What is refused at upload, and what is kept of what is not.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use sendbox::connector::{ConnectorRuntime, EngineConfig, UploadError};
use sendbox::id::Digest;
use sendbox::limits::Limit;
use sendbox::time::Clock;
use sendbox_tests::guests;
use serde_json::{Value, json};
use sqlx::Connection;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::harness::{House, Provider};
use crate::sandbox::{key, runtime};

/// The component of a core module in text that keeps to the contract.
pub(crate) fn component(core: &str) -> Vec<u8> {
    component_of(
        core,
        "package acme:probe; world probe { include sendbox:connector/connector@0.1.0; }",
    )
}

/// The same for a world named `probe` of a package of its own.
pub(crate) fn component_of(core: &str, package: &str) -> Vec<u8> {
    let mut module = wat::parse_str(core).unwrap();
    let mut resolve = Resolve::default();
    resolve
        .push_path(sendbox_tests::repository::root().join("wit"))
        .unwrap();
    let package = resolve.push_str("probe.wit", package).unwrap();
    let world = resolve.select_world(&[package], Some("probe")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}

pub(crate) async fn refusal(runtime: &ConnectorRuntime, bytes: impl Into<Bytes>) -> UploadError {
    runtime.inspect(bytes.into()).await.unwrap_err()
}

pub(crate) async fn refusal_of_text(runtime: &ConnectorRuntime, text: &str) -> UploadError {
    refusal(runtime, wat::parse_str(text).unwrap()).await
}

#[tokio::test]
async fn a_connector_is_inspected() {
    let runtime = runtime(EngineConfig::default());
    let seen = runtime
        .inspect(Bytes::from_static(guests::ACTS))
        .await
        .unwrap();
    assert_eq!(seen.info.id.as_str(), "acts");
    assert_eq!(seen.digest, Digest::of(guests::ACTS));
    assert_eq!(seen.needs.memories, 1);
    assert!(
        seen.imports
            .iter()
            .any(|name| name == "sendbox:connector/http@0.1.0")
    );
    assert!(runtime.loaded(seen.digest).is_some());
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let runtime = runtime(EngineConfig::default());
    assert_eq!(refusal(&runtime, "#!/bin/sh").await, UploadError::NotWasm);
    assert_eq!(refusal(&runtime, "").await, UploadError::NotWasm);
    assert_eq!(
        refusal_of_text(&runtime, "(module)").await,
        UploadError::CoreModule
    );
    for part in [8, 100, guests::ACTS.len() / 2, guests::ACTS.len() - 1] {
        let refused = refusal(&runtime, Bytes::from_static(&guests::ACTS[..part])).await;
        assert!(
            matches!(
                refused,
                UploadError::Malformed { .. } | UploadError::MissingExport { .. }
            ),
            "{part} bytes: {refused}"
        );
    }
}

#[tokio::test]
async fn what_does_not_keep_to_the_contract_is_refused_by_name() {
    let runtime = runtime(EngineConfig::default());
    let foreign = r#"(component (import "acme:vault/door@1.0.0" (instance)))"#;
    let refused = refusal_of_text(&runtime, foreign).await;
    assert!(
        refused.to_string().contains("acme:vault/door@1.0.0"),
        "{refused}"
    );
    let preview3 = r#"(component (import "wasi:cli/environment@0.3.0" (instance)))"#;
    assert_eq!(
        refusal_of_text(&runtime, preview3).await.code(),
        "upload.foreign-import"
    );
    assert_eq!(
        refusal_of_text(&runtime, "(component)").await.code(),
        "upload.missing-export"
    );
    let other = r#"(component (instance $i) (export "sendbox:connector/send-message@0.2.0" (instance $i)))"#;
    assert_eq!(
        refusal_of_text(&runtime, other).await,
        UploadError::WrongContractVersion {
            found: "sendbox:connector/send-message@0.2.0".to_owned(),
            expected: "sendbox:connector/send-message@0.1.0",
        }
    );
    let imported = r#"(component (import "sendbox:connector/http@0.3.0" (instance)))"#;
    assert_eq!(
        refusal_of_text(&runtime, imported).await.to_string(),
        "the component is made for version 0.3.0 of the contract (it names sendbox:connector/http@0.3.0), \
         and this host speaks version 0.1.0"
    );
    let empty = r#"(component (instance $i) (export "sendbox:connector/send-message@0.1.0" (instance $i)))"#;
    assert_eq!(
        refusal_of_text(&runtime, empty).await,
        UploadError::MissingExport {
            name: "sendbox:connector/send-message@0.1.0#describe",
        }
    );
}

#[tokio::test]
async fn what_costs_too_much_is_refused_before_it_is_compiled() {
    let small = runtime(EngineConfig {
        component_bytes: 1_000,
        ..EngineConfig::default()
    });
    let size = guests::ACTS.len();
    let refused = refusal(&small, Bytes::from_static(guests::ACTS)).await;
    assert_eq!(refused, UploadError::TooLarge { size, limit: 1_000 });

    let runtime = runtime(EngineConfig::default());
    let module = |inner: &str| format!("(component (core module {inner}))");
    let locals = module(&format!("(func (local {}))", "i32 ".repeat(5_001)));
    let targets = module(&format!(
        "(func i32.const 0 br_table {})",
        "0 ".repeat(4_098)
    ));
    let functions = module(&"(func)".repeat(50_001));
    for bomb in [locals, targets, functions] {
        assert_eq!(
            refusal_of_text(&runtime, &bomb).await.code(),
            "upload.too-complex"
        );
    }
    let nested = format!("{}{}", "(component ".repeat(9), ")".repeat(9));
    assert_eq!(
        refusal_of_text(&runtime, &nested).await.code(),
        "upload.too-complex"
    );
    for (needs, limit) in [
        ("(memory 1025)", Limit::Memory),
        ("(table 20001 funcref)", Limit::TableElements),
    ] {
        let refused = refusal_of_text(&runtime, &module(needs)).await;
        assert_eq!(refused, UploadError::NeedsTooMuch { limit });
    }
}

#[tokio::test]
async fn a_wrong_description_is_refused_by_field() {
    let runtime = runtime(EngineConfig::default());
    let named = guests::TABLE_GROWTH.replace("\"table-growth\"", "\"Table-Growth\"");
    let refused = refusal(&runtime, component(&named)).await;
    assert!(
        matches!(refused, UploadError::BadInfo { field: "id", .. }),
        "{refused}"
    );
    let schema = guests::TABLE_GROWTH.replace("object", "string");
    let refused = refusal(&runtime, component(&schema)).await;
    assert!(matches!(refused, UploadError::Schema(_)), "{refused}");
}

#[tokio::test]
async fn an_artifact_that_was_tampered_with_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = EngineConfig {
        artifacts: Some(folder.path().join("artifacts")),
        ..EngineConfig::default()
    };
    let bytes = Bytes::from(component(guests::TABLE_GROWTH));
    let digest = Digest::of(&bytes);
    let compile_ms = async || {
        let runtime = ConnectorRuntime::new(&config, key()).unwrap();
        runtime.load(digest, bytes.clone()).await.unwrap();
        runtime.inspect(bytes.clone()).await.unwrap().compile_ms
    };
    let artifact = |extension: &str| {
        let mut entries = std::fs::read_dir(folder.path().join("artifacts")).unwrap();
        let path = entries.find_map(|entry| {
            let path = entry.unwrap().path();
            (path.extension()? == extension).then_some(path)
        });
        path.unwrap()
    };
    compile_ms().await;
    let (code, mac) = (artifact("cwasm"), artifact("mac"));
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(code.parent().unwrap()), 0o700);
    assert_eq!(mode(&code), 0o600);
    let sound = std::fs::read(&code).unwrap();
    assert_eq!(compile_ms().await, 0, "taken from the artifact");

    for tamper in ["flip a bit", "cut", "foreign MAC"] {
        match tamper {
            "flip a bit" => {
                let mut changed = sound.clone();
                let middle = changed.len() / 2;
                changed[middle] ^= 1;
                std::fs::write(&code, changed).unwrap();
            }
            "cut" => std::fs::write(&code, &sound[..sound.len() / 2]).unwrap(),
            _ => std::fs::write(&mac, [0; 32]).unwrap(),
        }
        compile_ms().await;
        assert_eq!(
            std::fs::read(&code).unwrap(),
            sound,
            "compiled again after: {tamper}"
        );
    }
}

/// An engine that has this repository's own program compile.
fn compiling(folder: &tempfile::TempDir) -> EngineConfig {
    EngineConfig {
        artifacts: Some(folder.path().join("artifacts")),
        compiler: Some(env!("CARGO_BIN_EXE_sendbox").into()),
        ..EngineConfig::default()
    }
}

/// A function with many branches over many locals: small, within every count, and costly to compile.
fn bomb(branches: usize) -> Vec<u8> {
    let locals = "i32 ".repeat(2_000);
    let branch: String = (0..branches)
        .map(|n| {
            let (a, b) = (n * 7 % 2_000, n * 13 % 2_000);
            format!("(if (local.get {a}) (then (local.set {b} (i32.add (local.get {a}) (local.get {b})))))")
        })
        .collect();
    let costly = format!("(func (export \"costly\") (param i32) (local {locals}) {branch})");
    component(&guests::TABLE_GROWTH.replacen("(func ", &format!("{costly} (func "), 1))
}

#[tokio::test]
async fn another_process_compiles_what_this_one_runs() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime(compiling(&folder));
    let bytes = Bytes::from_static(guests::ACTS);
    let inspection = runtime.inspect(bytes).await.unwrap();
    assert_eq!(inspection.info.id.as_str(), "acts");
    let simd = "(func (export \"simd\") (drop (v128.const i32x4 0 0 0 0))) (func ";
    let simd = component(&guests::TABLE_GROWTH.replacen("(func ", simd, 1));
    let refused = refusal(&runtime, simd).await;
    assert_eq!(refused.code(), "upload.compile", "{refused}");
}

#[tokio::test]
async fn a_compilation_ends_at_its_limits_and_the_next_one_begins() {
    let folder = tempfile::tempdir().unwrap();
    let starved = |config: EngineConfig| async {
        let runtime = runtime(config);
        let refused = refusal(&runtime, bomb(7_000)).await;
        assert_eq!(refused.code(), "upload.compile-limit", "{refused}");
        runtime.inspect(Bytes::from_static(guests::ACTS)).await
    };
    let little_time = EngineConfig {
        compile_seconds: 1,
        ..compiling(&folder)
    };
    starved(little_time).await.unwrap();
    let little_memory = EngineConfig {
        compile_memory: 256 << 20,
        ..compiling(&folder)
    };
    starved(little_memory).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_an_upload_sees_how_far_it_is() {
    let house = House::start_with(Clock::System, |config| {
        config.engine.compiler = Some(env!("CARGO_BIN_EXE_sendbox").into());
        config.engine.compile_seconds = 1;
    })
    .await;
    let bomb = bomb(7_000);
    let digest = Digest::of(&bomb).to_string();
    let mut upload = Box::pin(house.upload(&bomb));
    let mut seen = Vec::new();
    let answer = loop {
        tokio::select! {
            answer = &mut upload => break answer,
            answer = house.operate("GET", "/v1/compilations", Value::Null) => {
                seen.extend(answer.expect(200).json()["data"].as_array().unwrap().clone());
            }
        }
    };
    assert_eq!(answer.text_at("/code"), "upload.compile-limit");
    let own = |one: &&Value| {
        one["digest"] == digest.as_str() && one["state"] == "compiling" && one["cpu_ms"].is_u64()
    };
    let last = seen.iter().rfind(own).unwrap();
    assert_eq!(last["cpu_most_ms"], 1_000);
    let after = house.operate("GET", "/v1/compilations", Value::Null).await;
    assert_eq!(after.json()["data"], Value::Array(Vec::new()));
}

#[test]
fn the_compiling_process_is_confined_before_it_reads_a_byte() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_sendbox"))
        .args(["compile-component", "30", "1073741824"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = format!("/proc/{}", child.id());
    let of_child = |name: &str| format!("{folder}/{name}");
    let status = || std::fs::read_to_string(of_child("status")).unwrap();
    // It is confined before it waits for the first byte, which never comes here.
    while !status().contains("Seccomp:\t2") {
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it ended before it was confined"
        );
        std::thread::yield_now();
    }
    assert!(status().contains("NoNewPrivs:\t1"), "{}", status());
    assert_eq!(std::fs::read(of_child("environ")).unwrap(), b"");
    let limits = std::fs::read_to_string(of_child("limits")).unwrap();
    for (limit, value) in [
        ("Max cpu time", "30"),
        ("Max address space", "1073741824"),
        ("Max file size", "0"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
        assert_eq!(
            line[limit.len()..].split_whitespace().next(),
            Some(value),
            "{line}"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_describe_that_calls_the_host_is_refused_by_the_import() {
    let runtime = runtime(EngineConfig::default());
    let zeros = |count: usize| "(i32.const 8192)".repeat(count);
    for (import, name, parameters, values) in [
        (
            "sendbox:connector/http",
            "send",
            16,
            format!("{}(i32.const 16384)", "(i32.const 0)".repeat(15)),
        ),
        ("sendbox:connector/smtp", "submit", 2, zeros(2)),
        (
            "sendbox:connector/signing",
            "[static]key.from-secret",
            7,
            format!("{}(i32.const 16384)", "(i32.const 0)".repeat(6)),
        ),
        (
            "sendbox:connector/handover",
            "submit",
            15,
            format!("{}(i32.const 16384)", "(i32.const 0)".repeat(14)),
        ),
        ("sendbox:connector/log", "log", 3, "(i32.const 0)".repeat(3)),
    ] {
        let declared = format!(
            "(module (import \"{import}@0.1.0\" \"{name}\" (func $host (param {})))",
            "i32 ".repeat(parameters)
        );
        let calls = guests::TABLE_GROWTH
            .replacen("(module", &declared, 1)
            .replacen(
                "(result i32)\n    (i32.const 64))",
                &format!("(result i32)\n    (call $host {values})\n    (i32.const 64))"),
                1,
            );
        let refused = refusal(&runtime, component(&calls)).await;
        assert_eq!(refused, UploadError::DescribeCalls { import });
        assert_eq!(refused.code(), "upload.describe-calls");
        assert!(refused.remedy().contains(import), "{}", refused.remedy());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_says_something_else_than_was_approved_is_not_run() {
    let provider = Provider::accepting().await;
    let house = House::start().await;
    let key = house
        .tenant("acme", &format!("http://{}/", provider.address), None)
        .await;
    let post = async |house: &House| {
        let message = json!({
            "channel": "email", "to": "a@b.test", "type": "SignIn", "payload": { "code": "577215" },
        });
        let answer = house
            .call(&key, "POST", "/v1/messages?wait=30", &message)
            .await;
        answer.expect(202).json()
    };
    assert_eq!(post(&house).await["state"], "sent");
    let folder = house.stop().await;
    // What was approved is what the database says: here it named another host.
    let file = folder.path().join("data/sendbox.db");
    let mut db = sqlx::SqliteConnection::connect(&format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    let changed = sqlx::query(
        "UPDATE connector_version SET record = json_set(record, '$.info.hosts', json('[\"api.example.com\"]')) \
         WHERE id = 'http-email'",
    );
    assert_eq!(changed.execute(&mut db).await.unwrap().rows_affected(), 1);
    db.close().await.unwrap();
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let message = post(&house).await;
    let failure = &message["attempts"][0]["outcome"]["failure"];
    assert_eq!(failure["kind"], "unavailable", "{message}");
    assert!(
        failure["message"].as_str().unwrap().contains("hosts"),
        "{message}"
    );
    assert_eq!(provider.count(), 1);
    // To upload the same bytes once more approves nothing.
    house
        .upload(connector_bundle::component("http-email").unwrap())
        .await
        .expect(200);
    assert_ne!(post(&house).await["state"], "sent");
    house.stop().await;
}
