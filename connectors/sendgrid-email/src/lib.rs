//! Twilio SendGrid: one e-mail through the v3 Mail Send API.
//!
//! Protocol: <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>; errors:
//! <https://support.sendgrid.com/hc/en-us/articles/18322114821403>; both read 2026-11-21.

use sendbox_guest::{
    About, Channel, Codes, Connector, Content, ContentType, Failure, MailTemplate, Message,
    Receipt, Request, Response, Templates,
};
use serde::{Deserialize, Serialize};

const URL: &str = "https://api.sendgrid.com/v3/mail/send";

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct SendGrid;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    from_email: String,
    api_key: String,
    #[serde(default)]
    from_name: String,
    templates: Templates<MailTemplate>,
}

impl Connector for SendGrid {
    const ABOUT: About = About {
        id: "sendgrid-email",
        channel: Channel::Email,
        titles: &[
            ("en", "SendGrid"),
            ("de", "SendGrid"),
            ("zh-CN", "SendGrid"),
        ],
        descriptions: &[
            (
                "en",
                "E-mail by Twilio SendGrid, with templates of your own.",
            ),
            ("de", "E-Mails über Twilio SendGrid, mit eigenen Vorlagen."),
            ("zh-CN", "通过 Twilio SendGrid 和自定义模板发送邮件。"),
        ],
        hosts: &["api.sendgrid.com"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let own_name = Some(settings.from_name.as_str());
        let text = settings.templates.text(message)?;
        let (to_name, from_name) = match &message.content {
            // As the peer does: the sender's name goes to the recipient, not beside the sender.
            Some(_) => (own_name, text.send_from.as_deref()),
            None => (None, own_name),
        };
        Request::post(URL).bearer(&settings.api_key).json(&Mail {
            personalizations: [Personalization {
                to: [Address::new(&message.recipient, to_name)],
            }],
            from: Address::new(&settings.from_email, from_name),
            subject: &text.subject,
            content: contents(&text),
        })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        Ok(Receipt::of(response.header("x-message-id").map(Into::into)))
    }

    fn failure(response: &Response) -> Failure {
        let failure = Failure::from_response(response);
        let errors = response.json::<Answer>().map(|answer| answer.errors);
        let Some(first) = errors.and_then(|errors| errors.into_iter().next()) else {
            return failure;
        };
        let field = first.field.unwrap_or_default();
        let failure = Failure::by_code(response, CODES, &field, Some(first.message.clone()))
            .with_code(response.status);
        match field.as_str() {
            "" => failure,
            field => failure.with_message(format!("{field}: {}", first.message)),
        }
    }
}

sendbox_guest::connector!(SendGrid);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
struct Mail<'a> {
    personalizations: [Personalization<'a>; 1],
    from: Address<'a>,
    subject: &'a str,
    content: Vec<Part<'a>>,
}

#[derive(Serialize)]
struct Personalization<'a> {
    to: [Address<'a>; 1],
}

#[derive(Serialize)]
struct Address<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn new(email: &'a str, name: Option<&'a str>) -> Self {
        let name = name.filter(|name| !name.is_empty());
        Self { email, name }
    }
}

#[derive(Serialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    content_type: ContentType,
    value: &'a str,
}

/// The body in each of its types, the plain text first, as SendGrid demands.
fn contents(content: &Content) -> Vec<Part<'_>> {
    let (html, text) = content.parts();
    let part = |content_type, value| Part {
        content_type,
        value,
    };
    let text = text.map(|text| part(ContentType::Plain, text));
    text.into_iter()
        .chain(html.map(|html| part(ContentType::Html, html)))
        .collect()
}

#[derive(Deserialize)]
struct Answer {
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    message: String,
    field: Option<String>,
}
