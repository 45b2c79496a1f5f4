//! SMS Aero: one text message through the API v2.
//!
//! Protocol: <https://smsaero.ru/integration/documentation/api/>; answers as the provider's own
//! clients read them (<https://github.com/smsaero>), 2026-11-21.

use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, Message, Receipt, Request, Response, Templates,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct SmsAero;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    email: String,
    api_key: String,
    sender_name: String,
    templates: Templates<TextTemplate>,
}

impl Connector for SmsAero {
    const ABOUT: About = About {
        id: "smsaero",
        channel: Channel::Sms,
        titles: &[
            ("en", "SMS Aero"),
            ("de", "SMS Aero"),
            ("zh-CN", "SMS Aero 短信"),
        ],
        descriptions: &[
            ("en", "Text messages by SMS Aero, for Russia and beyond."),
            ("de", "SMS über SMS Aero, für Russland und darüber hinaus."),
            ("zh-CN", "通过 SMS Aero 发送短信，适用于俄罗斯及其他地区。"),
        ],
        hosts: &["gate.smsaero.ru"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        // As in the peer, no other template stands in.
        let text = sms::text(message, |usage_type| {
            settings.templates.choose_exact(usage_type)
        })?;
        Request::post("https://gate.smsaero.ru/v2/sms/send")
            .basic(&settings.email, &settings.api_key)
            .json(&Sms {
                number: &message.recipient,
                sign: &settings.sender_name,
                text,
            })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        match response.json::<Answer>() {
            Some(answer) if !answer.accepts() => Err(answer.refusal(response)),
            // Refusals come with a 200 too: what cannot be read may be one.
            Some(answer) if answer.success.is_none() && answer.result.is_none() => {
                Err(Failure::unreadable(response))
            }
            None => Err(Failure::unreadable(response)),
            Some(_) => {
                let accepted = response.json::<Accepted>();
                Ok(Receipt::of(accepted.map(|a| a.data.id.to_string())))
            }
        }
    }

    fn failure(response: &Response) -> Failure {
        match response.json::<Answer>() {
            Some(answer) => answer.refusal(response),
            None => Failure::from_response(response),
        }
    }
}

sendbox_guest::connector!(SmsAero);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
struct Sms<'a> {
    number: &'a str,
    sign: &'a str,
    text: String,
}

#[derive(Deserialize)]
struct Accepted {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    id: u64,
}

/// What every answer may say. `result` and `reason` are the older form, which some refusals keep.
#[derive(Deserialize)]
struct Answer {
    success: Option<bool>,
    message: Option<String>,
    result: Option<String>,
    reason: Option<String>,
    /// The id of a message; in a refusal what is wrong with each field.
    data: Option<Value>,
}

impl Answer {
    fn accepts(&self) -> bool {
        self.success.unwrap_or(true)
            && !matches!(self.result.as_deref(), Some("reject" | "no credits"))
    }

    fn refusal(self, response: &Response) -> Failure {
        let words = self.message.or(self.reason);
        let fields = self.data.as_ref().and_then(Value::as_object);
        let field = fields.and_then(|fields| fields.keys().next());
        let code = match self.result {
            Some(result) => result,
            None => response.status.to_string(),
        };
        let at_fault = field.unwrap_or(&code);
        Failure::by_code(response, CODES, at_fault, words).with_code(code)
    }
}
