//! The documents say what the program does: its commands, its configuration and its routes.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Parser;
use sendbox::about::ConnectorInfo;
use sendbox::cli::Cli;
use sendbox::config::Config;
use sendbox::connector::EngineConfig;
use sendbox::outcome::FailureKind;
use sendbox_tests::repository;
use serde_json::Value;

use crate::sandbox::runtime;

fn path(document: &str) -> PathBuf {
    repository::root().join(document)
}

fn document(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// The words of a command as a shell without variables would part them.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn is_understood(command: &str) -> bool {
    let plain = words(command);
    // The key comes from the environment in the documents.
    let with_key = [plain.clone(), vec!["--key".to_owned(), "key".to_owned()]].concat();
    Cli::try_parse_from(plain).is_ok() || Cli::try_parse_from(with_key).is_ok()
}

#[test]
fn every_command_of_the_readme_is_understood() {
    assert!(!is_understood("sendbox tenant make acme"));
    let readme = document("README.md");
    let lines = readme.lines().map(|line| line.trim_end_matches(" &"));
    let commands = lines.filter_map(|line| {
        // What a shell does with its output is no word of the command.
        let line = line.split(" > ").next().unwrap();
        let demo = line.strip_prefix("cargo run -- ");
        demo.map(|rest| format!("sendbox {rest}"))
            .or_else(|| line.starts_with("sendbox ").then(|| line.to_owned()))
    });
    let commands: Vec<_> = commands.collect();
    assert!(commands.len() > 5, "{commands:?}");
    for command in commands {
        assert!(is_understood(&command), "{command}");
    }
}

/// Sections with the keys in them; a nested section's keys have its name in front.
fn keys(value: &Value, prefix: &str, out: &mut Vec<String>) {
    for (name, value) in value.as_object().unwrap() {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                keys(value, &format!("{prefix}{name}."), out);
            }
            _ => out.push(format!("{prefix}{name}")),
        }
    }
}

#[test]
fn every_key_of_the_configuration_stands_in_the_operators_guide() {
    let guide = document("docs/operating.md");
    let config = serde_json::to_value(Config::default()).unwrap();
    for (section, value) in config.as_object().unwrap() {
        let from = guide.find(&format!("| `[{section}]`")).expect(section);
        let table = guide[from..].split("\n\n").next().unwrap();
        let mut names = Vec::new();
        keys(value, "", &mut names);
        assert!(!names.is_empty());
        for name in names {
            assert!(table.contains(&format!("`{name}`")), "[{section}] {name}");
        }
    }
}

#[test]
fn every_route_stands_in_the_api_reference() {
    let reference = document("docs/api.md");
    let sources = [
        document("runtime/src/api.rs"),
        document("runtime/src/api/templates.rs"),
        document("runtime/src/front_doors.rs"),
    ]
    .concat();
    let literals = |call: &str| -> Vec<String> {
        let calls = sources.split(call).skip(1);
        let paths = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
        paths
            .map(|path| path.trim_end_matches('/').to_owned())
            .collect()
    };
    let routes = literals(".route(");
    assert!(routes.len() > 20, "{routes:?}");
    for route in routes {
        assert!(reference.contains(&format!("{route}`")), "{route}");
    }
    for nest in literals(".nest(") {
        assert!(reference.contains(&format!("{nest}/")), "{nest}");
    }
}

/// The secrets of a settings schema, as JSON pointers.
fn secrets(schema: &Value, pointer: &str, out: &mut Vec<String>) {
    if schema["writeOnly"] == true {
        out.push(pointer.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        secrets(property, &format!("{pointer}/{name}"), out);
    }
}

/// The link to the provider in a readme's first sentence.
fn link(readme: &str) -> Option<&str> {
    let (_, text) = readme.split_once("\n\n")?;
    let sentence = text.split(". ").next()?;
    let from = sentence.find("](https://").and(sentence.find('['))?;
    let to = sentence[from..].find(')')?;
    Some(&sentence[from..=from + to])
}

fn row(info: &ConnectorInfo) -> String {
    let code = |texts: &[String]| {
        let texts = texts.iter().map(|text| format!("`{text}`"));
        texts.collect::<Vec<_>>().join(" ")
    };
    let mut pointers = Vec::new();
    secrets(&info.settings_schema, "", &mut pointers);
    let placed = pointers.iter().map(|pointer| {
        let mut grants = info.secret_grants.iter();
        let grant = grants.find(|grant| grant.setting == *pointer);
        let places = grant.map_or([false; 3], |grant| [grant.query, grant.body, grant.signing]);
        let words = ["query", "body", "signature"].into_iter().zip(places);
        let words = words.filter_map(|(word, granted)| granted.then_some(word));
        let words = words.collect::<Vec<_>>().join(", ");
        let words = Some(words).filter(|words| !words.is_empty());
        format!(
            "`{pointer}`{}",
            words.map_or(String::new(), |words| format!(" ({words})"))
        )
    });
    format!(
        "| [{}](../connectors/{id}/README.md) | `{id}` | {} | {} | {} | {} | {} |\n",
        info.titles[0].1,
        info.channel.as_str(),
        link(&info.readme).unwrap_or("–"),
        info.descriptions[0].1,
        Some(code(&info.hosts))
            .filter(|hosts| !hosts.is_empty())
            .unwrap_or_else(|| "–".to_owned()),
        placed.collect::<Vec<_>>().join(" "),
        id = info.id.as_str(),
    )
}

/// The tables by which connectors read refusals, from the files that they are compiled with.
fn codes() -> String {
    let mut text = "\n## Codes\n\n\
        What a provider's refusal means, in order: the first row that fits decides, else the status code. \
        A code ends with `*` where it is the beginning of several; words in quotation marks are looked for in the \
        provider's own; a number and a colon bind them to that status code. A code that stands nowhere is \
        `invalid-settings` under a 2xx, 400 or 422, so that a route goes on to its next integration.\n"
        .to_owned();
    let shared = [
        (
            "Alibaba Cloud: `aliyun-dm`, `aliyun-sms`, `aliyun-sms-mas`",
            "guest-sdk/rust/src/aliyun.txt".to_owned(),
        ),
        ("`smtp`", "guest-sdk/rust/src/smtp/codes.txt".to_owned()),
    ];
    let shared = shared.map(|(title, file)| (title.to_owned(), file));
    let own = connector_bundle::BUNDLED.iter();
    let own = own.map(|(name, _)| (format!("`{name}`"), format!("connectors/{name}/codes.txt")));
    for (title, file) in shared.into_iter().chain(own) {
        let Ok(table) = fs::read_to_string(path(&file)) else {
            continue;
        };
        text.push_str(&format!(
            "\n### {title}\n\n| kind | codes and words | what they say |\n|---|---|---|\n"
        ));
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [kind, patterns, words] = cells[..] else {
                panic!("{file}: {line}");
            };
            let known = serde_json::from_value::<FailureKind>(kind.into());
            assert!(known.is_ok(), "{file}: no kind {kind}");
            let patterns: Vec<_> = patterns
                .split(',')
                .map(|p| format!("`{}`", p.trim()))
                .collect();
            text.push_str(&format!(
                "| `{kind}` | {} | {words} |\n",
                patterns.join(" ")
            ));
        }
    }
    text
}

/// With `UPDATE=1` in the environment the page is written.
#[tokio::test]
async fn the_page_of_providers_is_what_the_connectors_say_of_themselves() {
    let runtime = runtime(EngineConfig::default());
    let mut page = "# Providers\n\n\
        The connectors in the box, as each describes itself; `UPDATE=1 cargo test -p sendbox --test it \
        page_of_providers` writes this page. The title leads to how to set it up. A host in braces comes \
        from that setting. Every secret may stand in a header; other places are in parentheses.\n\n\
        | connector | id | channel | provider | what it does | hosts | secrets |\n\
        |---|---|---|---|---|---|---|\n"
        .to_owned();
    for (_, bytes) in connector_bundle::BUNDLED {
        let inspection = runtime.inspect(Bytes::from_static(bytes)).await.unwrap();
        page.push_str(&row(&inspection.info));
    }
    page.push_str(&codes());
    let file = "docs/providers.md";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path(file), &page).unwrap();
    }
    assert_eq!(
        document(file),
        page,
        "{file} is stale: run the test with UPDATE=1"
    );
}
