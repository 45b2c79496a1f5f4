//! Built connectors against the recorded peer, through everything but the socket.
//!
//! A peer's cases are in `tests/golden`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sendbox::connector::{ConnectorRuntime, EngineConfig};
use sendbox::id::Digest;
use sendbox::replay::{ReplayCase, check, replay};
use sendbox_tests::repository;

use crate::sandbox::runtime;

pub(crate) fn golden() -> PathBuf {
    repository::root().join("tests/golden")
}

/// The cases that `docs/compatibility.md` lists, in its last section, as `connector/case` at the start of a row.
pub(crate) fn listed(connector: &str) -> BTreeSet<String> {
    listed_where(connector, |_| true)
}

/// Those whose whole row is one of these.
fn listed_where(connector: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let page = std::fs::read_to_string(repository::root().join("docs/compatibility.md")).unwrap();
    let rows = page.lines().filter(|row| wanted(row));
    let cells = rows.filter_map(|line| line.strip_prefix("| `"));
    cells
        .filter_map(|cell| cell.split_once('`'))
        .map(|(id, _)| id.to_owned())
        .filter(|id| id.starts_with(&format!("{connector}/")))
        .collect()
}

/// The cases of a file that end otherwise than expected, each with what differs; nothing without the file.
pub(crate) async fn different(
    runtime: &ConnectorRuntime,
    bytes: Bytes,
    cases: &Path,
) -> Option<BTreeMap<String, Vec<String>>> {
    different_with(runtime, bytes, cases, |_| {}).await
}

/// The same, with the cases' settings changed.
async fn different_with(
    runtime: &ConnectorRuntime,
    bytes: Bytes,
    cases: &Path,
    change: impl Fn(&mut serde_json::Value),
) -> Option<BTreeMap<String, Vec<String>>> {
    let cases = std::fs::read_to_string(cases).ok()?;
    let connector = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
    let mut different = BTreeMap::new();
    for line in cases.lines() {
        let mut case: ReplayCase = serde_json::from_str(line).unwrap();
        change(&mut case.settings);
        let differences = check(&case, &replay(runtime, &connector, &case).await);
        if !differences.is_empty() {
            different.insert(case.id, differences);
        }
    }
    Some(different)
}

#[tokio::test]
async fn a_built_connector_differs_from_its_recorded_peer_only_where_it_says_so() {
    let golden = golden();
    let runtime = runtime(EngineConfig::default());
    let mut wrong = Vec::new();
    for (name, bytes) in connector_bundle::BUNDLED {
        let cases = golden.join(format!("{name}.jsonl"));
        if let Some(different) = different(&runtime, Bytes::from_static(bytes), &cases).await {
            let ids: BTreeSet<_> = different.keys().cloned().collect();
            let listed = listed(name);
            wrong.extend(ids.symmetric_difference(&listed).cloned());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn with_the_switch_values_stand_in_html_as_the_peer_writes_them() {
    let golden = golden();
    let runtime = runtime(EngineConfig::default());
    let mut switched = Vec::new();
    for (name, bytes) in connector_bundle::BUNDLED {
        let by_switch = listed_where(name, |row| row.contains("`unescapedHtml`"));
        if by_switch.is_empty() {
            continue;
        }
        let cases = golden.join(format!("{name}.jsonl"));
        let switch = |settings: &mut serde_json::Value| {
            if let Some(settings) = settings.as_object_mut() {
                settings.insert("unescapedHtml".to_owned(), true.into());
            }
        };
        let different = different_with(&runtime, Bytes::from_static(bytes), &cases, switch)
            .await
            .unwrap();
        let ids: BTreeSet<_> = different.keys().cloned().collect();
        let others = listed_where(name, |row| !row.contains("`unescapedHtml`"));
        assert_eq!(ids, others, "{different:#?}");
        switched.push(*name);
    }
    assert_eq!(switched.len(), 7, "{switched:?}");
}

#[tokio::test]
async fn a_built_connector_without_a_peer_does_what_its_own_cases_say() {
    let runtime = runtime(EngineConfig::default());
    let mut replayed = Vec::new();
    for (name, bytes) in connector_bundle::BUNDLED {
        let cases = repository::root().join(format!("connectors/{name}/tests/cases.jsonl"));
        if let Some(different) = different(&runtime, Bytes::from_static(bytes), &cases).await {
            assert!(different.is_empty(), "{different:#?}");
            replayed.push(*name);
        }
    }
    assert_eq!(replayed, ["builtin-email", "resend", "whatsapp"]);
}

#[tokio::test]
async fn what_is_said_of_sender_and_account_is_not_held_against_the_recipient() {
    let runtime = runtime(EngineConfig::default());
    // What we thought of, and what others' users have reported.
    let own = include_str!("../corpus/answers.jsonl").lines();
    let reported = include_str!("../corpus/reported.jsonl").lines();
    let cases: Vec<ReplayCase> = own
        .chain(reported)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut wrong = BTreeMap::new();
    let mut silent = Vec::new();
    for (name, bytes) in connector_bundle::BUNDLED {
        let own = format!("{name}/");
        let mut own = cases
            .iter()
            .filter(|case| case.id.starts_with(&own))
            .peekable();
        if own.peek().is_none() {
            silent.push(*name);
            continue;
        }
        let bytes = Bytes::from_static(bytes);
        let connector = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
        for case in own {
            let differences = check(case, &replay(&runtime, &connector, case).await);
            if !differences.is_empty() {
                wrong.insert(&case.id, differences);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // It hands its mail to the operator's own service, and asks no provider.
    assert_eq!(silent, ["builtin-email"]);
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
