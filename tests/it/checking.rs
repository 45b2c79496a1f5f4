//! What an author is told before an upload, in a round of `connector dev`, and by `connector push`.
//!
//! Components of other languages are those in the folder that `SENDBOX_LANGUAGE_GUESTS` names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bytes::Bytes;
use sendbox::authoring::{Case, CheckReport, Level, Project, Subject, check, rehearse};
use sendbox::connector::EngineConfig;
use sendbox_tests::guests;
use serde_json::{Value, json};

use crate::harness::House;
use crate::sandbox::runtime;
use crate::uploads::{component, component_of};

/// A guest that says `7f3a9c2b5d1e` in every send. It computes it: the component holds no such text.
fn frozen() -> String {
    let mask = 0x5a5a_5a5a_5a5a_5a5a_u64;
    let word = |text: &[u8; 8]| u64::from_le_bytes(*text) ^ mask;
    let (first, second) = (word(b"7f3a9c2b"), word(b"5d1e0000"));
    let answer = format!(
        "(i64.store (i32.const 3000) (i64.xor (i64.const {mask}) (i64.const {first})))
         (i64.store (i32.const 3008) (i64.xor (i64.const {mask}) (i64.const {second})))
         (i32.store8 (i32.const 2056) (i32.const 1))
         (i32.store (i32.const 2060) (i32.const 3000))
         (i32.store (i32.const 2064) (i32.const 12))
         (i32.const 2048)))"
    );
    with_send(&answer)
}

/// The hand-written guest with another `send`.
fn with_send(body: &str) -> String {
    let (before, _) = guests::TABLE_GROWTH.split_once("(loop $again").unwrap();
    format!("{before}{body}")
}

fn case(id: &str, settings: &Value) -> Case {
    let case = json!({ "id": id, "now_ms": 1_767_323_045_678_u64, "settings": settings,
        "message": { "to": "14155552671", "type": "SignIn", "payload": { "code": "123456" } } });
    Case::parse(&case.to_string()).unwrap()
}

fn act(act: &str) -> Case {
    case(act, &json!({ "act": act, "secret": "hunter2-hunter2" }))
}

async fn checked(bytes: impl Into<Bytes>, cases: Vec<Case>) -> CheckReport {
    let subject = Subject {
        component: PathBuf::from("guest.wasm"),
        bytes: bytes.into(),
        cases,
        project: None,
    };
    check(&runtime(EngineConfig::default()), &subject).await
}

fn found<'r>(report: &'r CheckReport, code: &str) -> Vec<&'r str> {
    let findings = report.findings.iter();
    let found = findings.filter(|finding| finding.code == code);
    found.map(|finding| finding.found.as_str()).collect()
}

fn says(words: &[String], what: &str) -> bool {
    words.iter().any(|word| word.contains(what))
}

#[tokio::test]
async fn time_and_chance_of_the_host_are_proven_where_they_reach_a_send() {
    let report = checked(guests::ACTS, vec![act("echo"), act("clock")]).await;
    assert!(!report.failed(), "{:#?}", report.findings);
    assert!(says(&report.proven, "random values are new"), "{report:#?}");
    assert!(
        says(&report.proven, "the time is the host's"),
        "{report:#?}"
    );
    assert!(says(&report.proven, "in four fresh instances"));
    assert_eq!(found(&report, "value.repeats"), [""; 0]);
    let used = report.used.unwrap();
    assert!(used.memory >= 1 << 16, "{used:?}");
    let inspection = report.inspection.unwrap();
    assert_eq!(inspection.needs.memories, 1);
    assert!(inspection.needs.core_instances >= 1);

    let silent = checked(guests::ACTS, vec![act("echo")]).await;
    assert!(
        says(
            &silent.not_proven,
            "none of 5 sends asked the host for random bytes"
        ),
        "{silent:#?}"
    );
}

#[tokio::test]
async fn a_value_that_was_drawn_at_build_time_is_found_because_it_repeats() {
    let report = checked(component(&frozen()), vec![case("frozen", &json!({}))]).await;
    let repeats = found(&report, "value.repeats");
    assert_eq!(repeats.len(), 1, "{:#?}", report.findings);
    assert!(
        repeats[0].contains("outcome holds 7f3a9c2b5d1e"),
        "{repeats:?}"
    );
    assert!(!report.failed(), "a warning is no error");
    assert!(
        says(&report.not_proven, "the component takes none from the host"),
        "{report:#?}"
    );
}

#[tokio::test]
async fn a_constant_is_no_value_that_repeats() {
    let literal = with_send(
        "(i32.store8 (i32.const 2056) (i32.const 1))
         (i32.store (i32.const 2060) (i32.const 3000))
         (i32.store (i32.const 2064) (i32.const 12))
         (i32.const 2048))
         (data (i32.const 3000) \"7f3a9c2b5d1e\"))",
    );
    let report = checked(component(&literal), vec![case("literal", &json!({}))]).await;
    assert_eq!(found(&report, "value.repeats"), [""; 0], "{report:#?}");
    let given = json!({ "note": "7f3a9c2b5d1e" });
    let report = checked(component(&frozen()), vec![case("given", &given)]).await;
    assert_eq!(found(&report, "value.repeats"), [""; 0], "{report:#?}");
}

#[tokio::test]
async fn a_describe_that_reads_the_clock_is_an_error() {
    let clock = guests::TABLE_GROWTH
        .replace(
            "(memory (export",
            "(import \"wasi:clocks/monotonic-clock@0.2.6\" \"now\" (func $now (result i64)))\n  (memory (export",
        )
        .replace(
            "(i32.const 64))\n  (func (export \"sendbox:connector/send-message@0.1.0#send\")",
            "(i32.store8 (i32.const 1044) (i32.add (i32.const 48) (i64.gt_u (call $now) (i64.const 1000000000))))
             (i32.const 64))\n  (func (export \"sendbox:connector/send-message@0.1.0#send\")",
        );
    let world = "package acme:probe;
        world probe { include sendbox:connector/connector@0.1.0; import wasi:clocks/monotonic-clock@0.2.6; }
        package wasi:clocks@0.2.6 { interface monotonic-clock { now: func() -> u64; } }";
    let report = checked(component_of(&clock, world), vec![]).await;
    assert!(report.failed());
    assert_eq!(found(&report, "describe.changes").len(), 1, "{report:#?}");
}

#[tokio::test]
async fn a_guest_that_panics_or_exits_fails_the_check_with_its_own_words() {
    let report = checked(guests::ACTS, vec![act("panic"), act("exit")]).await;
    assert!(report.failed());
    let ended = found(&report, "send.ended");
    assert_eq!(ended.len(), 2, "{:#?}", report.findings);
    assert!(
        ended[0].contains("panicked at") && ended[0].contains("as told"),
        "{ended:?}"
    );
    assert!(ended[1].contains("exited with 1"), "{ended:?}");
}

#[tokio::test]
async fn everything_that_an_upload_would_refuse_is_named_with_its_remedy() {
    let foreign = r#"(component
        (import "acme:vault/door@1.0.0" (instance)) (import "wasi:cli/environment@0.3.0" (instance)))"#;
    let report = checked(wat::parse_str(foreign).unwrap(), vec![]).await;
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(
        codes,
        [
            "upload.foreign-import",
            "upload.foreign-import",
            "upload.missing-export"
        ]
    );
    let no_remedy = report
        .findings
        .iter()
        .find(|finding| finding.remedy.is_empty());
    assert_eq!(no_remedy, None);

    let other = r#"(component (import "sendbox:connector/http@0.9.0" (instance)))"#;
    let report = checked(wat::parse_str(other).unwrap(), vec![]).await;
    let words = found(&report, "upload.contract-version");
    assert!(
        words[0].contains("version 0.9.0") && words[0].contains("version 0.1.0"),
        "{words:?}"
    );

    let schema = guests::TABLE_GROWTH.replace("object", "string");
    let report = checked(component(&schema), vec![]).await;
    assert_eq!(found(&report, "upload.schema").len(), 1, "{report:#?}");
    assert_eq!(report.findings[0].level, Level::Error);
}

#[tokio::test]
async fn a_bundled_connector_is_checked_by_a_case_made_up_from_its_schema() {
    for name in ["postmark", "smtp", "twilio-sms"] {
        let report = checked(connector_bundle::component(name).unwrap(), vec![]).await;
        let wrong: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.level != Level::Note)
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        assert!(report.used.is_some(), "{name}: no settings were made up");
        assert!(says(&report.proven, "made up from the schema"), "{name}");
    }
}

#[tokio::test]
async fn components_of_other_languages_draw_nothing_at_build_time() {
    let Some(folder) = std::env::var_os("SENDBOX_LANGUAGE_GUESTS") else {
        println!("SENDBOX_LANGUAGE_GUESTS names no folder");
        return;
    };
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_none_or(|kind| kind != "wasm") {
            continue;
        }
        let report = checked(fs::read(&path).unwrap(), vec![]).await;
        let wrong = ["chance.frozen", "time.frozen", "value.repeats"];
        let wrong: Vec<_> = wrong.iter().flat_map(|code| found(&report, code)).collect();
        assert!(
            wrong.is_empty() && !report.failed(),
            "{}: {report:#?}",
            path.display()
        );
    }
}

/// A project whose component is the `acts` guest, as if it had been built.
fn built_project(acts: &[&str]) -> (tempfile::TempDir, Project) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "language = \"rust\"\nentry = \"src/lib.rs\"\noutput = \"build/acts.wasm\"\n";
    fs::write(folder.path().join("connector.toml"), manifest).unwrap();
    for name in ["build", "cases", "src"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(
        folder.path().join("src/lib.rs"),
        "let id = rand::random();\n",
    )
    .unwrap();
    fs::write(folder.path().join("build/acts.wasm"), guests::ACTS).unwrap();
    let cases: Vec<_> = acts.iter().map(|name| act(name).text + "\n").collect();
    fs::write(folder.path().join("cases/acts.jsonl"), cases.concat()).unwrap();
    let project = Project::read(folder.path()).unwrap();
    (folder, project)
}

#[tokio::test]
async fn a_round_shows_the_message_and_the_requests_that_would_leave() {
    let (_folder, project) = built_project(&["echo"]);
    let round = rehearse(&runtime(EngineConfig::default()), &project).await;
    assert!(round.well, "{:#?}", round.lines);
    for line in [
        "case echo",
        "  message   SignIn to 14155552671: {\"code\":\"123456\"}",
        "  request   GET https://echo.example.com/",
        "  stand-in  answers 200 {\"id\":\"stand-in\",\"ok\":true}",
    ] {
        assert!(
            round.lines.iter().any(|shown| shown == line),
            "{:#?}",
            round.lines
        );
    }
}

#[tokio::test]
async fn a_round_shows_what_a_guest_said_before_it_was_ended() {
    let (_folder, project) = built_project(&["panic", "leak"]);
    let round = rehearse(&runtime(EngineConfig::default()), &project).await;
    assert!(!round.well);
    let shown = round.lines.join("\n");
    assert!(
        shown.contains("failure   unavailable (connector.trap)"),
        "{shown}"
    );
    assert!(shown.contains("as told"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn random_numbers_in_the_sources_that_no_case_draws_are_pointed_at() {
    let (folder, _) = built_project(&["echo"]);
    let output = sendbox(&[
        "check",
        "--output",
        "json",
        &folder.path().display().to_string(),
    ]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let unused = findings
        .iter()
        .find(|finding| finding["code"] == "chance.unused");
    let words = unused.unwrap()["found"].as_str().unwrap();
    assert!(words.starts_with("src/lib.rs:1: rand::"), "{words}");
}

fn sendbox(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sendbox"));
    command
        .arg("connector")
        .args(arguments)
        .stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn a_check_prints_one_finding_a_line_and_exits_1_at_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.wasm");
    let other = r#"(component (import "sendbox:connector/http@0.9.0" (instance)))"#;
    fs::write(&file, wat::parse_str(other).unwrap()).unwrap();
    let output = sendbox(&["check", &file.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8(output.stdout).unwrap();
    let line = printed
        .lines()
        .find(|line| line.contains("upload.contract-version"));
    let line = line.unwrap_or_default();
    assert!(
        line.starts_with("error ") && line.contains("fix: build it again"),
        "{printed}"
    );

    let missing = sendbox(&["check", &Path::new("nowhere").display().to_string()]);
    assert_eq!(missing.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_prints_what_an_operator_has_to_approve() {
    let house = House::start().await;
    let server = format!("http://{}", house.server.address);
    let key = house.operator.clone();
    let (folder, _) = built_project(&["echo"]);
    let path = folder.path().display().to_string();
    let push = move || sendbox(&["push", "--server", &server, "--key", &key, &path]);
    let output = tokio::task::spawn_blocking(push).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    for line in [
        "connector  acts 1.0.0",
        "host       echo.example.com",
        "secret     /secret: headers and credentials, a key that signs",
        "secret     /ungranted: headers and credentials",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{printed}");
    }
    assert!(
        printed.contains("host       {settings:/url} (whatever"),
        "{printed}"
    );
    house.stop().await;
}
