//! Every subcommand of the command line, with every option that it has, against a server that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use sendbox::cli::Cli;
use serde_json::{Value, json};

use crate::harness::Provider;

/// Shell lines in their order, in one folder. What a line answers at a JSON pointer is kept under a name, and `{name}`
/// in later lines stands for it.
const LINES: [(&str, &str, &str); 60] = [
    (
        "sendbox config check --config server.toml --listen 127.0.0.1:1 --data elsewhere",
        "",
        "",
    ),
    (
        "sendbox egress put-source out --address 127.0.0.2 --ehlo-name mail.example.com --per-day 100 --per-hour 50 --began-at 2026-11-21T00:00:00Z",
        "",
        "",
    ),
    (
        "sendbox egress put-source out --address 127.0.0.2 --replace",
        "",
        "",
    ),
    (
        "sendbox egress put-source behind --address 203.0.113.7 --proxy socks5://me@10.0.0.5:1080 --proxy-password-file password",
        "",
        "",
    ),
    ("sendbox egress sources", "", ""),
    ("sendbox egress put-pool acme --source out=2", "", ""),
    ("sendbox egress put-pool spare --source behind", "", ""),
    ("sendbox egress pools", "", ""),
    ("sendbox egress delete-pool spare", "", ""),
    ("sendbox egress delete-source behind", "", ""),
    (
        "sendbox tenant put acme --title Acme --egress-pool acme --allow-host provider.test --replace",
        "",
        "",
    ),
    ("sendbox tenant put spare", "", ""),
    ("sendbox tenant delete spare", "", ""),
    ("sendbox tenant list", "", ""),
    (
        "sendbox tenant key acme --title sign-in --role sender",
        "key",
        "/id",
    ),
    ("sendbox tenant keys acme", "", ""),
    ("sendbox tenant revoke-key acme {key}", "", ""),
    ("sendbox egress explain acme provider.test:80", "", ""),
    ("sendbox egress addresses --tenant acme", "", ""),
    ("sendbox connector upload http-email", "digest", "/digest"),
    ("sendbox connector upload builtin-email", "lent", "/digest"),
    ("sendbox connector upload postmark", "", ""),
    ("sendbox connector list", "", ""),
    (
        "sendbox integration put mail --tenant acme --connector http-email --settings settings.json --digest {digest} --egress-pool acme --replace",
        "",
        "",
    ),
    (
        r#"sendbox integration test mail --tenant acme --to ann@example.com --type SignIn --payload '{"code":"1"}' --locale de --dry-run"#,
        "",
        "",
    ),
    (
        "sendbox integration test mail --tenant acme --to ann@example.com",
        "",
        "",
    ),
    ("sendbox integration activate mail --tenant acme", "", ""),
    ("sendbox integration route email mail --tenant acme", "", ""),
    (
        r#"sendbox send --tenant acme --channel email --to ann@example.com --type SignIn --payload '{"code":"123456"}' --locale de --wait 30"#,
        "",
        "",
    ),
    (
        "sendbox connector inspect postmark --settings > postmark.json",
        "",
        "",
    ),
    (
        "sendbox integration put spare --tenant acme --connector postmark --settings postmark.json",
        "",
        "",
    ),
    (
        "sendbox integration rotate spare --tenant acme --secrets secrets.json",
        "",
        "",
    ),
    ("sendbox integration retire spare --tenant acme", "", ""),
    ("sendbox integration list --tenant acme", "", ""),
    ("sendbox integration show mail --tenant acme", "", ""),
    ("sendbox integration delete spare --tenant acme", "", ""),
    (
        "sendbox template put templates.json --tenant acme --channel email",
        "",
        "",
    ),
    (
        "sendbox template list --tenant acme --channel email --language de --type SignIn",
        "template",
        "/0/id",
    ),
    (
        "sendbox template delete {template} --tenant acme --channel email",
        "",
        "",
    ),
    (
        "sendbox template delete --tenant acme --language en --type SignIn",
        "",
        "",
    ),
    (
        "sendbox template languages --tenant acme --fallback en --match parents --replace",
        "",
        "",
    ),
    (
        "sendbox email-service put acme mail --monthly-cap 5 --tenant-cap acme=7 --connector {lent} --replace",
        "",
        "",
    ),
    ("sendbox email-service get", "", ""),
    ("sendbox email-service use acme", "", ""),
    ("sendbox email-service delete", "", ""),
    (
        "sendbox operator-key create --title metrics --role metrics",
        "operator",
        "/id",
    ),
    ("sendbox operator-key list", "", ""),
    ("sendbox operator-key revoke {operator}", "", ""),
    ("sendbox keys show", "sealing", "/sealing_keys/data/0/id"),
    ("sendbox keys rotate", "", ""),
    ("sendbox keys renew", "", ""),
    ("sendbox keys remove {sealing}", "", ""),
    ("sendbox connector new --lang rust my-mail", "", ""),
    ("sendbox connector build my-mail", "", ""),
    (
        "sendbox connector inspect my-mail/build/my-mail.wasm",
        "",
        "",
    ),
    (
        "sendbox connector replay my-mail/build/my-mail.wasm --check < my-mail/cases/sign-in.jsonl",
        "",
        "",
    ),
    (
        "sendbox connector check my-mail --cases my-mail/cases/sign-in.jsonl",
        "",
        "",
    ),
    ("sendbox connector dev my-mail --once", "", ""),
    ("sendbox connector push my-mail", "", ""),
    (
        "sendbox compile-component 120 4294967296 < my-mail/build/my-mail.wasm",
        "",
        "",
    ),
];
/// Beside the server that the lines above talk to.
const DEMO: &str = "sendbox demo --once --listen 127.0.0.1:0 --log --connector http-email.wasm";
const SERVE: &str =
    "sendbox serve --config server.toml --listen 127.0.0.1:0 --data data --log-json --new-database";
const RECOVER: &str =
    "sendbox operator-key recover --config server.toml --listen 127.0.0.1:1 --data data";

/// Options that mean the same everywhere, and stand in the environment here.
const EVERYWHERE: [&str; 4] = ["server", "ca", "key", "output"];

/// A shell in the folder, with this program first on its path.
fn shell(folder: &Path, line: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_sendbox")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authoring");
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("exec {line}")])
        .current_dir(folder)
        .env("PATH", path)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}\n{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// The files that the lines read.
fn write_files(folder: &Path, provider: &Provider) {
    let port = provider.address.port();
    let settings = json!({ "endpoint": format!("http://provider.test:{port}/") });
    let template = |language| {
        let details = json!({ "subject": "{{code}}", "content": "{{code}}" });
        json!({ "languageTag": language, "templateType": "SignIn", "details": details })
    };
    let loopback = r#"["127.0.0.0/8"]"#;
    let server = format!(
        "[egress]\nallow_addresses = {loopback}\nplaintext_hosts = [\"provider.test\"]\nports = [\"1-65535\"]\n\
         special_names = [\"test\"]\nhosts = {{ \"provider.test\" = [\"127.0.0.1\"] }}\n\
         [engine]\npool_slots = 16\n[node_limits]\nfree_disk_bytes = 1\n"
    );
    let files = [
        ("settings.json", settings.to_string()),
        ("secrets.json", json!({ "/serverToken": "two" }).to_string()),
        (
            "templates.json",
            json!({ "templates": [template("de"), template("en")] }).to_string(),
        ),
        ("password", "secret\n".to_owned()),
        ("server.toml", server),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let component = connector_bundle::component("http-email").unwrap();
    fs::write(folder.join("http-email.wasm"), component).unwrap();
}

/// Runs the server's own line. Its base address.
fn serve(folder: &Path) -> (Child, String) {
    let mut server = shell(folder, SERVE).stderr(Stdio::piped()).spawn().unwrap();
    let log = BufReader::new(server.stderr.take().unwrap());
    let mut lines = log.lines().map_while(Result::ok);
    let listening = lines.find_map(|line| {
        let line: Value = serde_json::from_str(&line).ok()?;
        let address = line.pointer("/fields/address")?.as_str()?;
        Some(format!("http://{address}"))
    });
    std::thread::spawn(move || lines.count());
    (server, listening.expect("the server does not start"))
}

fn end(mut server: Child) {
    let pid = server.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_subcommand_does_its_work_with_real_arguments() {
    let provider = Provider::accepting().await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_files(folder, &provider);
    let (server, address) = serve(folder);
    let key = fs::read_to_string(folder.join("data/operator.key")).unwrap();
    let mut kept = BTreeMap::new();
    for (line, name, pointer) in LINES {
        let line = kept
            .iter()
            .fold(line.to_owned(), |line, (name, value): (&&str, &String)| {
                line.replace(&format!("{{{name}}}"), value)
            });
        let line = line.replacen("sendbox", "sendbox --output json", 1);
        let done = shell(folder, &line)
            .env("SENDBOX_SERVER", &address)
            .env("SENDBOX_KEY", key.trim())
            .output()
            .unwrap();
        assert!(done.status.success(), "{line}\n{}", said(&done));
        if !name.is_empty() {
            let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
            let value = answer.pointer(pointer).and_then(Value::as_str);
            kept.insert(name, value.expect(&line).to_owned());
        }
    }
    end(server);
    assert_eq!(provider.count(), 2, "the test and the message");
    for line in [RECOVER, DEMO] {
        let done = shell(folder, line).output().unwrap();
        assert!(done.status.success(), "{line}\n{}", said(&done));
    }
}

/// Each option of a subcommand, as `connector check --cases`, and the subcommand itself; by `chosen` those alone that
/// a line gives.
fn options(
    command: &clap::Command,
    path: &str,
    chosen: Option<&ArgMatches>,
    out: &mut BTreeSet<String>,
) {
    let path = format!("{path} {}", command.get_name());
    let below = chosen.map(|chosen| chosen.subcommand());
    for inner in command.get_subcommands() {
        match below {
            None => options(inner, &path, None, out),
            Some(Some((name, chosen))) if name == inner.get_name() => {
                options(inner, &path, Some(chosen), out);
            }
            Some(_) => {}
        }
    }
    if command.has_subcommands() {
        return;
    }
    out.insert(path.clone());
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let is_given =
            chosen.is_none_or(|chosen| chosen.value_source(id) == Some(ValueSource::CommandLine));
        if is_given && !EVERYWHERE.contains(&id) {
            out.insert(format!("{path} {id}"));
        }
    }
}

#[test]
fn no_subcommand_and_no_option_is_forgotten() {
    Cli::command().debug_assert();
    let (mut all, mut called) = (BTreeSet::new(), BTreeSet::new());
    options(&Cli::command(), "", None, &mut all);
    let lines = LINES.iter().map(|(line, ..)| *line);
    for line in lines.chain([DEMO, SERVE, RECOVER]) {
        let line = line.split(['<', '>']).next().unwrap().trim();
        let words = line.split_whitespace().map(|word| word.trim_matches('\''));
        let matches = without_keys(Cli::command())
            .try_get_matches_from(words)
            .expect(line);
        options(&Cli::command(), "", Some(&matches), &mut called);
    }
    let forgotten: Vec<_> = all.difference(&called).collect();
    assert!(forgotten.is_empty(), "in no line: {forgotten:#?}");
}

/// No key is required: where the lines are run, it stands in the environment.
fn without_keys(command: clap::Command) -> clap::Command {
    let names: Vec<_> = command
        .get_subcommands()
        .map(|inner| inner.get_name().to_owned())
        .collect();
    let command = command.mut_args(|argument| match argument.get_id() == "key" {
        true => argument.required(false),
        false => argument,
    });
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, without_keys)
    })
}
