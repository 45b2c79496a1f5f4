//! The native test kit: sends through a fake exchange, replays golden cases, checks what a
//! connector says of itself. It panics where an expectation fails, as tests do.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a failed expectation ends the test"
)]

mod golden;
mod signature;

pub use golden::{
    Deviation, golden_rows, inherited, inherited_subject, message_of, replay, replay_own, vectors,
};
pub use signature::verify;

use serde_json::{Value, json};

use crate::{
    About, Connector, Content, ContentType, Failure, HttpError, Message, Payload, Receipt, Request,
    Response, usage,
};

/// A message with nothing but recipient, usage type and variables.
#[must_use]
pub fn message(recipient: &str, usage_type: &str, payload: &Value) -> Message {
    Message {
        recipient: recipient.into(),
        usage_type: usage_type.into(),
        payload: Payload::parse(&payload.to_string()).unwrap(),
        locale: None,
        client_ip: None,
        content: None,
        idempotency_key: "0193-test".into(),
        expires_in: 600_000,
        now_ms: 1_767_323_045_678,
        nonce: [7; 16],
        unescaped_html: false,
    }
}

/// A mail to `alice@example.net` with a text of its own, as HTML and as plain text.
#[must_use]
pub fn mail_in_both_forms() -> Message {
    Message {
        content: Some(Content {
            subject: "Hello {{code}}".into(),
            body: "<p>{{code}}</p>".into(),
            content_type: ContentType::Html,
            text: Some("{{code}}!".into()),
            reply_to: None,
            send_from: None,
        }),
        ..message("alice@example.net", "SignIn", &json!({"code": "123456"}))
    }
}

/// A template of these fields for each usage type that every list must serve.
#[must_use]
pub fn templates(fields: &Value) -> Value {
    let template = |usage_type: &str| {
        let mut template = fields.clone();
        template["usageType"] = usage_type.into();
        template
    };
    usage::REQUIRED.map(template).as_slice().into()
}

/// A response with headers in lower case.
#[must_use]
pub fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers.iter();
    Response {
        status,
        headers: headers.map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        body: body.into(),
        received_at: 0,
    }
}

/// The request that a connector makes of a message.
///
/// # Errors
/// Where it makes none.
pub fn request<C: Connector>(settings: &Value, message: &Message) -> Result<Request, Failure> {
    let mut made = None;
    let end = crate::send::<C>(&settings.to_string(), message, |request| {
        made = Some(request);
        Err(HttpError::Connect)
    });
    made.map_or_else(|| Err(end.unwrap_err()), Ok)
}

/// The JSON body of the request that a connector makes of a message.
#[must_use]
pub fn body<C: Connector>(settings: &Value, message: &Message) -> Value {
    serde_json::from_slice(&request::<C>(settings, message).unwrap().body).unwrap()
}

/// What a connector makes of a response to a mail to `alice@example.net`.
///
/// # Errors
/// The connector's failure.
pub fn answered<C: Connector>(settings: &Value, response: Response) -> Result<Receipt, Failure> {
    let message = message("alice@example.net", "SignIn", &json!({"code": "123456"}));
    send::<C>(settings, &message, response)
}

/// What a connector makes of a response, on the whole path of a send.
///
/// # Errors
/// The connector's failure.
pub fn send<C: Connector>(
    settings: &Value,
    message: &Message,
    response: Response,
) -> Result<Receipt, Failure> {
    crate::send::<C>(&settings.to_string(), message, |_| Ok(response))
}

/// Checks `describe`'s answer against the contract: lengths, languages, the schema and the
/// secrets that it marks.
pub fn check_about<C: Connector>() {
    check(&C::ABOUT);
}

/// [`check_about`] for any description.
pub fn check(about: &About) {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(about.id.chars().all(letters) && about.id.len() <= 64);
    assert!(about.id.starts_with(|c: char| c.is_ascii_lowercase()));
    assert_eq!(about.version.split('.').count(), 3);
    assert!(about.titles.iter().all(|(_, text)| text.len() <= 128));
    assert!(
        about
            .descriptions
            .iter()
            .all(|(_, text)| text.len() <= 1024)
    );
    for texts in [about.titles, about.descriptions] {
        let tags: Vec<_> = texts.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, ["en", "de", "zh-CN"]);
    }
    // None for a connector that hands over what it composes.
    assert!(about.hosts.len() <= 32);
    assert!(about.readme.len() <= 64 * 1024 && about.readme.starts_with("# "));
    assert!(about.settings_schema.len() <= 256 * 1024);

    let schema: Value = serde_json::from_str(about.settings_schema).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    assert_eq!(schema["type"], "object");
    let properties = schema["properties"].as_object().unwrap();
    for (name, property) in properties {
        assert!(property["title"].is_string(), "{name} has no title");
        let secret = property["writeOnly"] == true;
        assert!(
            !secret || property["type"] == "string",
            "{name} is no string"
        );
    }
    for grant in about.secret_grants {
        let place = grant.setting.replace('/', "/properties/");
        let property = schema.pointer(&place);
        let secret = property.map(|property| &property["writeOnly"]);
        assert_eq!(secret, Some(&Value::Bool(true)), "{}", grant.setting);
    }
}

/// Whether the connector's own schema accepts the settings, as the host asks before it stores them.
#[must_use]
pub fn schema_accepts<C: Connector>(settings: &Value) -> bool {
    accepts(&C::ABOUT, settings)
}

/// [`schema_accepts`] for any description.
#[must_use]
pub fn accepts(about: &About, settings: &Value) -> bool {
    let schema = serde_json::from_str(about.settings_schema).unwrap();
    let Ok(validator) = jsonschema::draft202012::new(&schema) else {
        panic!("{}: the schema does not compile", about.id);
    };
    validator.is_valid(settings)
}
