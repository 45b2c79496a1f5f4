//! Vonage: one text message through the SMS API.
//!
//! Protocol: <https://developer.vonage.com/en/api/sms>; statuses:
//! <https://developer.vonage.com/en/api-errors/sms>; both read 2026-11-21.

use sendbox_guest::settings::NonEmpty;
use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, FailureKind, Message, Receipt, Request, Response,
    Templates,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct Vonage;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    api_key: NonEmpty,
    api_secret: NonEmpty,
    brand_name: String,
    templates: Templates<TextTemplate>,
}

impl Connector for Vonage {
    const ABOUT: About = About {
        id: "vonage-sms",
        channel: Channel::Sms,
        titles: &[
            ("en", "Vonage SMS"),
            ("de", "Vonage SMS"),
            ("zh-CN", "Vonage 短信"),
        ],
        descriptions: &[
            ("en", "Text messages by Vonage, formerly Nexmo."),
            ("de", "SMS über Vonage, früher Nexmo."),
            ("zh-CN", "通过 Vonage（原 Nexmo）发送短信。"),
        ],
        hosts: &["rest.nexmo.com"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let text = sms::text(message, |usage_type| settings.templates.choose(usage_type))?;
        Request::post("https://rest.nexmo.com/sms/json")
            .basic(&settings.api_key, &settings.api_secret)
            .json(&Sms {
                from: &settings.brand_name,
                to: &message.recipient,
                text,
            })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        let Some(Answer { messages: parts }) = response.json() else {
            return Err(Failure::unreadable(response));
        };
        let (accepted, refused): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| part.status == "0");
        let accepted = accepted.into_iter().next();
        match (accepted, refused.into_iter().next()) {
            // A part of a long text went out: to repeat it would be to send it twice.
            (Some(_), Some(part)) => Err(refusal(response, part).with_kind(FailureKind::Unknown)),
            (None, Some(part)) => Err(refusal(response, part)),
            (Some(part), None) => Ok(Receipt::of(part.message_id)),
            (None, None) => Err(Failure::unreadable(response)),
        }
    }

    fn failure(response: &Response) -> Failure {
        let failure = Failure::from_response(response);
        match response.json() {
            Some(Problem { title, detail }) => match detail {
                Some(detail) => failure.with_message(format!("{title}: {detail}")),
                None => failure.with_message(title),
            },
            None => failure,
        }
    }
}

sendbox_guest::connector!(Vonage);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
struct Sms<'a> {
    from: &'a str,
    to: &'a str,
    text: String,
}

#[derive(Deserialize)]
struct Answer {
    messages: Vec<Part>,
}

/// One segment of the text.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Part {
    #[serde(deserialize_with = "text")]
    status: String,
    message_id: Option<String>,
    error_text: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    title: String,
    detail: Option<String>,
}

fn refusal(response: &Response, part: Part) -> Failure {
    Failure::by_code(response, CODES, part.status, part.error_text)
}

/// A status is a text, or a number.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}
