//! Bodies that are posted: a message in Logto's format, and templates.

use sendbox::api::error::ApiError;
use sendbox::front_doors::fuzzing::logto;
use sendbox::json::one_reading;
use sendbox::message::{Channel, Message};
use sendbox::template::Details;
use sendbox::time::Timestamp;
use serde_json::{Map, Value};

use crate::fields::Fields;
use crate::words::one_line;

/// What a body's error may point at.
const POINTERS: [&str; 5] = ["/to", "/type", "/payload", "/locale", "/ip"];

/// Holds a body to what is promised of it.
pub fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let channel = [Channel::Email, Channel::Sms][usize::from(fields.choice() & 1)];
    let body = fields.bytes();
    let now = Timestamp::from_millis(1_800_000_000_000);
    match logto(body, "acme".parse().unwrap(), channel, now) {
        Ok(message) => accepted(body, &message),
        Err((error, told)) => refused(body, &error, &told),
    }
    if let Ok(details) = serde_json::from_slice(fields.bytes()) {
        template(channel, details);
    }
}

fn accepted(body: &[u8], message: &Message) {
    let recipient = message.recipient.expose();
    one_line(recipient);
    match message.channel {
        Channel::Email => assert!(recipient.contains('@') && recipient.len() <= 254),
        Channel::Sms => assert!(recipient.bytes().any(|byte| byte.is_ascii_digit())),
    }
    let outgoing = message.outgoing(message.created_at);
    assert_eq!(outgoing.payload, message.payload.expose());
    assert_eq!(
        outgoing.client_ip.map(|ip| ip.parse().unwrap()),
        message.client_ip
    );
    assert!(sendbox_guest::Payload::parse(&outgoing.payload).is_ok());
    let shown = format!("{message:?}");
    assert!(recipient.len() < 8 || !shown.contains(recipient), "{shown}");
    // Half a surrogate pair, which JavaScript may post, is no text here.
    let Ok(posted) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    assert_eq!(posted["to"], recipient);
    assert_eq!(posted["type"], message.usage_type.as_str());
    let payload: Value = serde_json::from_str(message.payload.expose()).unwrap();
    assert!(alike(&payload, &posted["payload"]), "{payload}");
    assert!(payload.is_object());
    assert!(
        one_reading(message.payload.expose()).is_ok_and(|read| read == message.payload.expose())
    );
}

/// The same values, a number being what a double makes of it.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let pair = one.as_f64().zip(other.as_f64());
            pair.is_some_and(|(one, other)| (one - other).abs() <= one.abs() * 1e-15)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && (one.iter().zip(other))
                    .all(|((name, one), (own, other))| name == own && alike(one, other))
        }
        _ => one == other,
    }
}

/// In one line that a person may read, and that repeats neither recipient nor code.
fn refused(body: &[u8], error: &ApiError, told: &str) {
    one_line(told);
    assert!(error.status().is_client_error(), "{error:?}");
    match error {
        ApiError::Invalid(errors) => {
            // What parsers read in different ways is named wherever it stands.
            let unlike = std::str::from_utf8(body).is_ok_and(|text| one_reading(text).is_err());
            let known = |pointer: &str| POINTERS.contains(&pointer);
            assert!(
                !errors.is_empty() && (unlike || errors.iter().all(|e| known(&e.pointer))),
                "{errors:?}"
            );
            if unlike {
                return;
            }
        }
        ApiError::BadRequest(words) => one_line(words),
        other => panic!("{other:?}"),
    }
    let posted: Value = serde_json::from_slice(body).unwrap_or_default();
    for private in [
        &posted["to"],
        &posted["payload"]["code"],
        &posted["payload"]["link"],
    ] {
        let private = private.as_str().unwrap_or_default();
        let telling = private.len() >= 8 && private.bytes().any(|byte| byte.is_ascii_digit());
        assert!(!telling || !told.contains(private), "{told}");
    }
}

fn template(channel: Channel, fields: Map<String, Value>) {
    let names: Vec<_> = fields.keys().cloned().collect();
    let details = match Details::parse(channel, fields) {
        Ok(details) => details,
        Err(problems) => {
            assert!(!problems.is_empty());
            let own = ["subject", "content"];
            for problem in problems {
                let known = names.contains(&problem.field) || own.contains(&problem.field.as_str());
                assert!(known, "{problem}");
                one_line(&problem.problem);
            }
            return;
        }
    };
    let stored = serde_json::to_string(&details).unwrap();
    assert_eq!(Details::from_stored(channel, &stored).unwrap(), details);
    assert_eq!(details.merged(Map::new()).as_ref(), Ok(&details));
    let content = details.into_content();
    let lines = [Some(content.subject), content.reply_to, content.send_from];
    for line in lines.into_iter().flatten() {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
