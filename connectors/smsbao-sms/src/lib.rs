//! SMSBao (短信宝): one text message through the HTTP API, which takes everything in a query.
//!
//! Protocol: <http://www.smsbao.com/openapi/56.html>, read 2026-11-21.

use sendbox_guest::settings::{self, NonEmpty};
use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::usage;
use sendbox_guest::{
    About, Channel, Connector, Failure, FailureKind, Message, Receipt, Request, Response,
    SecretGrant,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The connector.
pub struct SmsBao;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    username: NonEmpty,
    /// Sent as it is: an API key, or the MD5 digest that the operator made of the password.
    password_or_api_key: NonEmpty,
    #[serde(default, deserialize_with = "settings::present")]
    goods_id: Option<NonEmpty>,
    #[serde(deserialize_with = "templates")]
    templates: Vec<TextTemplate>,
}

impl Connector for SmsBao {
    const ABOUT: About = About {
        id: "smsbao-sms",
        channel: Channel::Sms,
        titles: &[
            ("en", "SMSBao SMS"),
            ("de", "SMSBao-SMS"),
            ("zh-CN", "短信宝短信"),
        ],
        descriptions: &[
            ("en", "Text messages by SMSBao, for mainland China."),
            ("de", "SMS über SMSBao, für das chinesische Festland."),
            ("zh-CN", "通过短信宝向中国大陆发送短信。"),
        ],
        hosts: &["api.smsbao.com"],
        secret_grants: &[SecretGrant {
            setting: "/passwordOrApiKey",
            query: true,
            body: false,
            signing: false,
        }],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let text = sms::text(message, |usage_type| {
            usage::choose(&settings.templates, usage_type)
                .ok_or_else(|| Failure::template_not_found(usage_type))
        })?;
        let mut query: Vec<(&str, &str)> = vec![
            ("u", &settings.username),
            ("p", &settings.password_or_api_key),
        ];
        query.extend(settings.goods_id.as_deref().map(|id| ("g", id)));
        query.extend([("m", message.recipient.as_str()), ("c", &text)]);
        Ok(Request::get("https://api.smsbao.com/sms", &query))
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        let text = response.text();
        match text.trim() {
            "0" => Ok(Receipt::default()),
            code => {
                let (kind, words) = refusal(code);
                Err(Failure::from_response(response)
                    .with_kind(kind)
                    .with_code(code)
                    .with_message(words))
            }
        }
    }
}

sendbox_guest::connector!(SmsBao);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

/// What an answer other than `0` means.
fn refusal(code: &str) -> (FailureKind, &'static str) {
    use FailureKind::{Rejected, Throttled, Unauthorized, Unknown};
    match code {
        "-1" => (Rejected, "parameters are missing"),
        "-2" => (Rejected, "the server does not support the call"),
        "30" => (Unauthorized, "wrong password or API key"),
        "40" => (Unauthorized, "no such account"),
        "41" => (Throttled, "the balance is used up"),
        "42" => (Unauthorized, "the account has expired"),
        "43" => (Unauthorized, "this IP address is not allowed"),
        "50" => (Rejected, "the text contains a forbidden word"),
        "51" => (Rejected, "the phone number is not valid"),
        code if code.parse::<i32>().is_ok_and(|code| code != 0) => {
            (Rejected, "refused with a code that is not documented")
        }
        // A page of a proxy, or nothing: the message may have been sent.
        _ => (Unknown, "the answer is not SMSBao's"),
    }
}

/// At least one template, each with a known usage type and a text.
fn templates<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TextTemplate>, D::Error> {
    let templates = Vec::<TextTemplate>::deserialize(deserializer)?;
    let known = |t: &TextTemplate| usage::ALL.contains(&t.usage_type.as_str());
    if templates.is_empty() {
        Err(D::Error::custom("must hold at least one template"))
    } else if !templates.iter().all(known) {
        Err(D::Error::custom("holds an unknown usage type"))
    } else if templates.iter().any(|t| t.content.is_empty()) {
        Err(D::Error::custom("holds an empty content"))
    } else {
        Ok(templates)
    }
}
