//! The authors' guide, run as it is written: each language's block in an empty folder, and the upload that follows.
//!
//! Toolchains come from the registries. Without `SENDBOX_REQUIRE_TOOLCHAINS` the tests say so and pass.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::House;
use crate::replays::workspace;

/// What stands in the guide's section of this heading as commands of a shell.
fn commands(heading: &str) -> String {
    let guide = fs::read_to_string(workspace().join("docs/writing-connectors.md")).unwrap();
    let (_, section) = guide.split_once(&format!("# {heading}\n")).unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
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

/// From nothing to a message that the stand-in shows, and to a server.
async fn leads_to_a_sent_message(heading: &str) {
    if std::env::var_os("SENDBOX_REQUIRE_TOOLCHAINS").is_none() {
        println!("skipped: SENDBOX_REQUIRE_TOOLCHAINS is not set");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let said = run(&commands(heading), folder.path(), &[]);
    let project = folder.path().join("my-mail");
    let case = fs::read_to_string(project.join("cases/sign-in.jsonl")).unwrap();
    let case: serde_json::Value = serde_json::from_str(case.lines().next().unwrap()).unwrap();
    for shown in ["/message/to", "/message/payload/code", "/settings/endpoint"] {
        let shown = case.pointer(shown).unwrap().as_str().unwrap();
        assert!(said.contains(shown), "{shown} in {said}");
    }
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
        .operate("GET", "/v1/connectors/my-mail", serde_json::Value::Null)
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
