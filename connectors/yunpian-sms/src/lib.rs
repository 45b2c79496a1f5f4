//! Yunpian (云片): one text message, matched by the provider to a template that it approved.
//!
//! Protocol: <https://www.yunpian.com/official/document/sms/zh_CN/domestic_single_send>; codes as the
//! provider's own client lists them (<https://github.com/yunpian/yunpian-java-sdk>), 2026-11-21.

use sendbox_guest::settings;
use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, FailureKind, Message, Receipt, Request, Response,
    SecretGrant, Templates,
};
use serde::Deserialize;

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct Yunpian;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    apikey: String,
    #[serde(default)]
    enable_international: bool,
    #[serde(default, deserialize_with = "settings::present")]
    unsupported_countries_msg: Option<String>,
    templates: Templates<TextTemplate>,
}

impl Connector for Yunpian {
    const ABOUT: About = About {
        id: "yunpian-sms",
        channel: Channel::Sms,
        titles: &[
            ("en", "Yunpian SMS"),
            ("de", "Yunpian-SMS"),
            ("zh-CN", "云片短信"),
        ],
        descriptions: &[
            (
                "en",
                "Text messages by Yunpian, for mainland China and, if you allow it, other countries.",
            ),
            (
                "de",
                "SMS über Yunpian, für das chinesische Festland und auf Wunsch für andere Länder.",
            ),
            (
                "zh-CN",
                "通过云片向中国大陆发送短信，也可按需开启国际短信。",
            ),
        ],
        hosts: &["sms.yunpian.com"],
        secret_grants: &[SecretGrant::body("/apikey")],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let mobile = mobile(&message.recipient);
        if mobile.starts_with('+') && !settings.enable_international {
            let words = match settings.unsupported_countries_msg.as_deref() {
                Some(words) if !words.is_empty() => words,
                _ => "the number is outside mainland China, and international numbers are off",
            };
            let failure = Failure::new(FailureKind::Rejected, words);
            return Err(failure.with_code("unsupported-country"));
        }
        let text = sms::text(message, |usage_type| settings.templates.choose(usage_type))?;
        let form = [
            ("apikey", settings.apikey.as_str()),
            ("mobile", &mobile),
            ("text", &text),
        ];
        let content_type = "application/x-www-form-urlencoded;charset=utf-8";
        let request = Request::post("https://sms.yunpian.com/v2/sms/single_send.json");
        Ok(request
            .form(&form)
            .replace_header("content-type", content_type))
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        match response.json::<Answer>() {
            Some(answer) if answer.code != 0 => Err(answer.refusal(response)),
            _ => {
                let accepted = response.json::<Accepted>();
                Ok(Receipt::of(accepted.map(|a| a.sid.to_string())))
            }
        }
    }

    fn failure(response: &Response) -> Failure {
        match response.json::<Answer>() {
            Some(answer) => answer.refusal(response),
            None => Failure::from_response(response),
        }
    }
}

sendbox_guest::connector!(Yunpian);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

/// The number as Yunpian takes it: bare where it belongs to mainland China, else with a `+`.
fn mobile(recipient: &str) -> String {
    let number: String = recipient.chars().filter(|c| !c.is_whitespace()).collect();
    let international = number.strip_prefix('+').unwrap_or(&number);
    match international.strip_prefix("86") {
        Some(national) if is_mainland(national) => national.to_owned(),
        _ => format!("+{international}"),
    }
}

/// Whether it is a mobile number of mainland China, without its country code.
fn is_mainland(national: &str) -> bool {
    matches!(national.as_bytes(), [b'1', b'3'..=b'9', rest @ ..]
        if rest.len() == 9 && rest.iter().all(u8::is_ascii_digit))
}

#[derive(Deserialize)]
struct Accepted {
    sid: u64,
}

#[derive(Deserialize)]
struct Answer {
    code: i32,
    msg: Option<String>,
    detail: Option<String>,
}

impl Answer {
    fn refusal(self, response: &Response) -> Failure {
        const SECOND: u64 = 1_000;
        // One number: the same text within 30 seconds and thrice within 5 minutes; limits of the hour and
        // of the day; one template within 30 seconds.
        let wait = match self.code {
            8 | 33 => Some(30 * SECOND),
            9 => Some(300 * SECOND),
            22 => Some(3_600 * SECOND),
            17 => Some(86_400 * SECOND),
            _ => None,
        };
        let words = match (self.msg, self.detail) {
            (Some(msg), Some(detail)) if msg != detail => Some(format!("{msg}: {detail}")),
            (msg, detail) => msg.or(detail),
        };
        let failure = Failure::by_code(response, CODES, self.code, words);
        Failure {
            retry_after: failure.retry_after.or(wait),
            ..failure
        }
    }
}
