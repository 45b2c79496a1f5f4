//! WhatsApp: one code through the Cloud API of Meta, in an approved template.
//!
//! Protocol: <https://developers.facebook.com/docs/whatsapp/business-management-api/authentication-templates>;
//! codes: <https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes>;
//! of both only excerpts were read, 2026-11-21.

use sendbox_guest::http::setting_segment;
use sendbox_guest::settings;
use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, FailureKind, Message, Receipt, Request, Response,
    Template, Templates,
};
use serde::{Deserialize, Serialize};

/// The version that the peer calls. Meta serves a version past its end by the oldest living one.
const GRAPH: &str = "https://graph.facebook.com/v19.0";

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct WhatsApp;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    access_token: String,
    phone_number_id: String,
    templates: Templates<ApprovedTemplate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApprovedTemplate {
    usage_type: String,
    template_name: String,
    #[serde(default, deserialize_with = "settings::present")]
    language: Option<String>,
}

impl Template for ApprovedTemplate {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

impl Connector for WhatsApp {
    const ABOUT: About = About {
        id: "whatsapp",
        channel: Channel::Sms,
        titles: &[
            ("en", "WhatsApp"),
            ("de", "WhatsApp"),
            ("zh-CN", "WhatsApp"),
        ],
        descriptions: &[
            (
                "en",
                "Codes over WhatsApp in place of text messages, through the Cloud API of Meta.",
            ),
            (
                "de",
                "Codes über WhatsApp statt per SMS, durch die Cloud API von Meta.",
            ),
            (
                "zh-CN",
                "通过 Meta 的 Cloud API 以 WhatsApp 代替短信发送验证码。",
            ),
        ],
        hosts: &["graph.facebook.com"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let template = settings.templates.choose(&message.usage_type)?;
        if message.payload.get("code").is_none() {
            let words = "the message has no code, which is all that these templates can show";
            return Err(Failure::new(FailureKind::Rejected, words).with_code("missing-code"));
        }
        let code = message.render("{{code}}");
        let sender = setting_segment("phoneNumberId", &settings.phone_number_id)?;
        Request::post(format!("{GRAPH}/{sender}/messages"))
            .bearer(&settings.access_token)
            .json(&Outgoing {
                messaging_product: "whatsapp",
                to: &message.recipient,
                kind: "template",
                template: Filled {
                    name: &template.template_name,
                    language: Language {
                        code: template.language.as_deref().unwrap_or("en"),
                    },
                    components: [Component::body(&code), Component::copy_button(&code)],
                },
            })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        if let Some(Answer { error }) = response.json() {
            return Err(error.refusal(response));
        }
        let accepted = response.json::<Accepted>();
        let first = accepted.and_then(|accepted| accepted.messages.into_iter().next());
        Ok(first.map_or_else(Receipt::default, |first| Receipt {
            detail: first.message_status,
            ..Receipt::of(Some(first.id))
        }))
    }

    fn failure(response: &Response) -> Failure {
        match response.json::<Answer>() {
            Some(Answer { error }) => error.refusal(response),
            None => Failure::from_response(response),
        }
    }
}

sendbox_guest::connector!(WhatsApp);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
struct Outgoing<'a> {
    messaging_product: &'static str,
    to: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    template: Filled<'a>,
}

#[derive(Serialize)]
struct Filled<'a> {
    name: &'a str,
    language: Language<'a>,
    components: [Component<'a>; 2],
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
}

#[derive(Serialize)]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'static str>,
    parameters: [Parameter<'a>; 1],
}

#[derive(Serialize)]
struct Parameter<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

impl<'a> Component<'a> {
    fn body(code: &'a str) -> Self {
        Self {
            kind: "body",
            sub_type: None,
            index: None,
            parameters: [Parameter {
                kind: "text",
                text: code,
            }],
        }
    }

    /// The button that copies the code or fills it in: for Meta it is a URL with the code inside.
    fn copy_button(code: &'a str) -> Self {
        Self {
            kind: "button",
            sub_type: Some("url"),
            index: Some("0"),
            ..Self::body(code)
        }
    }
}

#[derive(Deserialize)]
struct Accepted {
    messages: Vec<AcceptedMessage>,
}

#[derive(Deserialize)]
struct AcceptedMessage {
    id: String,
    message_status: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    error: Problem,
}

#[derive(Deserialize)]
struct Problem {
    code: u32,
    message: Option<String>,
    error_subcode: Option<u32>,
    error_data: Option<ErrorData>,
}

#[derive(Deserialize)]
struct ErrorData {
    details: Option<String>,
}

impl Problem {
    /// By Meta's code, as it asks; the status code says less.
    fn refusal(self, response: &Response) -> Failure {
        let at_fault = match self.error_subcode {
            // The phone number's id, not a parameter of the message.
            Some(33) => format!("{}.33", self.code),
            _ => self.code.to_string(),
        };
        let details = self.error_data.and_then(|data| data.details);
        let words = match (self.message, details) {
            (Some(message), Some(details)) => Some(format!("{message}: {details}")),
            (message, details) => message.or(details),
        };
        Failure::by_code(response, CODES, at_fault, words).with_code(self.code)
    }
}
