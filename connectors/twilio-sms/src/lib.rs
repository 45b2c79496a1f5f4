//! Twilio: one text message through the Programmable Messaging API.
//!
//! Protocol: <https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource>;
//! codes: <https://www.twilio.com/docs/api/errors>; both read 2026-11-21.

use sendbox_guest::http::setting_segment;
use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::{
    About, Channel, Connector, Failure, FailureKind, Message, Receipt, Request, Response, Templates,
};
use serde::Deserialize;

const ACCOUNTS: &str = "https://api.twilio.com/2010-04-01/Accounts";

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
    let kind = match code {
        // Account not active, authentication failed, test credentials, account suspended.
        10001 | 20003 | 20005 | 20006 | 20008 => FailureKind::Unauthorized,
        // Rate of the number, the API, the sender's queue; limit of the day.
        14107 | 20429 | 21611 | 63038 => FailureKind::Throttled,
        // Account not found; sender invalid, not owned or not able to send; messaging service
        // unknown or without a sender.
        20404 | 21212 | 21603 | 21606 | 21701..=21705 => FailureKind::InvalidSettings,
        // The number, the region, an opt-out, the text.
        21211 | 21214 | 21217 | 21408 | 21602 | 21604 | 21608 | 21610 | 21612 | 21614 | 21617
        | 21619 => FailureKind::Rejected,
        // A message resource that already failed.
        _ if response.is_success() => FailureKind::Rejected,
        _ => FailureKind::of_status(response.status),
    };
    Failure::of_provider(response, kind, code, message)
}
