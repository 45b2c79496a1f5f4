//! The authors' guide, run as it is written: each language's block in an empty folder, and the upload that follows.
//!
//! Toolchains come from the registries. Without `SENDBOX_REQUIRE_TOOLCHAINS` the tests say so and pass.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use sendbox_tests::repository;

use crate::harness::House;

/// The blocks in the guide's section of this heading.
fn blocks(heading: &str) -> Vec<String> {
    let guide = fs::read_to_string(repository::root().join("docs/writing-connectors.md")).unwrap();
    let (_, section) = guide.split_once(&format!("# {heading}\n")).unwrap();
    let section = section.split("\n##").next().unwrap();
    let pieces = section.split("```").skip(1).step_by(2);
    let block = |piece: &str| piece.split_once('\n').unwrap().1.to_owned();
    pieces.map(block).collect()
}

/// The first of them: commands of a shell.
fn commands(heading: &str) -> String {
    blocks(heading).swap_remove(0)
}

/// Whether toolchains are wanted.
fn wanted() -> bool {
    let wanted = std::env::var_os("SENDBOX_REQUIRE_TOOLCHAINS").is_some();
    if !wanted {
        println!("skipped: SENDBOX_REQUIRE_TOOLCHAINS is not set");
    }
    wanted
}

/// Runs commands in a folder and answers what they say. Every one of them must succeed.
fn run(commands: &str, folder: &Path, variables: &[(&str, &str)]) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_sendbox"));
    let path = [
        program.parent().unwrap().to_str().unwrap(),
        &std::env::var("PATH").unwrap(),
    ]
    .join(":");
    let output = Command::new("bash")
        .args(["-euxo", "pipefail", "-c", commands])
        .current_dir(folder)
        .env("PATH", path)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    said
}

/// The stand-in's words hold what the project's case sends.
fn shows_the_message(said: &str, project: &Path) {
    let case = fs::read_to_string(project.join("cases/sign-in.jsonl")).unwrap();
    let case: Value = serde_json::from_str(case.lines().next().unwrap()).unwrap();
    for shown in ["/message/to", "/message/payload/code", "/settings/endpoint"] {
        let shown = case.pointer(shown).unwrap().as_str().unwrap();
        assert!(said.contains(shown), "{shown} in {said}");
    }
}

/// What was built says of itself what the project is called.
fn is_the_component_of_its_name(project: &Path, name: &str, title: &str) {
    let inspect = format!("sendbox connector inspect build/{name}.wasm --output json 2>/dev/null");
    let said = run(&inspect, project, &[]);
    let inspected: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(inspected["info"]["id"], name);
    assert_eq!(inspected["info"]["titles"][0][1], title);
}

/// From nothing to a message that the stand-in shows, and to a server.
async fn leads_to_a_sent_message(heading: &str) {
    if !wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let said = run(&commands(heading), folder.path(), &[]);
    let project = folder.path().join("my-mail");
    shows_the_message(&said, &project);
    is_the_component_of_its_name(&project, "my-mail", "My Mail");
    let house = House::start().await;
    let server = format!("http://{}", house.server.address);
    let variables = [
        ("SENDBOX_SERVER", server.as_str()),
        ("SENDBOX_KEY", &house.operator),
    ];
    let upload = commands("To a server");
    let pushed = tokio::task::spawn_blocking({
        let (project, variables) = (project.clone(), variables.map(|(n, v)| (n, v.to_owned())));
        move || {
            let variables = variables
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            run(&upload, &project, &variables)
        }
    });
    let pushed = pushed.await.unwrap();
    assert!(pushed.contains("{settings:/endpoint}"), "{pushed}");
    let listed = house
        .operate("GET", "/v1/connectors/my-mail", Value::Null)
        .await
        .expect(200);
    assert_eq!(listed.text_at("/data/0/id"), "my-mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_holds_in_rust() {
    leads_to_a_sent_message("Rust").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_holds_in_c() {
    leads_to_a_sent_message("C and C++").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_holds_in_go() {
    leads_to_a_sent_message("Go").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_holds_in_javascript() {
    leads_to_a_sent_message("JavaScript and TypeScript").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_holds_in_python() {
    leads_to_a_sent_message("Python").await;
}

#[test]
fn the_guide_holds_for_a_language_without_an_sdk() {
    if !wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [begin, source, script, end] = blocks("Zig, as an example").try_into().unwrap();
    run(&begin, folder.path(), &[]);
    let project = folder.path().join("my-hook");
    fs::write(project.join("connector.zig"), source).unwrap();
    fs::write(project.join("build.sh"), script).unwrap();
    let said = run(&end, &project, &[]);
    shows_the_message(&said, &project);
    is_the_component_of_its_name(&project, "my-hook", "My hook");
}
