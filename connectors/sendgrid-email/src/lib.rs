//! Twilio SendGrid: one e-mail through the v3 Mail Send API.
//!
//! Protocol: <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>; errors:
//! <https://support.sendgrid.com/hc/en-us/articles/18322114821403>; both read 2026-11-21.

use sendbox_guest::{
    About, Channel, Connector, ContentType, Failure, FailureKind, Message, Receipt, Request,
    Response, Template, Templates,
};
use serde::{Deserialize, Serialize};

const URL: &str = "https://api.sendgrid.com/v3/mail/send";

/// The connector.
pub struct SendGrid;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    api_key: String,
    from_email: String,
    #[serde(default)]
    from_name: String,
    templates: Templates<MailTemplate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MailTemplate {
    usage_type: String,
    #[serde(rename = "type")]
    content_type: ContentType,
    subject: String,
    content: String,
}

impl Template for MailTemplate {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

impl Connector for SendGrid {
    const ABOUT: About = About {
        id: "sendgrid-email",
        channel: Channel::Email,
        version: env!("CARGO_PKG_VERSION"),
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
        settings_schema: include_str!("../settings.schema.json"),
        hosts: &["api.sendgrid.com"],
        secret_grants: &[],
        readme: include_str!("../README.md"),
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let own_name = Some(settings.from_name.as_str());
        let (to_name, from_name, subject, content) = match message.content() {
            // As the peer does: the sender's name goes to the recipient, not beside the sender.
            Some(content) => (
                own_name,
                content.send_from,
                content.subject,
                Content {
                    content_type: content.content_type,
                    value: content.body,
                },
            ),
            None => {
                let template = settings.templates.choose(&message.usage_type)?;
                (
                    None,
                    own_name.map(Into::into),
                    message.render_line(&template.subject),
                    Content {
                        content_type: template.content_type,
                        value: message.render(&template.content),
                    },
                )
            }
        };
        Request::post(URL).bearer(&settings.api_key).json(&Mail {
            personalizations: [Personalization {
                to: [Address::new(&message.recipient, to_name)],
            }],
            from: Address::new(&settings.from_email, from_name.as_deref()),
            subject,
            content: [content],
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
        let kind = match response.status {
            // Answered with 401, though the key is good.
            401 if first.message.contains("credits exceeded") => FailureKind::Throttled,
            // Answered with 403, though the key is good: `fromEmail` is not verified.
            403 if first.message.contains("Sender Identity") => FailureKind::InvalidSettings,
            _ => failure.kind,
        };
        let words = match first.field {
            Some(field) => format!("{field}: {}", first.message),
            None => first.message,
        };
        failure.with_kind(kind).with_message(words)
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
    subject: String,
    content: [Content; 1],
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
struct Content {
    #[serde(rename = "type")]
    content_type: ContentType,
    value: String,
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
