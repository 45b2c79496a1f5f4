//! SMS Aero: one text message through the API v2.
//!
//! Protocol: <https://smsaero.ru/integration/documentation/api/>; answers as the provider's own
//! clients read them (<https://github.com/smsaero>), 2026-11-21.

use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::{
    About, Channel, Connector, Failure, FailureKind, Message, Receipt, Request, Response, Templates,
};
use serde::{Deserialize, Serialize};

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
            _ => {
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
}

impl Answer {
    fn accepts(&self) -> bool {
        self.success.unwrap_or(true)
            && !matches!(self.result.as_deref(), Some("reject" | "no credits"))
    }

    fn refusal(self, response: &Response) -> Failure {
        let words = self.message.or(self.reason);
        let kind = if self.result.as_deref() == Some("no credits") {
            FailureKind::Throttled
        } else if response.is_success() {
            FailureKind::Rejected
        } else {
            FailureKind::of_status(response.status)
        };
        let code = match self.result {
            Some(result) => result,
            None => response.status.to_string(),
        };
        Failure::of_provider(response, kind, code, words)
    }
}
