//! Postmark: one e-mail from a template that is kept at Postmark, or with a text of its own.
//!
//! Protocol: <https://postmarkapp.com/developer/api/templates-api#email-with-template>,
//! <https://postmarkapp.com/developer/api/email-api#send-a-single-email>; codes:
//! <https://postmarkapp.com/developer/api/overview#error-codes>; all read 2026-11-21.

use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, Mailbox, Message, Payload, Receipt, Request,
    Response, Template, Templates,
};
use serde::{Deserialize, Serialize};

const TEMPLATE_URL: &str = "https://api.postmarkapp.com/email/withTemplate";
const TEXT_URL: &str = "https://api.postmarkapp.com/email";

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct Postmark;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    server_token: String,
    from_email: String,
    templates: Templates<AliasTemplate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AliasTemplate {
    usage_type: String,
    template_alias: String,
}

impl Template for AliasTemplate {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

impl Connector for Postmark {
    const ABOUT: About = About {
        id: "postmark",
        channel: Channel::Email,
        titles: &[
            ("en", "Postmark"),
            ("de", "Postmark"),
            ("zh-CN", "Postmark"),
        ],
        descriptions: &[
            (
                "en",
                "Transactional e-mail by Postmark, with templates that are kept there.",
            ),
            (
                "de",
                "Transaktionale E-Mails über Postmark, mit dort gepflegten Vorlagen.",
            ),
            ("zh-CN", "通过 Postmark 及其模板发送事务性邮件。"),
        ],
        hosts: &["api.postmarkapp.com"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let request = |url| {
            Request::post(url)
                .header("accept", "application/json")
                .secret_header("x-postmark-server-token", &settings.server_token)
        };
        let Some(content) = message.content() else {
            let template = settings.templates.choose(&message.usage_type)?;
            return request(TEMPLATE_URL).json(&TemplateMail {
                from: &settings.from_email,
                template_alias: &template.template_alias,
                to: &message.recipient,
                template_model: &message.payload,
            });
        };
        let own = Mailbox::parse(&settings.from_email, "", "");
        let (html_body, text_body) = content.parts();
        request(TEXT_URL).json(&TextMail {
            from: message.sender(&own.address, &own.name).to_string(),
            reply_to: message.reply_to(),
            to: &message.recipient,
            html_body,
            subject: &content.subject,
            text_body,
        })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        match response.json::<Answer>() {
            Some(answer) if answer.error_code != 0 => Err(refusal(response, answer)),
            Some(answer) => Ok(Receipt {
                detail: answer.message,
                ..Receipt::of(answer.message_id)
            }),
            None => Ok(Receipt::default()),
        }
    }

    fn failure(response: &Response) -> Failure {
        match response.json::<Answer>() {
            Some(answer) if answer.error_code != 0 => refusal(response, answer),
            _ => Failure::from_response(response),
        }
    }
}

sendbox_guest::connector!(Postmark);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TemplateMail<'a> {
    from: &'a str,
    template_alias: &'a str,
    to: &'a str,
    template_model: &'a Payload,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TextMail<'a> {
    from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html_body: Option<&'a str>,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_body: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    error_code: u32,
    message: Option<String>,
    #[serde(rename = "MessageID")]
    message_id: Option<String>,
}

/// A refusal by its API error code, which says more than the status code.
fn refusal(response: &Response, answer: Answer) -> Failure {
    Failure::by_code(response, CODES, answer.error_code, answer.message)
}
