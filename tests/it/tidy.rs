//! The house's invariants, read off its source. Each check first proves that it can fail.

use std::collections::BTreeSet;
use std::fs;

mod files;

use files::{File, folders, holds};
use sendbox_tests::repository::root;

/// Lines that a file may have, its tests aside.
const LINES_MAX: usize = 400;

/// Names of providers that the runtime must not know, besides those of the connectors' folders.
const PROVIDERS: [&str; 12] = [
    "postmark",
    "twilio",
    "sendgrid",
    "mailgun",
    "mailjunky",
    "aliyun",
    "tencent",
    "vonage",
    "smsaero",
    "smsbao",
    "yunpian",
    "gatewayapi",
];

/// Lines of code in the runtime that hold one of the words outside their home.
fn strays(files: &[File], words: &[&str], home: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.in_runtime().is_some_and(|path| !home(path)))
    {
        for (number, line) in file.code() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{number}: {word}", file.path));
            }
        }
    }
    found
}

/// Whether a path is a module's own file or lies below it.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[test]
fn only_the_egress_floor_opens_sockets_or_resolves_names() {
    let clients = [
        "TcpStream",
        "TcpSocket",
        "UdpSocket",
        "UnixStream",
        "lookup_host",
        "ToSocketAddrs",
        "socket2",
        "hickory",
        "tokio_socks",
        "hyper::client",
        "hyper_util::client",
        "rustls",
    ];
    holds(
        |files| strays(files, &clients, |path| within(path, "egress")),
        &[
            ("runtime/src/delivery.rs", "use tokio::net::TcpStream;"),
            (
                "runtime/src/egress_log.rs",
                "    let found = tokio::net::lookup_host(name).await;",
            ),
        ],
    );
    holds(
        |files| {
            let home = |path: &str| {
                within(path, "egress") || within(path, "server") || path.starts_with("cli/demo/")
            };
            strays(files, &["tokio::net", "std::net::Tcp", "TcpListener"], home)
        },
        &[("runtime/src/api.rs", "use tokio::net::TcpListener;")],
    );
}

#[test]
fn only_the_connector_floor_knows_the_engine_and_the_generated_types() {
    holds(
        |files| {
            strays(files, &["wasmtime", "wasmparser", "bindings::"], |path| {
                within(path, "connector")
            })
        },
        &[
            ("runtime/src/delivery/attempt.rs", "use wasmtime::Store;"),
            (
                "runtime/src/replay.rs",
                "use crate::connector::bindings::types;",
            ),
        ],
    );
}

#[test]
fn only_the_store_speaks_sql() {
    holds(
        |files| strays(files, &["sqlx"], |path| within(path, "store")),
        &[(
            "runtime/src/api/messages.rs",
            "    sqlx::query(\"select 1\")",
        )],
    );
}

/// Comments count: a provider's habits are its connector's business.
fn providers(files: &[File], names: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let Some(path) = file.in_runtime() else {
            continue;
        };
        let text = file.text.to_lowercase();
        // The demo uploads the first of these by its id; Logto's own connectors are called so too.
        let generic = within(path, "cli/demo") || within(path, "front_doors");
        let known = |name: &str| generic && ["http-email", "http-sms"].contains(&name);
        let named = names
            .iter()
            .filter(|name| text.contains(name.as_str()) && !known(name));
        found.extend(named.map(|name| format!("{}: {name}", file.path)));
    }
    found
}

#[test]
fn the_runtime_knows_no_provider() {
    let mut names: BTreeSet<String> = PROVIDERS.map(str::to_owned).into();
    names.extend(
        folders("connectors")
            .into_iter()
            .filter(|name| name != "smtp"),
    );
    names.remove("bundle");
    holds(
        |files| providers(files, &names),
        &[
            ("runtime/src/egress/http.rs", "// Twilio answers 429"),
            ("runtime/src/front_doors/logto.rs", "\"api.sendgrid.com\""),
            ("runtime/src/delivery.rs", "if id == \"http-email\""),
        ],
    );
}

fn status_codes(files: &[File]) -> Vec<String> {
    let successes = ["OK", "CREATED", "ACCEPTED", "NO_CONTENT"];
    let mut found = Vec::new();
    for file in files {
        let Some(path) = file.in_runtime() else {
            continue;
        };
        if path == "api/error.rs" || within(path, "front_doors") || within(path, "cli/demo") {
            continue;
        }
        for (number, line) in file.code() {
            let chosen = line.split("StatusCode::").skip(1).map(|rest| {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                &rest[..end]
            });
            let wrong = chosen.filter(|word| !(within(path, "api") && successes.contains(word)));
            found.extend(wrong.map(|word| format!("{}:{number}: StatusCode::{word}", file.path)));
        }
    }
    found
}

#[test]
fn refusals_get_their_status_code_in_one_file() {
    holds(
        status_codes,
        &[
            (
                "runtime/src/api/tenants.rs",
                "return Err((StatusCode::CONFLICT, text));",
            ),
            ("runtime/src/delivery.rs", "let status = StatusCode::OK;"),
        ],
    );
}

/// The rows of the table in `lib.rs`: each floor's modules, the lowest floor first.
fn floors(table: &str) -> Vec<Vec<String>> {
    let rows = table
        .lines()
        .filter(|line| line.starts_with("//! |") && line.contains("[`"));
    rows.map(|row| {
        row.split("[`")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once("`]")?.0.to_owned()))
            .collect()
    })
    .collect()
}

/// The modules of the crate that a line names.
fn imports(line: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    };
    let named = line
        .split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split(',').map(|item| word(item.trim())).collect(),
            None => vec![word(rest)],
        });
    named
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

fn climbing(files: &[File], floors: &[Vec<String>]) -> Vec<String> {
    let floor = |module: &str| {
        floors
            .iter()
            .position(|floor| floor.iter().any(|name| name == module))
    };
    let mut found = Vec::new();
    for file in files {
        let Some(path) = file
            .in_runtime()
            .filter(|path| !["lib.rs", "main.rs"].contains(path))
        else {
            continue;
        };
        let own = path.split(['/', '.']).next().unwrap_or_default();
        let Some(own_floor) = floor(own) else {
            found.push(format!("{}: {own} stands on no floor of lib.rs", file.path));
            continue;
        };
        // Words lean on words, and doors open into each other; the floors between are apart.
        let together = own_floor == 0 || own_floor + 1 == floors.len();
        for (number, line) in file.code() {
            for name in imports(line).into_iter().filter(|name| name != own) {
                let below = floor(&name)
                    .is_some_and(|other| other < own_floor || (together && other == own_floor));
                if !below {
                    found.push(format!("{}:{number}: {own} imports {name}", file.path));
                }
            }
        }
    }
    found
}

#[test]
fn each_floor_imports_only_floors_below_it() {
    let lib = fs::read_to_string(root().join("runtime/src/lib.rs")).unwrap();
    let floors = floors(&lib);
    let modules: BTreeSet<_> = floors.iter().flatten().map(String::as_str).collect();
    let declared: BTreeSet<_> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(modules, declared, "the table of lib.rs lists its modules");
    holds(
        |files| climbing(files, &floors),
        &[
            ("runtime/src/store/accept.rs", "use crate::egress::Egress;"),
            ("runtime/src/message.rs", "use crate::store::Store;"),
            ("runtime/src/connector/call.rs", "use crate::{api, id};"),
            ("runtime/src/cellar.rs", ""),
        ],
    );
}

fn long_files(files: &[File]) -> Vec<String> {
    let rust = files
        .iter()
        .filter(|file| file.is_rust() && !file.is_test());
    let sizes = rust.map(|file| (file.without_tests().lines().count(), &file.path));
    sizes
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect()
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    holds(
        long_files,
        &[(
            "guest-sdk/rust/src/long.rs",
            &"//! Long.\n".repeat(LINES_MAX + 1),
        )],
    );
}

fn untitled(files: &[File]) -> Vec<String> {
    let rust = files
        .iter()
        .filter(|file| file.is_rust() && !file.text.starts_with("//! "));
    rust.map(|file| file.path.clone()).collect()
}

#[test]
fn every_source_file_begins_with_its_job() {
    holds(
        untitled,
        &[("connectors/bundle/build.rs", "use std::env;\n")],
    );
}

/// The words are put together here, so that this file does not find itself.
fn unfinished(files: &[File]) -> Vec<String> {
    let anywhere = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("FIX", "ME"),
    ];
    let in_tests = [concat!("thread::", "sleep"), concat!("time::", "sleep(")];
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        found.extend(
            anywhere
                .iter()
                .filter(|word| file.text.contains(**word))
                .map(|word| format!("{}: {word}", file.path)),
        );
        // A hostile guest may sleep: that is its attack.
        if !file.path.starts_with("tests/guests/") {
            let lax = in_tests.iter().filter(|word| file.tests().contains(**word));
            found.extend(lax.map(|word| format!("{}: {word}", file.path)));
        }
    }
    found
}

#[test]
fn nothing_is_left_unfinished_and_no_test_sleeps_or_is_skipped() {
    holds(
        unfinished,
        &[
            (
                "runtime/src/store.rs",
                concat!("fn later() { to", "do!() }"),
            ),
            (
                "tests/it/main.rs",
                concat!("#[test]\n#[ig", "nore]\nfn never() {}"),
            ),
            (
                "runtime/src/time.rs",
                concat!(
                    "//! Time.\n#[cfg(test)]\nmod tests { fn f() { tokio::time::",
                    "sleep(d) } }"
                ),
            ),
        ],
    );
}

#[test]
fn all_connectors_are_built_alike_and_stand_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let connectors = folders("connectors");
    assert!(connectors.len() > 1, "the connectors' folder is found");
    for name in connectors.iter().filter(|name| *name != "bundle") {
        for part in [
            "Cargo.toml",
            "src/lib.rs",
            "README.md",
            "settings.schema.json",
        ] {
            assert!(
                root().join("connectors").join(name).join(part).is_file(),
                "{name} has no {part}"
            );
        }
        assert!(
            readme.contains(&format!("](connectors/{name})")),
            "README.md does not list {name}"
        );
    }
}

/// What hostile guests can do, as tests name it: the acts of those that do as they are told, and the
/// constants of those that are a file of text.
fn attacks(files: &[File]) -> BTreeSet<String> {
    let mut attacks = BTreeSet::new();
    for file in files {
        let Some(path) = file.path.strip_prefix("tests/guests/") else {
            continue;
        };
        if let Some(name) = path.strip_suffix(".wat") {
            attacks.insert(format!("guests::{}", name.replace('-', "_").to_uppercase()));
        }
        let acts = file.text.split("is(\"").skip(1);
        attacks.extend(acts.filter_map(|rest| Some(format!("\"{}\"", rest.split_once("\")")?.0))));
    }
    attacks
}

fn untested(files: &[File]) -> Vec<String> {
    let tests = || {
        files
            .iter()
            .filter(|file| file.path.starts_with("tests/it/"))
    };
    let attacks = attacks(files).into_iter();
    attacks
        .filter(|attack| !tests().any(|file| file.text.contains(attack)))
        .collect()
}

#[test]
fn every_hostile_act_is_put_to_the_test() {
    holds(
        untested,
        &[
            (
                "tests/guests/acts/src/acts.rs",
                "() if is(\"eat-disk\") => eat_disk(),",
            ),
            ("tests/guests/eat-memory.wat", "(module)"),
        ],
    );
}

/// Paths that begin at the root of one machine.
fn machine_paths(files: &[File]) -> Vec<String> {
    let roots = ["work", "farm", "root", "home", "Users"].map(|name| format!("/{name}/"));
    let mut found = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            let absolute = |at: usize| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_.-}~".contains(c))
            };
            let named = |root: &String| {
                line.match_indices(root.as_str())
                    .any(|(at, _)| absolute(at))
            };
            if roots.iter().any(named) {
                found.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn no_text_names_a_path_of_one_machine() {
    let broken = format!("see /{}/someone/notes.md", "home");
    holds(machine_paths, &[("docs/operating.md", &broken)]);
}
