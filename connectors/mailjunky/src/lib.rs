//! MailJunky: one e-mail through its API, with texts kept here, as HTML and as plain text.
//!
//! Protocol: <https://mailjunky.ai/docs>, read 2026-11-21.

use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, MailTemplate, Message, Receipt, Request, Response,
    Templates, html, usage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const URL: &str = "https://mailjunky.ai/api/v1/emails/send";

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct MailJunky;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    from_email: String,
    #[serde(default)]
    from_name: String,
    api_key: String,
    #[serde(deserialize_with = "usage::known")]
    templates: Templates<MailTemplate>,
}

impl Connector for MailJunky {
    const ABOUT: About = About {
        id: "mailjunky",
        channel: Channel::Email,
        titles: &[
            ("en", "MailJunky"),
            ("de", "MailJunky"),
            ("zh-CN", "MailJunky"),
        ],
        descriptions: &[
            ("en", "E-mail by MailJunky, with templates of your own."),
            ("de", "E-Mails über MailJunky, mit eigenen Vorlagen."),
            ("zh-CN", "通过 MailJunky 和自定义模板发送邮件。"),
        ],
        hosts: &["mailjunky.ai"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let content = settings.templates.text(message)?;
        let sender = message.sender(&settings.from_email, &settings.from_name);
        let (html, text) = content.parts();
        let of_html = || html::plain(html.unwrap_or_default());
        Request::post(URL).bearer(&settings.api_key).json(&Mail {
            from: sender.to_string(),
            to: &message.recipient,
            subject: &content.subject,
            html,
            text: text.map_or_else(of_html, str::to_owned),
        })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        let Some(answer) = response.json::<Answer>() else {
            return Ok(Receipt::default());
        };
        let failed = answer.status.as_deref() == Some("failed");
        if failed || answer.error.is_some() {
            let words = answer.words().unwrap_or("the status is failed").to_owned();
            return Err(Failure::by_code(response, CODES, "failed", Some(words)));
        }
        Ok(Receipt {
            detail: answer.status,
            ..Receipt::of(answer.id)
        })
    }

    fn failure(response: &Response) -> Failure {
        let failure = Failure::from_response(response);
        let answer = response.json::<Answer>();
        let Some(words) = answer.as_ref().and_then(Answer::words) else {
            return failure;
        };
        Failure::by_code(response, CODES, response.status, Some(words.to_owned()))
    }
}

sendbox_guest::connector!(MailJunky);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
struct Mail<'a> {
    from: String,
    to: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'a str>,
    text: String,
}

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    status: Option<String>,
    message: Option<String>,
    /// A text, or an object with a `message`.
    error: Option<Value>,
}

impl Answer {
    fn words(&self) -> Option<&str> {
        let error = self.error.as_ref();
        let words =
            error.and_then(|error| error.as_str().or_else(|| error.get("message")?.as_str()));
        words.or(self.message.as_deref())
    }
}
