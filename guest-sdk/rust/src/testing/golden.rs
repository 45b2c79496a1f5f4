//! Replays recorded cases of a peer's connector: the same settings, message and responses in, the
//! same request and outcome out, but for the deviations that a test names.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{message, response, schema_accepts, verify};
use crate::payload::without_lone_surrogates;
use crate::{
    Channel, Connector, Content, ContentType, Credential, Failure, FailureKind, HttpError, Message,
    Receipt, Request,
};

/// Where this repository means to differ from the recorded peer. Each is a line in
/// `docs/compatibility.md`, and each must really differ.
pub enum Deviation {
    /// No request; this failure instead.
    Refused(FailureKind),
    /// The same request, and this failure.
    Failed(FailureKind),
    /// The same request, and a receipt.
    Accepted,
    /// Another URL.
    Url(&'static str),
    /// Another text at a JSON pointer below the recorded body, such as `/value/from/name` in a
    /// JSON body or `/pairs/2/1` in a form.
    Body(&'static str, &'static str),
    /// Nothing at a JSON pointer below the recorded body.
    Without(&'static str),
}

/// The recorded names of inherited properties, which count as missing here.
macro_rules! inherited {
    () => {
        "{{constructor}}|{{toString}}|{{__proto__}}|{{hasOwnProperty.name}}|{{valueOf.x}}"
    };
}

/// Inherited names stay as they are written in the recorded text at a pointer.
#[must_use]
pub const fn inherited(pointer: &'static str) -> (&'static str, Deviation) {
    let deviation = Deviation::Body(pointer, inherited!());
    ("render-quirk_prototype_keys", deviation)
}

/// [`inherited`] for the recorded subject at a pointer.
#[must_use]
pub const fn inherited_subject(pointer: &'static str) -> (&'static str, Deviation) {
    let deviation = Deviation::Body(pointer, concat!("S: ", inherited!()));
    ("render-quirk_prototype_keys", deviation)
}

/// What every e-mail connector refuses: in a recipient's address a line break would end a header.
const IN_EVERY_MAIL: (&str, Deviation) = (
    "to-crlf_injection",
    Deviation::Refused(FailureKind::Rejected),
);

/// Replays every case of `<id>.jsonl`.
///
/// The folder is `tests/golden` of the workspace.
///
/// # Panics
/// Where the two differ otherwise than `deviations` says, or there are no cases.
pub fn replay<C: Connector>(deviations: &[(&str, Deviation)]) {
    let rows = golden_rows(&format!("{}.jsonl", C::ABOUT.id));
    let mail = (C::ABOUT.channel == Channel::Email).then_some(&IN_EVERY_MAIL);
    let deviations: Vec<_> = deviations.iter().chain(mail).collect();
    replay_rows::<C>(&rows, &deviations);
}

/// Replays cases of the connector's own, one JSON object a line in the shape of the recorded ones:
/// for a connector without a peer, made from the provider's documents.
pub fn replay_own<C: Connector>(cases: &str) {
    let rows: Vec<_> = cases
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    replay_rows::<C>(&rows, &[]);
}

fn replay_rows<C: Connector>(rows: &[Value], deviations: &[&(&str, Deviation)]) {
    let mut failed = Vec::new();
    for case in rows {
        let name = case["id"].as_str().unwrap_or_default();
        let short = name.rsplit('/').next().unwrap_or_default();
        let deviations = deviations.iter().filter(|(of, _)| *of == short);
        let (requests, outcome) = run::<C>(case);
        let mut expected = case["expect"].clone();
        let deviates = !compare::<C>(case, &expected, &requests, &outcome).is_empty();
        for (_, deviation) in deviations {
            if !deviates {
                failed.push(format!("{name}: does not deviate any more"));
            }
            apply(&mut expected, deviation);
        }
        let wrong = compare::<C>(case, &expected, &requests, &outcome);
        failed.extend(wrong.into_iter().map(|words| format!("{name}: {words}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    println!("{}: {} golden cases replayed", C::ABOUT.id, rows.len());
}

/// The rows of a file in `tests/golden`. Settings ask for values in HTML as they are, which is the only way that the
/// peer knows.
///
/// # Panics
/// Where there are none: whoever loops over them would test nothing.
#[must_use]
pub fn golden_rows(file: &str) -> Vec<Value> {
    let mut rows = rows_of(&format!("tests/golden/{file}"));
    for row in &mut rows {
        if let Some(settings) = row.get_mut("settings").and_then(Value::as_object_mut) {
            settings.insert("unescapedHtml".to_owned(), true.into());
        }
    }
    rows
}

/// The rows of a file in `guest-sdk/vectors`, which every SDK is held against.
///
/// # Panics
/// Where there are none: whoever loops over them would test nothing.
#[must_use]
pub fn vectors(file: &str) -> Vec<Value> {
    rows_of(&format!("guest-sdk/vectors/{file}"))
}

/// The rows of a file of the workspace. Half a surrogate pair, which UTF-8 cannot hold, is U+FFFD on both sides.
fn rows_of(file: &str) -> Vec<Value> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let workspace = package.ancestors().find(|p| p.join("Cargo.lock").exists());
    let path = workspace.unwrap_or(&package).join(file);
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows = text.lines().map(without_lone_surrogates);
    let rows: Vec<_> = rows
        .map(|row| serde_json::from_str(&row).unwrap())
        .collect();
    assert!(!rows.is_empty(), "{} is empty", path.display());
    rows
}

fn run<C: Connector>(case: &Value) -> (Vec<Request>, Result<Receipt, Failure>) {
    let mut requests = Vec::new();
    let outcome = crate::send::<C>(
        &case["settings"].to_string(),
        &message_of(case),
        |request| {
            requests.push(request);
            let answer = &case["responses"][0];
            if case["network"]["fault"] == "dns_failure" {
                return Err(HttpError::Dns);
            }
            if answer["network"].is_string() {
                return Err(HttpError::Interrupted);
            }
            let headers: Vec<_> = pairs(&answer["headers"]);
            let headers: Vec<_> = headers
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            let status = answer["status"]
                .as_u64()
                .and_then(|s| u16::try_from(s).ok());
            let body = answer["body"].as_str().unwrap_or_default();
            Ok(response(status.unwrap_or_default(), &headers, body))
        },
    );
    (requests, outcome)
}

/// The message of a recorded case.
#[must_use]
pub fn message_of(case: &Value) -> Message {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let given = &case["message"];
    let content = case["content"].as_object().map(|content| Content {
        subject: text(&content["subject"]).unwrap_or_default(),
        body: text(&content["content"]).unwrap_or_default(),
        content_type: match content.get("contentType").and_then(Value::as_str) {
            Some("text/plain") => ContentType::Plain,
            _ => ContentType::Html,
        },
        text: content.get("text").and_then(text),
        reply_to: content.get("replyTo").and_then(text),
        send_from: content.get("sendFrom").and_then(text),
    });
    let uuid = case["uuids"][0].as_str().unwrap_or_default();
    let nonce = u128::from_str_radix(&uuid.replace('-', ""), 16);
    Message {
        now_ms: case["now_ms"].as_u64().unwrap_or_default(),
        nonce: nonce.unwrap_or_default().to_be_bytes(),
        client_ip: text(&given["ip"]),
        locale: text(&given["payload"]["locale"]),
        content,
        idempotency_key: text(&case["id"]).unwrap_or_default(),
        unescaped_html: case["settings"]["unescapedHtml"] == true,
        ..message(
            given["to"].as_str().unwrap_or_default(),
            given["type"].as_str().unwrap_or_default(),
            &given["payload"],
        )
    }
}

/// What differs, in words.
fn compare<C: Connector>(
    case: &Value,
    expected: &Value,
    requests: &[Request],
    outcome: &Result<Receipt, Failure>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expect = |what: &str, expected: &Value, actual: &Value| {
        // By text, so that the order of keys counts.
        let (expected, actual) = (expected.to_string(), actual.to_string());
        if expected != actual {
            wrong.push(format!(
                "{what}\n  expected {expected}\n  got      {actual}"
            ));
        }
    };
    let recorded = expected["requests"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    // Without a name there is nothing on the wire, though a request was made.
    let on_wire = if case["network"]["fault"] == "dns_failure" {
        &[]
    } else {
        requests
    };
    expect(
        "requests",
        &json!(recorded.len().min(1)),
        &json!(on_wire.len()),
    );
    if let (Some(recorded), Some(request)) = (recorded.first(), on_wire.first()) {
        let body = &recorded["body"];
        expect("method", &recorded["method"], &json!(request.method));
        expect("url", &recorded["url"], &json!(request.url));
        let (mut recorded, mut made) = (pairs(&recorded["headers"]), headers(request));
        // Which headers AWS's signature covers is the signer's choice: `verify` looks at both.
        if recorded.iter().any(|(_, value)| value.starts_with("AWS4-")) {
            let signature = ["authorization", "x-amz-content-sha256"];
            recorded.retain(|(name, _)| !signature.contains(&name.as_str()));
            made.retain(|(name, _)| !signature.contains(&name.as_str()));
        }
        expect("headers", &sorted(recorded), &sorted(made));
        expect("body", body, &body_like(body, &request.body));
    }

    // A redirect that the peer followed ends here, as a failure.
    let redirected = case["tags"]
        .as_array()
        .is_some_and(|t| t.contains(&json!("redirect")));
    let ok = expected["outcome"]["ok"] == true && !redirected;
    expect("ok", &json!(ok), &json!(outcome.is_ok()));
    let kind = outcome
        .as_ref()
        .err()
        .map(|failure| format!("{:?}", failure.kind));
    let kind = kind.map_or(Value::Null, |kind| json!(kebab(&kind)));
    let recorded_kind = &expected["outcome"]["kind"];
    if recorded_kind.is_string() {
        expect("kind", recorded_kind, &kind);
    }
    if kind != "invalid-settings" {
        let accepted = schema_accepts::<C>(&case["settings"]);
        expect("settings by the schema", &json!(true), &json!(accepted));
    } else if case["expect"]["outcome"]["peer_code"] == "invalid_config" {
        let accepted = schema_accepts::<C>(&case["settings"]);
        expect("settings by the schema", &json!(false), &json!(accepted));
    }
    if let Some(secret) = case["settings"]["accessKeySecret"].as_str() {
        let verified = requests.iter().map(|request| verify(request, secret));
        wrong.extend(verified.filter_map(Result::err));
    }
    wrong
}

fn apply(expected: &mut Value, deviation: &Deviation) {
    match deviation {
        Deviation::Refused(kind) => {
            expected["requests"] = json!([]);
            expected["outcome"] = json!({"ok": false, "kind": kebab(&format!("{kind:?}"))});
        }
        Deviation::Failed(kind) => {
            expected["outcome"] = json!({"ok": false, "kind": kebab(&format!("{kind:?}"))});
        }
        Deviation::Accepted => expected["outcome"] = json!({"ok": true}),
        Deviation::Url(url) => expected["requests"][0]["url"] = json!(url),
        Deviation::Body(pointer, text) => {
            let body = &mut expected["requests"][0]["body"];
            if let Some(value) = body.pointer_mut(pointer) {
                *value = json!(text);
            }
        }
        Deviation::Without(pointer) => {
            let (parent, last) = pointer.rsplit_once('/').unwrap_or_default();
            let body = &mut expected["requests"][0]["body"];
            match body.pointer_mut(parent) {
                Some(Value::Object(fields)) => drop(fields.shift_remove(last)),
                Some(Value::Array(items)) => drop(items.remove(last.parse().unwrap())),
                _ => panic!("nothing is recorded at {pointer}"),
            }
        }
    }
    // The bytes follow from the value.
    if let Some(body) = expected
        .pointer_mut("/requests/0/body")
        .and_then(Value::as_object_mut)
    {
        body.remove("raw");
    }
}

/// Headers as the host would send them, the credential encoded.
fn headers(request: &Request) -> Vec<(String, String)> {
    // What every HTTP client adds by itself is not recorded.
    const OWN: &str = "accept";
    let mut headers = request.headers.clone();
    let authorization = |value: String| ("authorization".to_owned(), value);
    headers.extend(match &request.credential {
        Credential::None => None,
        Credential::Basic(user, password) => Some(authorization(format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        ))),
        Credential::Bearer(token) => Some(authorization(format!("Bearer {token}"))),
        Credential::Header(name, value) => Some((name.clone(), value.clone())),
    });
    headers.retain(|(name, _)| name != OWN);
    headers
}

fn sorted(mut headers: Vec<(String, String)>) -> Value {
    for (name, value) in &mut headers {
        name.make_ascii_lowercase();
        *value = value.trim().to_owned();
    }
    headers.sort();
    json!(headers)
}

fn pairs(object: &Value) -> Vec<(String, String)> {
    let entries = object.as_object().into_iter().flatten();
    let entries = entries.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").into()));
    entries.collect()
}

/// The body in the shape of the recorded one, with its bytes where they were recorded.
fn body_like(recorded: &Value, body: &[u8]) -> Value {
    let raw = String::from_utf8_lossy(body);
    let mut seen = match recorded["kind"].as_str() {
        Some("json") => {
            let value: Value = serde_json::from_str(&raw).unwrap_or_default();
            json!({"kind": "json", "value": value})
        }
        Some("form") => {
            let decoded = |text: &str| {
                let spaced = text.replace('+', " ");
                let bytes = percent_encoding::percent_decode_str(&spaced);
                bytes.decode_utf8_lossy().into_owned()
            };
            let pairs = raw.split('&').filter_map(|pair| pair.split_once('='));
            let pairs: Vec<_> = pairs.map(|(n, v)| [decoded(n), decoded(v)]).collect();
            json!({"kind": "form", "pairs": pairs})
        }
        _ => json!({"kind": recorded["kind"]}),
    };
    if recorded["raw"].is_string() {
        seen["raw"] = json!(raw);
    }
    seen
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}
