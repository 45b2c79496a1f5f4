//! Alibaba Cloud SMS authentication (Dypns): one code through `SendSmsVerifyCode`, in mainland China.
//!
//! Protocol: <https://help.aliyun.com/zh/pnvs/developer-reference/api-dypnsapi-2017-05-25-sendsmsverifycode>,
//! read 2026-11-21.

use sendbox_guest::sign::AccessKey;
use sendbox_guest::{
    About, Channel, CodeTemplate, Connector, Failure, FailureKind, Message, Receipt, Request,
    Response, SecretGrant, aliyun, usage,
};
use serde::Deserialize;

const URL: &str = "https://dypnsapi.aliyuncs.com/";

/// For how long the text says that its code is valid, in minutes.
const VALIDITY: &str = "10";

/// The connector.
pub struct AliyunSmsMas;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    sign_name: String,
    access_key_id: String,
    access_key_secret: String,
    templates: Vec<CodeTemplate>,
}

impl Connector for AliyunSmsMas {
    const ABOUT: About = About {
        id: "aliyun-sms-mas",
        channel: Channel::Sms,
        titles: &[
            ("en", "Alibaba Cloud SMS authentication"),
            ("de", "Alibaba Cloud SMS-Authentifizierung"),
            ("zh-CN", "阿里云短信认证服务"),
        ],
        descriptions: &[
            (
                "en",
                "Codes by Alibaba Cloud's SMS authentication, to numbers in mainland China, with its own texts.",
            ),
            (
                "de",
                "Codes über die SMS-Authentifizierung von Alibaba Cloud, an Nummern in Festlandchina, mit deren Texten.",
            ),
            (
                "zh-CN",
                "通过阿里云短信认证服务及其赠送的签名和模板，向中国大陆号码发送验证码。",
            ),
        ],
        hosts: &["dypnsapi.aliyuncs.com"],
        secret_grants: &[SecretGrant::signing("/accessKeySecret")],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let template = template(&settings.templates, &message.usage_type)?;
        let number = chinese(&message.recipient).ok_or_else(|| {
            let words = "the number is not one of mainland China, with its country code 86";
            Failure::new(FailureKind::Rejected, words).with_code("number")
        })?;
        let access_key = AccessKey::new(&settings.access_key_id, &settings.access_key_secret);
        let variables = message
            .payload
            .without("locale")
            .with("min", VALIDITY)
            .to_json();
        let text = aliyun::Text {
            recipient: &[("CountryCode", "86"), ("PhoneNumber", &number)],
            sign_name: &settings.sign_name,
            template: &template.template_code,
            variables: &variables,
        };
        text.request(URL, "SendSmsVerifyCode", access_key, message)
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        aliyun::receipt(response)
    }

    fn failure(response: &Response) -> Failure {
        aliyun::failure(response)
    }
}

sendbox_guest::connector!(AliyunSmsMas);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

/// As in the peer, every usage type needs its template, and `Generic` serves only others.
fn template<'t>(
    templates: &'t [CodeTemplate],
    usage_type: &str,
) -> Result<&'t CodeTemplate, Failure> {
    let has = |wanted: &str| templates.iter().any(|t| t.usage_type == wanted);
    if let Some(missing) = usage::ALL.into_iter().find(|required| !has(required)) {
        let words = format!("no template for {missing}");
        return Err(Failure::invalid_settings("templates", &words));
    }
    usage::choose(templates, usage_type).ok_or_else(|| Failure::template_not_found(usage_type))
}

/// The national part of a number of China, as libphonenumber reads it: with its country code, a `+` or
/// `00` before it or nothing, and separators between the digits.
fn chinese(number: &str) -> Option<String> {
    let number = number.trim();
    let number = number.strip_prefix("00").unwrap_or(number);
    let number = number.strip_prefix('+').unwrap_or(number);
    let separators = [' ', '-', '.', '(', ')', '/'];
    let digits = number.replace(separators, "");
    let national = digits.strip_prefix("86")?;
    let plausible = (2..=17).contains(&national.len());
    (plausible && national.bytes().all(|b| b.is_ascii_digit())).then(|| national.to_owned())
}
