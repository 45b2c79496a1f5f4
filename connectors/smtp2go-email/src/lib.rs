//! SMTP2GO: one e-mail through its HTTP API, with texts kept here.
//!
//! Protocol: <https://developers.smtp2go.com/reference/send-standard-email>; answers:
//! <https://developers.smtp2go.com/docs/response-codes>; both read 2026-11-21.

use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, FailureKind, MailTemplate, Message, Receipt,
    Request, Response, SecretGrant, Templates, usage,
};
use serde::{Deserialize, Serialize};

const URL: &str = "https://api.smtp2go.com/v3/email/send";

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct Smtp2Go;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    api_key: String,
    sender: String,
    #[serde(default)]
    sender_name: String,
    #[serde(deserialize_with = "usage::known")]
    templates: Templates<MailTemplate>,
}

impl Connector for Smtp2Go {
    const ABOUT: About = About {
        id: "smtp2go-email",
        channel: Channel::Email,
        titles: &[("en", "SMTP2GO"), ("de", "SMTP2GO"), ("zh-CN", "SMTP2GO")],
        descriptions: &[
            (
                "en",
                "E-mail by SMTP2GO's HTTP API, with templates of your own.",
            ),
            (
                "de",
                "E-Mails über die HTTP-Schnittstelle von SMTP2GO, mit eigenen Vorlagen.",
            ),
            ("zh-CN", "通过 SMTP2GO 的 HTTP 接口和自定义模板发送邮件。"),
        ],
        hosts: &["api.smtp2go.com"],
        // The key is a field of the body, as in the peer.
        secret_grants: &[SecretGrant::body("/apiKey")],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let text = settings.templates.text(message)?;
        let sender = message.sender(&settings.sender, &settings.sender_name);
        let (html_body, text_body) = text.parts();
        Request::post(URL).json(&Mail {
            api_key: &settings.api_key,
            to: [&message.recipient],
            sender: sender.to_string(),
            subject: &text.subject,
            html_body,
            text_body,
            custom_headers: message.reply_to().map(|value| {
                [Header {
                    header: "Reply-To",
                    value,
                }]
            }),
        })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        if response.body.is_empty() {
            return Ok(Receipt::default());
        }
        match outcome(response) {
            Some(outcome) if outcome.error.is_some() => Err(refusal(response, outcome)),
            Some(outcome) if outcome.failed > 0 => Err(undelivered(&outcome)),
            Some(outcome) => Ok(Receipt::of(outcome.email_id)),
            None => Err(Failure::unreadable(response)),
        }
    }

    fn failure(response: &Response) -> Failure {
        match outcome(response) {
            Some(outcome) if outcome.error.is_some() => refusal(response, outcome),
            _ => Failure::from_response(response),
        }
    }
}

sendbox_guest::connector!(Smtp2Go);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
struct Mail<'a> {
    api_key: &'a str,
    to: [&'a str; 1],
    sender: String,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html_body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_headers: Option<[Header; 1]>,
}

#[derive(Serialize)]
struct Header {
    header: &'static str,
    value: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Outcome {
    failed: u32,
    failures: Vec<String>,
    email_id: Option<String>,
    error: Option<String>,
    error_code: Option<String>,
    field_validation_errors: Option<FieldError>,
}

#[derive(Deserialize)]
struct FieldError {
    fieldname: String,
    message: String,
}

/// The outcome, which stands in `data`; the documents also show errors without that shell.
fn outcome(response: &Response) -> Option<Outcome> {
    #[derive(Deserialize)]
    struct Shell {
        data: Outcome,
    }
    let shell = response.json::<Shell>().map(|shell| shell.data);
    shell.or_else(|| response.json())
}

/// An error of the whole request: the field at fault says more than the status code.
fn refusal(response: &Response, outcome: Outcome) -> Failure {
    let field = outcome.field_validation_errors;
    let at_fault = field.as_ref().map(|error| error.fieldname.clone());
    let words = match field {
        Some(error) => format!("{}: {}", error.fieldname, error.message),
        None => outcome.error.unwrap_or_default(),
    };
    let status = response.status.to_string();
    let code = outcome.error_code.unwrap_or(status);
    let code = code.trim_start_matches("E_ApiResponseCodes.");
    let at_fault = at_fault.unwrap_or_else(|| code.to_owned());
    Failure::by_code(response, CODES, at_fault, Some(words)).with_code(code)
}

/// A 200 whose one recipient failed.
fn undelivered(outcome: &Outcome) -> Failure {
    let words = format!("not accepted: {}", outcome.failures.join("; "));
    let known = CODES.kind(200, "failed", &words);
    Failure::new(known.unwrap_or(FailureKind::Rejected), words).with_code("failed")
}
