//! Alibaba Cloud SMS: one text message through `SendSms`, with a template for China and one for abroad.
//!
//! Protocol: <https://www.alibabacloud.com/help/en/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms>,
//! read 2026-11-21.

use sendbox_guest::settings::present;
use sendbox_guest::sign::AccessKey;
use sendbox_guest::{
    About, Channel, Connector, Failure, Message, Receipt, Request, Response, SecretGrant, Template,
    Templates, aliyun,
};
use serde::Deserialize;

const URL: &str = "https://dysmsapi.aliyuncs.com/";

/// The connector.
pub struct AliyunSms;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    access_key_id: String,
    access_key_secret: String,
    sign_name: String,
    #[serde(default, deserialize_with = "present")]
    strict_phone_region_number_check: Option<bool>,
    templates: Templates<SmsTemplate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SmsTemplate {
    usage_type: String,
    template_code: TemplateCode,
}

/// One template for all numbers, or one for each part of the world.
#[derive(Deserialize)]
#[serde(untagged)]
enum TemplateCode {
    One(String),
    Two { china: String, overseas: String },
}

impl Template for SmsTemplate {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

impl Connector for AliyunSms {
    const ABOUT: About = About {
        id: "aliyun-sms",
        channel: Channel::Sms,
        titles: &[
            ("en", "Alibaba Cloud SMS"),
            ("de", "Alibaba Cloud SMS"),
            ("zh-CN", "阿里云短信服务"),
        ],
        descriptions: &[
            (
                "en",
                "Text messages by Alibaba Cloud, with templates kept there.",
            ),
            (
                "de",
                "SMS über Alibaba Cloud, mit Vorlagen, die dort liegen.",
            ),
            ("zh-CN", "通过阿里云短信服务和其中的模板发送短信。"),
        ],
        hosts: &["dysmsapi.aliyuncs.com"],
        secret_grants: &[SecretGrant::signing("/accessKeySecret")],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let template = settings.templates.choose(&message.usage_type)?;
        let strict = settings.strict_phone_region_number_check == Some(true);
        let code = match &template.template_code {
            TemplateCode::One(code) => code,
            TemplateCode::Two { china, .. } if is_chinese(&message.recipient, strict) => china,
            TemplateCode::Two { overseas, .. } => overseas,
        };
        let text = aliyun::Text {
            recipient: &[("PhoneNumbers", &message.recipient)],
            sign_name: &settings.sign_name,
            template: code,
            variables: &message.payload.without("locale").to_json(),
        };
        let access_key = AccessKey::new(&settings.access_key_id, &settings.access_key_secret);
        text.request(URL, "SendSms", access_key, message)
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        aliyun::receipt(response)
    }

    fn failure(response: &Response) -> Failure {
        aliyun::failure(response)
    }
}

sendbox_guest::connector!(AliyunSms);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

/// Whether a number is one of mainland China's mobile networks: eleven digits that begin with 1, the
/// country's code before them where `strict`, else with or without it.
fn is_chinese(number: &str, strict: bool) -> bool {
    let prefixes = ["+86", "0086", "86"].into_iter();
    let mut stripped = prefixes.filter_map(|prefix| number.strip_prefix(prefix));
    let mobile = |digits: &str| {
        digits.len() == 11 && digits.starts_with('1') && digits.bytes().all(|b| b.is_ascii_digit())
    };
    stripped.any(mobile) || (!strict && mobile(number))
}
