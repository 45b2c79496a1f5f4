//! Resend: one e-mail through the Send Email API, with texts kept here.
//!
//! Protocol: <https://resend.com/docs/api-reference/emails/send-email>; errors:
//! <https://resend.com/docs/api-reference/errors>; both read 2026-11-21.

use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, MailTemplate, Message, Receipt, Request, Response,
    Templates,
};
use serde::{Deserialize, Serialize};

const URL: &str = "https://api.resend.com/emails";

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct Resend;

/// What an operator fills in, named as Logto names it for its other e-mail providers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    api_key: String,
    from_email: String,
    #[serde(default)]
    from_name: String,
    #[serde(default)]
    reply_to: String,
    templates: Templates<MailTemplate>,
}

impl Connector for Resend {
    const ABOUT: About = About {
        id: "resend",
        channel: Channel::Email,
        titles: &[("en", "Resend"), ("de", "Resend"), ("zh-CN", "Resend")],
        descriptions: &[
            ("en", "E-mail by Resend, with templates of your own."),
            ("de", "E-Mails über Resend, mit eigenen Vorlagen."),
            ("zh-CN", "通过 Resend 和自定义模板发送邮件。"),
        ],
        hosts: &["api.resend.com"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let text = settings.templates.text(message)?;
        let sender = message.sender(&settings.from_email, &settings.from_name);
        let own_reply_to = Some(&settings.reply_to).filter(|text| !text.is_empty());
        // Without a plain text Resend makes one of the HTML.
        let (html, plain) = text.parts();
        Request::post(URL)
            .bearer(&settings.api_key)
            // The same over all attempts: for a day Resend sends a key's message once.
            .header("idempotency-key", &message.idempotency_key)
            .json(&Mail {
                from: sender.to_string(),
                to: [&message.recipient],
                subject: &text.subject,
                html,
                text: plain,
                reply_to: message.reply_to().or_else(|| own_reply_to.cloned()),
            })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        match response.json::<Answer>() {
            Some(Answer {
                name: Some(name),
                message,
                ..
            }) => Err(refusal(response, &name, message)),
            Some(answer) => Ok(Receipt::of(answer.id)),
            None => Ok(Receipt::default()),
        }
    }

    fn failure(response: &Response) -> Failure {
        match response.json::<Answer>() {
            Some(Answer {
                name: Some(name),
                message,
                ..
            }) => refusal(response, &name, message),
            _ => Failure::from_response(response),
        }
    }
}

sendbox_guest::connector!(Resend);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
struct Mail<'a> {
    from: String,
    to: [&'a str; 1],
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    /// The error's name, in errors only.
    name: Option<String>,
    message: Option<String>,
}

/// A refusal by its name, which says more than the status code.
fn refusal(response: &Response, name: &str, message: Option<String>) -> Failure {
    let words = message.unwrap_or_else(|| name.to_owned());
    Failure::by_code(response, CODES, name, Some(words))
}
