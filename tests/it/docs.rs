//! The documents say what the program does: its commands, its configuration and its routes.

use std::fs;
use std::path::Path;

use clap::Parser;
use sendbox::cli::Cli;
use sendbox::config::Config;
use serde_json::Value;

fn document(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join(path)).unwrap()
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
        let line = line.strip_prefix("target/release/").unwrap_or(line);
        let demo = line.strip_prefix("cargo run --release -- ");
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
