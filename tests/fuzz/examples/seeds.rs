//! Writes the shared bad inputs as seeds: `seeds FOLDER`, one folder below it for each target. Without the shared
//! cases it writes none.
//!
//! An example, so that it is built with the features of `cargo test --workspace`, as all its dependencies are.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a tool for whoever fuzzes"
)]

use std::path::PathBuf;
use std::{env, fs};

use sendbox_tests::cases::cases;
use serde_json::Value;

const HOST: &str = "api.allowed.test";
const SECRET: &str = "k3y/with+signs";

/// A target and the fields of one input for it.
type Seed = (&'static str, Vec<String>);

fn main() {
    let folder: PathBuf = env::args_os().nth(1).expect("a folder").into();
    let mut written = 0;
    for case in cases("corpus/bad-input.jsonl") {
        let id = case["id"].as_str().unwrap_or_default();
        let kind = case["kind"].as_str().unwrap_or_default();
        for (target, fields) in seeds(kind, &case["input"]) {
            let folder = folder.join(target);
            fs::create_dir_all(&folder).expect("the folder");
            fs::write(folder.join(id), input_of(&fields)).expect("the seed");
            written += 1;
        }
    }
    println!("{written} seeds of recorded cases");
}

/// The fields as an input: see `sendbox_fuzz`'s fields. U+0001 parts the items of one.
fn input_of(fields: &[String]) -> Vec<u8> {
    let fields: Vec<&[u8]> = fields.iter().map(String::as_bytes).collect();
    let mut input = fields.join(&0xff);
    input
        .iter_mut()
        .filter(|byte| **byte == 1)
        .for_each(|byte| *byte = 0xfe);
    input
}

fn seeds(kind: &str, input: &Value) -> Vec<Seed> {
    let text = whole(input);
    let field = |name: &str| input.get(name).map(whole);
    match kind {
        "url" | "policy" => vec![request(&text, "GET", "", ""), address(&text)],
        "addr" => vec![request(&format!("https://[{text}]/"), "GET", "", "")],
        "path" => vec![request(&format!("https://{HOST}{text}"), "GET", "", "")],
        "redirect" | "response" => vec![response(input)],
        "header" => {
            let method = field("method").unwrap_or_else(|| "POST".to_owned());
            vec![request(
                &format!("https://{HOST}/"),
                &method,
                &pair(input),
                "x",
            )]
        }
        "secret" => {
            let secret = |name| field(name).unwrap_or_default().replace("{{K1}}", "{K}");
            let to = field("to").unwrap_or_else(|| HOST.to_owned());
            let url = format!("https://{to}/?{}", secret("query"));
            let header = format!("authorization\u{1}{}", secret("authorization"));
            vec![request(&url, "POST", &header, &secret("body"))]
        }
        "smtp-envelope" => vec![submission(
            &field("from").unwrap_or_else(|| "a@b.test".to_owned()),
            &field("rcpt").unwrap_or_else(|| "u@x.test".to_owned()),
            "Subject: Hi\r\n\r\nHello",
        )],
        "smtp-body" => vec![
            submission("a@b.test", "u@x.test", &text),
            mail("Team <a@b.test>", "Hi", &text, ""),
        ],
        "smtp-header" => {
            let name = field("from_name").unwrap_or_else(|| "Team".to_owned());
            let subject = field("subject").unwrap_or_else(|| "Hi".to_owned());
            let header = input.get("header").map(pair).unwrap_or_default();
            vec![mail(
                &format!("{name} <a@b.test>"),
                &subject,
                "Hello",
                &header,
            )]
        }
        _ => Vec::new(),
    }
}

/// The text that a case stands for.
fn whole(input: &Value) -> String {
    let times = input.get("times").and_then(Value::as_u64).unwrap_or(1);
    let times = usize::try_from(times).unwrap_or(1).min(1 << 14);
    match input {
        Value::String(text) => text.clone(),
        Value::Object(parts) => {
            let part = |name| parts.get(name).and_then(Value::as_str).unwrap_or_default();
            part("prefix").to_owned() + &part("repeat").repeat(times)
        }
        other => other.to_string(),
    }
}

/// A header's name and value, parted by what becomes 0xFE.
fn pair(input: &Value) -> String {
    let texts = input
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join("\u{1}")
}

fn request(url: &str, method: &str, headers: &str, body: &str) -> Seed {
    let fields = [
        SECRET,
        url,
        method,
        headers,
        "0",
        "",
        "",
        body,
        "x-echo\u{1}{K}",
        "said {K}",
    ];
    ("egress", fields.map(str::to_owned).to_vec())
}

fn response(input: &Value) -> Seed {
    let headers = ["location", "set-cookie"].map(|name| (name, input.get(name)));
    let headers = headers
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}\u{1}{}", value.as_ref()?.as_str()?)));
    let headers = headers.collect::<Vec<_>>().join("\u{1}");
    let body = input.get("body").map(whole).unwrap_or_default();
    let url = format!("https://{HOST}/");
    let fields = [SECRET, &url, "GET", "", "2", "{K}", "", "", &headers, &body];
    ("egress", fields.map(str::to_owned).to_vec())
}

fn address(url: &str) -> Seed {
    let fields = ["{\"code\":\"1\"}", "{{code}}", "<p>Hi</p>", url];
    ("template", fields.map(str::to_owned).to_vec())
}

fn submission(from: &str, to: &str, data: &str) -> Seed {
    let fields = ["250 2.0.0 OK\r\n", SECRET, "1", from, to, data];
    ("smtp", fields.map(str::to_owned).to_vec())
}

fn mail(from: &str, subject: &str, body: &str, headers: &str) -> Seed {
    let fields = [from, "u@x.test", "", subject, body, "", headers, "id"];
    ("mime", fields.map(str::to_owned).to_vec())
}
