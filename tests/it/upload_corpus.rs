//! Every shared bad input of an upload gets the verdict that it names: over the API where HTTP has a say,
//! at inspection elsewhere.

use bytes::Bytes;
use sendbox::connector::{EngineConfig, UploadError};
use sendbox::id::Digest;
use sendbox::limits::Limit;
use sendbox_tests::guests;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::egress_kit::bad_inputs;
use crate::harness::{House, call};
use crate::sandbox::{Sandbox, runtime};
use crate::uploads::{component, refusal, refusal_of_text};

/// What is refused by its bytes alone: the code of the refusal, by case.
async fn refused_for(id: &str, folder: &std::path::Path) -> Option<&'static str> {
    let runtime = runtime(EngineConfig {
        artifacts: Some(folder.join("artifacts")),
        ..EngineConfig::default()
    });
    let module = |inner: &str| format!("(component (core module {inner}))");
    let refused = match id {
        "upload-001" => refusal_of_text(&runtime, "(module)").await,
        "upload-004" => refusal_of_text(&runtime, "(component)").await,
        "upload-008" => refusal_of_text(&runtime, &module(&"(func)".repeat(1_000_000))).await,
        "upload-009" => {
            let body = "(drop (i32.const 1))".repeat(7_000_000 / 3);
            refusal_of_text(&runtime, &module(&format!("(func {body})"))).await
        }
        "upload-012" => refusal_of_text(&runtime, &module("(memory 65536)")).await,
        "upload-013" => refusal_of_text(&runtime, &module("(table 10000000 funcref)")).await,
        "upload-017" => {
            let looping = guests::TABLE_GROWTH.replacen(
                "(func (export \"cabi_realloc\")",
                "(start $forever) (func $forever (loop (br 0))) (func (export \"cabi_realloc\")",
                1,
            );
            refusal(&runtime, component(&looping)).await
        }
        "upload-021" => {
            // Compiled by this very engine, as it would have to be.
            let bytes = Bytes::from_static(guests::ACTS);
            let kept = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
            let artifacts = std::fs::read_dir(folder.join("artifacts")).unwrap();
            let mut artifacts = artifacts.map(|file| file.unwrap().path());
            let compiled = artifacts.find(|path| path.is_file()).unwrap();
            drop(kept);
            refusal(&runtime, std::fs::read(compiled).unwrap()).await
        }
        _ => return None,
    };
    assert!(!refused.to_string().chars().any(char::is_control), "{id}");
    Some(refused.code())
}

#[tokio::test]
async fn each_bad_component_is_refused_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (id, input, expect) in bad_inputs("upload") {
        let code = match id.as_str() {
            "upload-001" => "upload.core-module",
            "upload-004" => "upload.missing-export",
            "upload-008" | "upload-009" => "upload.too-complex",
            "upload-012" | "upload-013" => "upload.needs-too-much",
            "upload-017" => "upload.describe",
            "upload-021" => "upload.not-wasm",
            // Each has a test of its own, below.
            "upload-002" | "upload-003" | "upload-006" | "upload-007" | "upload-014"
            | "upload-019" => continue,
            _ => panic!("no test for {id}: {input} {expect}"),
        };
        let own = folder.path().join(&id);
        assert_eq!(refused_for(&id, &own).await, Some(code), "{id}: {input}");
    }
}

#[tokio::test]
async fn each_feature_that_is_off_is_refused() {
    let runtime = runtime(EngineConfig::default());
    let instance = r#"(instance $i) (export "sendbox:connector/send-message@0.1.0" (instance $i))"#;
    for module in [
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(type (struct (field i32)))",
        "(tag (param i32))",
        "(func $f (return_call $f))",
        "(memory 1) (memory 1)",
    ] {
        let text = format!("(component (core module {module}) {instance})");
        let refused = refusal_of_text(&runtime, &text).await;
        assert!(
            matches!(
                refused,
                UploadError::Malformed { .. }
                    | UploadError::Compile(_)
                    | UploadError::NeedsTooMuch {
                        limit: Limit::Memory
                    }
            ),
            "{module}: {refused}"
        );
    }
}

#[tokio::test]
async fn what_a_languages_runtime_imports_is_named_and_leads_nowhere() {
    let sandbox = Sandbox::with_slots(1).await;
    let bytes = Bytes::from_static(guests::ACTS);
    let seen = sandbox.runtime.inspect(bytes).await.unwrap();
    for import in ["wasi:sockets/tcp@0.2", "wasi:filesystem/preopens@0.2"] {
        let named = seen.imports.iter().any(|name| name.starts_with(import));
        assert!(named, "{import} in {:?}", seen.imports);
    }
    // No variable, no argument, no file, no socket, no name.
    let probe = sandbox.perform("look-around").await;
    assert_eq!(probe.detail(), "0 0 false false false");
}

/// A name of the guest's making in an error, or in a terminal, is somebody else's markup.
#[tokio::test]
async fn names_in_a_component_are_not_shown() {
    let runtime = runtime(EngineConfig::default());
    let named = guests::TABLE_GROWTH
        .replacen(
            "(func (export \"sendbox:connector/send-message@0.1.0#describe\")",
            "(func $describe (@name \"\\1b[31m<script>\") (export \"sendbox:connector/send-message@0.1.0#describe\")",
            1,
        )
        .replacen("(i32.const 64))", "(unreachable))", 1);
    let refused = refusal(&runtime, component(&named)).await;
    assert_eq!(refused.code(), "upload.describe");
    let shown = format!("{refused} {refused:?}");
    assert!(
        !shown.contains("script") && !shown.contains('\u{1b}'),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_or_compressed_is_refused_before_it_is_read() {
    let house = House::start().await;
    let authorization = format!("Bearer {}", house.operator);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/wasm"),
        ("content-encoding", "gzip"),
    ];
    let compressed = call(
        house.server.address,
        "POST",
        "/v1/connectors",
        &headers,
        "\u{1f}\u{8b}",
    );
    let answer = compressed.await.unwrap().expect(415);
    assert_eq!(answer.text_at("/code"), "content_encoding");

    let mut stream = TcpStream::connect(house.server.address).await.unwrap();
    let head = format!(
        "POST /v1/connectors HTTP/1.1\r\nhost: a.test\r\nauthorization: {authorization}\r\n\
         content-type: application/wasm\r\ncontent-length: {}\r\n\r\n",
        (32 << 20) + 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Not a byte of the body was sent.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    house.stop().await;
}
