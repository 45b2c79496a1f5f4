//! SMSBao (短信宝): one text message through the HTTP API, which takes everything in a query.
//!
//! Protocol: <http://www.smsbao.com/openapi/56.html>, read 2026-11-21.

use sendbox_guest::settings::{self, NonEmpty};
use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::usage;
use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, Message, Receipt, Request, Response, SecretGrant,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

const CODES: Codes = sendbox_guest::codes!();

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
            code => refused(response, code),
        }
    }
}

sendbox_guest::connector!(SmsBao);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

/// An answer other than `0`. A page of a proxy, or nothing: the message may have been sent.
fn refused(response: &Response, code: &str) -> Result<Receipt, Failure> {
    if !code.parse::<i32>().is_ok_and(|number| number != 0) {
        return Err(Failure::unreadable(response).with_code(code));
    }
    let words = Some(meaning(code).to_owned());
    Err(Failure::by_code(response, CODES, code, words))
}

fn meaning(code: &str) -> &'static str {
    match code {
        "-1" => "parameters are missing",
        "-2" => "the server does not support the call",
        "30" => "wrong password or API key",
        "40" => "no such account",
        "41" => "the balance is used up",
        "42" => "the account has expired",
        "43" => "this IP address is not allowed",
        "50" => "the text contains a forbidden word",
        "51" => "the phone number is not valid",
        _ => "the code is not documented",
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
