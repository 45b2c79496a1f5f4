//! Alibaba Cloud Direct Mail: one e-mail through `SingleSendMail`, in five regions.
//!
//! Protocol: <https://www.alibabacloud.com/help/en/directmail/latest/SingleSendMail>; regions:
//! <https://www.alibabacloud.com/help/en/directmail/latest/service-address>; both read 2026-11-21.

use sendbox_guest::settings::present;
use sendbox_guest::sign::{AccessKey, rpc};
use sendbox_guest::{
    About, Channel, Connector, Failure, MailTemplate, Message, Receipt, Request, Response,
    SecretGrant, Templates, aliyun,
};
use serde::Deserialize;

/// The connector.
pub struct AliyunDm;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    access_key_id: String,
    access_key_secret: String,
    #[serde(default, deserialize_with = "present")]
    region_id: Option<Region>,
    account_name: String,
    #[serde(default, deserialize_with = "present")]
    from_alias: Option<String>,
    templates: Templates<MailTemplate>,
}

#[derive(Deserialize, Clone, Copy, Default)]
enum Region {
    #[default]
    #[serde(rename = "cn-hangzhou")]
    Hangzhou,
    #[serde(rename = "ap-southeast-1")]
    Singapore,
    #[serde(rename = "ap-southeast-2")]
    Sydney,
    #[serde(rename = "eu-central-1")]
    Frankfurt,
    #[serde(rename = "us-east-1")]
    Virginia,
}

impl Region {
    /// Its id and its endpoint.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Hangzhou => ("cn-hangzhou", "https://dm.aliyuncs.com/"),
            Self::Singapore => ("ap-southeast-1", "https://dm.ap-southeast-1.aliyuncs.com/"),
            Self::Sydney => ("ap-southeast-2", "https://dm.ap-southeast-2.aliyuncs.com/"),
            Self::Frankfurt => ("eu-central-1", "https://dm.eu-central-1.aliyuncs.com/"),
            Self::Virginia => ("us-east-1", "https://dm.us-east-1.aliyuncs.com/"),
        }
    }
}

impl Connector for AliyunDm {
    const ABOUT: About = About {
        id: "aliyun-dm",
        channel: Channel::Email,
        titles: &[
            ("en", "Alibaba Cloud Direct Mail"),
            ("de", "Alibaba Cloud Direct Mail"),
            ("zh-CN", "阿里云邮件推送"),
        ],
        descriptions: &[
            (
                "en",
                "E-mail by Alibaba Cloud Direct Mail, with templates of your own.",
            ),
            (
                "de",
                "E-Mails über Alibaba Cloud Direct Mail, mit eigenen Vorlagen.",
            ),
            ("zh-CN", "通过阿里云邮件推送和自定义模板发送邮件。"),
        ],
        hosts: &[
            "dm.aliyuncs.com",
            "dm.ap-southeast-1.aliyuncs.com",
            "dm.ap-southeast-2.aliyuncs.com",
            "dm.eu-central-1.aliyuncs.com",
            "dm.us-east-1.aliyuncs.com",
        ],
        secret_grants: &[SecretGrant::signing("/accessKeySecret")],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let text = settings.templates.html(message)?;
        let alias = text.send_from.as_ref().or(settings.from_alias.as_ref());
        let (region, url) = settings.region_id.unwrap_or_default().place();
        let access_key = AccessKey::new(&settings.access_key_id, &settings.access_key_secret);
        let mut parameters = vec![
            ("Action", "SingleSendMail"),
            ("Format", "json"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("Version", "2015-11-23"),
            ("AccessKeyId", access_key.id),
            ("AccountName", &settings.account_name),
            ("ReplyToAddress", "false"),
            ("AddressType", "1"),
            ("ToAddress", &message.recipient),
        ];
        parameters.extend(alias.map(|alias| ("FromAlias", alias.as_str())));
        parameters.extend([
            ("Subject", text.subject.as_str()),
            // Always as HTML, as in the peer.
            ("HtmlBody", &text.body),
            ("RegionId", region),
        ]);
        parameters.extend(text.text.as_deref().map(|text| ("TextBody", text)));
        rpc(url, &parameters, access_key, message)
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        match response.json::<Sent>() {
            Some(sent) => Ok(Receipt {
                detail: Some(sent.request_id),
                ..Receipt::of(Some(sent.env_id))
            }),
            None => Err(aliyun::receipt(response)
                .err()
                .unwrap_or_else(|| Failure::unreadable(response))),
        }
    }

    fn failure(response: &Response) -> Failure {
        aliyun::failure(response)
    }
}

sendbox_guest::connector!(AliyunDm);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    env_id: String,
    request_id: String,
}
