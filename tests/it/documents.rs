//! The blocks of README and of the operator's guide run as they are written, one after the other, as whoever reads them
//! would run them: in a network of their own, with a provider that accepts.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use sendbox_tests::canary::in_namespace;
use sendbox_tests::certificates::Authority;
use sendbox_tests::peer::{Peer, Reply};
use sendbox_tests::repository;

/// The provider of the README's connector, and where it stands here.
const PROVIDER: (&str, &str) = ("api.postmarkapp.com", "203.0.113.100");
/// Blocks that have a test or a step of CI of their own, by a line in them.
const ELSEWHERE: [&str; 4] = [
    "cargo run -- demo --once",
    "cargo test --workspace",
    "sendbox connector new --lang js my-mail",
    "docs/egress-backstop.sh up --user sendbox --allow 10.0.0.53",
];
/// What stands for something that every reader has another of: a command of the shell that finds it.
const READERS_OWN: [(&str, &str); 2] = [
    (
        "keys remove 5e1f0c22ab34",
        "keys remove $(sendbox --output json keys show | grep -o '\"id\":\"[0-9a-f]*\"' | head -1 | cut -d'\"' -f4)",
    ),
    (
        "operator-key revoke 0123456789abcdef",
        "operator-key revoke $(sendbox --output json operator-key create --title x | grep -o '\"id\":\"[0-9a-f]*\"' | cut -d'\"' -f4)",
    ),
];
/// A block that wants the server stopped.
const STOPPED: &str = "operator-key recover";

/// The blocks for a shell in a document.
fn blocks(document: &str) -> Vec<String> {
    let text = fs::read_to_string(repository::root().join(document)).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.any(|line| line == "```sh") {
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

/// All of them as one script. Each line of a block is said before it runs.
fn script() -> String {
    let mut script = "set -eu\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n".to_owned();
    let start = "sendbox serve --data sendbox-data &\nuntil curl -sf http://127.0.0.1:8080/readyz; do sleep 1; done";
    let all: Vec<_> = ["README.md", "docs/operating.md"].map(blocks).concat();
    assert!(all.len() > 12, "{all:#?}");
    let is_elsewhere = |block: &&String| !ELSEWHERE.iter().any(|line| block.contains(line));
    for block in all.iter().filter(is_elsewhere) {
        let mut block = block.clone();
        for (example, own) in READERS_OWN {
            block = block.replace(example, own);
        }
        if block.contains(STOPPED) {
            block = format!("kill %1; wait %1 || true\n{block}\n{start}");
        }
        let said = block.replace('\'', "'\\''");
        let _ = write!(script, "printf '%s\\n' '{said}' >&2\n{block}\n");
    }
    script.push_str("echo all of it ran\n");
    script
}

/// What the reader has already: the program where `cargo build --release` leaves it, and a configuration.
fn prepare(folder: &Path) {
    let release = folder.join("target/release");
    fs::create_dir_all(&release).unwrap();
    symlink(env!("CARGO_BIN_EXE_sendbox"), release.join("sendbox")).unwrap();
    let tools = folder.join("tools");
    fs::create_dir(&tools).unwrap();
    // It is built: this test is of what follows.
    let cargo = "#!/bin/sh\n[ \"$*\" = 'build --release' ]\n";
    fs::write(tools.join("cargo"), cargo).unwrap();
    fs::set_permissions(tools.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(
        folder.join("sendbox.toml"),
        "[store]\nfolder = \"sendbox-data\"\n",
    )
    .unwrap();
}

#[test]
fn every_block_of_readme_and_guide_runs_as_it_is_written() {
    in_namespace(|| async {
        let (name, address) = PROVIDER;
        let authority = Authority::new();
        let accepted = r#"{"To":"you@example.com","MessageID":"1","ErrorCode":0,"Message":"OK"}"#;
        let provider = Peer::start_at(
            format!("{address}:443").parse().unwrap(),
            Some(authority.server(name)),
            move |_| Reply::ok(accepted),
        )
        .await;
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let path = format!(
            "{}:{}",
            folder.path().join("tools").display(),
            std::env::var("PATH").unwrap()
        );
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &script()])
            .current_dir(folder.path())
            .env("PATH", path)
            .env(
                "SENDBOX__EGRESS__HOSTS",
                format!("{{ \"{name}\" = [\"{address}\"] }}"),
            )
            .env("SENDBOX__EGRESS__EXTRA_ROOTS", authority.file())
            .env("SENDBOX__EGRESS__ALLOW_ADDRESSES", "[\"203.0.113.0/24\"]")
            .env("SENDBOX__ENGINE__POOL_SLOTS", "16")
            .env("SENDBOX__NODE_LIMITS__FREE_DISK_BYTES", "1");
        // The threads of this runtime are in the namespace, and so is what they start.
        let output = tokio::task::spawn_blocking(move || shell.output().unwrap())
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("all of it ran"),
            "{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(provider.arrivals().len(), 2, "a test and a message");
    });
}
