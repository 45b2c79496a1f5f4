//! Built connectors against the recorded peer, through everything but the socket.
//!
//! The cases are in `SENDBOX_GOLDEN`, else in `../shared/golden` beside the workspace; where that folder is
//! absent the test says so and passes.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sendbox::connector::EngineConfig;
use sendbox::id::Digest;
use sendbox::replay::{ReplayCase, check, replay};
use serde_json::Value;

use crate::sandbox::runtime;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn golden() -> Option<PathBuf> {
    let folder = std::env::var_os("SENDBOX_GOLDEN")
        .map_or_else(|| workspace().join("../shared/golden"), PathBuf::from);
    if !folder.is_dir() {
        println!("no recorded cases in {}", folder.display());
        return None;
    }
    Some(folder)
}

/// Whether a difference is meant: the connector's own test names the case, or the peer followed a
/// redirect or tried again, which are the host's to decide.
fn is_meant(id: &str, case: &Value, wire: &str) -> bool {
    let short = id.rsplit('/').next().unwrap_or_default();
    let peers_own_requests = case["expect"]["request_count"].as_u64() > Some(1);
    peers_own_requests || wire.contains(&format!("\"{short}\""))
}

#[tokio::test]
async fn a_built_connector_differs_from_its_recorded_peer_only_where_it_says_so() {
    let Some(golden) = golden() else { return };
    let runtime = runtime(EngineConfig::default());
    for (name, bytes) in connector_bundle::BUNDLED {
        let Ok(cases) = std::fs::read_to_string(golden.join(format!("{name}.jsonl"))) else {
            continue;
        };
        let wire = workspace()
            .join("connectors")
            .join(name)
            .join("tests/wire.rs");
        let wire = std::fs::read_to_string(wire).unwrap();
        let bytes = Bytes::from_static(bytes);
        let connector = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
        for line in cases.lines() {
            let case: ReplayCase = serde_json::from_str(line).unwrap();
            let result = replay(&runtime, &connector, &case).await;
            let differences = check(&case, &result);
            let recorded: Value = serde_json::from_str(line).unwrap();
            assert!(
                differences.is_empty() || is_meant(&case.id, &recorded, &wire),
                "{}: {differences:#?}",
                case.id
            );
        }
    }
}

#[tokio::test]
async fn settings_that_break_the_schema_end_a_case_before_the_guest() {
    let runtime = runtime(EngineConfig::default());
    let bytes = Bytes::from_static(sendbox_tests::guests::ACTS);
    let acts = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
    let case = r#"{"id":"acts/wrong","settings":{"act":7},
        "message":{"to":"1","type":"Generic","payload":{}}}"#;
    let result = replay(&runtime, &acts, &serde_json::from_str(case).unwrap()).await;
    let line = serde_json::to_value(&result).unwrap();
    assert_eq!(line["outcome"]["kind"], "invalid-settings", "{line}");
    assert!(
        line["outcome"]["message"]
            .as_str()
            .unwrap()
            .starts_with("/act")
    );
    assert_eq!(line["requests"], serde_json::json!([]));
}

#[tokio::test]
async fn a_case_is_given_its_clock_its_random_bytes_and_its_answers() {
    let runtime = runtime(EngineConfig::default());
    let bytes = Bytes::from_static(sendbox_tests::guests::ACTS);
    let acts = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
    let run = async |act: &str| {
        let case = format!(
            r#"{{"id":"acts/{act}","now_ms":1767323045678,"uuids":["2535fea6-0bb9-4ee6-8d6c-f6b000076e76"],
            "settings":{{"act":"{act}"}},"message":{{"to":"1","type":"Generic","payload":{{}}}},
            "responses":[{{"status":200,"headers":{{}},"body":"as recorded"}}]}}"#
        );
        let result = replay(&runtime, &acts, &serde_json::from_str(&case).unwrap()).await;
        serde_json::to_value(&result).unwrap()
    };
    let detail = "1767323045678 2535fea60bb94ee68d6cf6b000076e76";
    assert_eq!(run("clock").await["outcome"]["receipt"]["detail"], detail);
    let echo = run("echo").await;
    assert_eq!(echo["outcome"]["receipt"]["detail"], "as recorded");
    assert_eq!(echo["requests"][0]["url"], "https://echo.example.com/");
    assert_eq!(echo["requests"][0]["body_base64"], "");
}
