//! Twilio: one text message through the Programmable Messaging API.
//!
//! Protocol: <https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource>;
//! codes: <https://www.twilio.com/docs/api/errors>; both read 2026-11-21.

use sendbox_guest::http::setting_segment;
use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, Message, Receipt, Request, Response, Templates,
};
use serde::Deserialize;

const ACCOUNTS: &str = "https://api.twilio.com/2010-04-01/Accounts";

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct TwilioSms;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    #[serde(rename = "accountSID")]
    account_sid: String,
    auth_token: String,
    #[serde(rename = "fromMessagingServiceSID")]
    from_messaging_service_sid: String,
    #[serde(default)]
    disable_risk_check: bool,
    templates: Templates<TextTemplate>,
}

impl Connector for TwilioSms {
    const ABOUT: About = About {
        id: "twilio-sms",
        channel: Channel::Sms,
        titles: &[
            ("en", "Twilio SMS"),
            ("de", "Twilio SMS"),
            ("zh-CN", "Twilio 短信"),
        ],
        descriptions: &[
            (
                "en",
                "Text messages by Twilio, through a messaging service.",
            ),
            ("de", "SMS über Twilio, durch einen Messaging Service."),
            ("zh-CN", "通过 Twilio 消息服务发送短信。"),
        ],
        hosts: &["api.twilio.com"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let text = sms::text(message, |usage_type| settings.templates.choose(usage_type))?;
        let account = setting_segment("accountSID", &settings.account_sid)?;
        let to = &message.recipient;
        let number = to.strip_prefix('+').unwrap_or(to);
        let risk_check = if settings.disable_risk_check {
            "disable"
        } else {
            "enable"
        };
        Ok(Request::post(format!("{ACCOUNTS}/{account}/Messages.json"))
            .basic(&settings.account_sid, &settings.auth_token)
            .form(&[
                ("To", &format!("+{number}")),
                ("MessagingServiceSid", &settings.from_messaging_service_sid),
                ("Body", &text),
                ("RiskCheck", risk_check),
            ]))
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        // An error of the request, under a status code that is none.
        if response.json::<Problem>().is_some() {
            return Err(Self::failure(response));
        }
        match response.json::<Created>() {
            Some(Created {
                error_code: Some(code),
                error_message,
                ..
            }) => Err(refusal(response, code, error_message)),
            Some(created) => Ok(Receipt {
                detail: created.status,
                ..Receipt::of(created.sid)
            }),
            None => Ok(Receipt::default()),
        }
    }

    fn failure(response: &Response) -> Failure {
        match response.json::<Problem>() {
            Some(problem) => refusal(response, problem.code, problem.message),
            None => Failure::from_response(response),
        }
    }
}

sendbox_guest::connector!(TwilioSms);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

/// The message resource, as far as it is read.
#[derive(Deserialize)]
struct Created {
    sid: Option<String>,
    status: Option<String>,
    error_code: Option<u32>,
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    code: u32,
    message: Option<String>,
}

/// A refusal by Twilio's code, which says more than the status code.
fn refusal(response: &Response, code: u32, message: Option<String>) -> Failure {
    Failure::by_code(response, CODES, code, message)
}
