//! Amazon SES: one e-mail through the v2 API, signed with Signature Version 4.
//!
//! Protocol and errors: <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>,
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html>; partitions:
//! <https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>; all read 2026-11-21.

use sendbox_guest::settings::present;
use sendbox_guest::sign::{AccessKey, Scope, sigv4};
use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, MailTemplate, Message, Receipt, Request, Response,
    SecretGrant, Templates,
};
use serde::{Deserialize, Serialize};

/// Beginnings of region names and the domains of their partitions; all others are in the first one's.
const PARTITIONS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
];

/// The connector.
pub struct AwsSes;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    access_key_id: String,
    access_key_secret: String,
    region: String,
    #[serde(default, deserialize_with = "present")]
    email_address: Option<String>,
    #[serde(default, deserialize_with = "present")]
    email_address_identity_arn: Option<String>,
    #[serde(default, deserialize_with = "present")]
    feedback_forwarding_email_address: Option<String>,
    #[serde(default, deserialize_with = "present")]
    feedback_forwarding_email_address_identity_arn: Option<String>,
    #[serde(default, deserialize_with = "present")]
    configuration_set_name: Option<String>,
    templates: Templates<MailTemplate>,
}

impl Connector for AwsSes {
    const ABOUT: About = About {
        id: "aws-ses",
        channel: Channel::Email,
        titles: &[
            ("en", "Amazon SES"),
            ("de", "Amazon SES"),
            ("zh-CN", "亚马逊 SES"),
        ],
        descriptions: &[
            ("en", "E-mail by Amazon SES, with templates of your own."),
            ("de", "E-Mails über Amazon SES, mit eigenen Vorlagen."),
            ("zh-CN", "通过亚马逊 SES 和自定义模板发送邮件。"),
        ],
        hosts: &[
            "email.{settings:/region}.amazonaws.com",
            "email.{settings:/region}.amazonaws.com.cn",
            "email.{settings:/region}.amazonaws.eu",
            "email.{settings:/region}.c2s.ic.gov",
            "email.{settings:/region}.sc2s.sgov.gov",
            "email.{settings:/region}.cloud.adc-e.uk",
            "email.{settings:/region}.csp.hci.ic.gov",
        ],
        secret_grants: &[SecretGrant::signing("/accessKeySecret")],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let text = settings.templates.html(message)?;
        let host = host(&settings.region)?;
        let request =
            Request::post(format!("https://{host}/v2/email/outbound-emails")).json(&Mail {
                content: Content::Simple {
                    subject: Text::new(text.subject, Some("utf8")),
                    body: Body {
                        // Always as HTML, as in the peer.
                        html: Text::new(text.body, None),
                        text: text.text.map(|text| Text::new(text, None)),
                    },
                },
                from_email_address: &settings.email_address,
                from_email_address_identity_arn: &settings.email_address_identity_arn,
                destination: Destination {
                    to_addresses: [&message.recipient],
                },
                feedback_forwarding_email_address: &settings.feedback_forwarding_email_address,
                feedback_forwarding_email_address_identity_arn: &settings
                    .feedback_forwarding_email_address_identity_arn,
                configuration_set_name: &settings.configuration_set_name,
            })?;
        let access_key = AccessKey::new(&settings.access_key_id, &settings.access_key_secret);
        let scope = Scope {
            region: &settings.region,
            service: "ses",
        };
        sigv4(request, access_key, scope, message)
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        match response.json::<Sent>() {
            Some(sent) if response.status == 200 => Ok(Receipt::of(sent.message_id)),
            _ => Err(Failure::unreadable(response)),
        }
    }

    fn failure(response: &Response) -> Failure {
        let failure = Failure::from_response(response);
        let problem = response.json::<Problem>().unwrap_or_default();
        // In the header, else in the body: `namespace#Name`, `Name:address` or `Name` alone.
        let name = response.header("x-amzn-errortype");
        let name = name.or(problem.name.as_deref()).unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        let name = name.rsplit('#').next().unwrap_or_default();
        if name.is_empty() {
            return failure;
        }
        let short = name.trim_end_matches("Exception");
        Failure::by_code(response, CODES, short, problem.message).with_code(name)
    }
}

sendbox_guest::connector!(AwsSes);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

const CODES: Codes = sendbox_guest::codes!();

/// The endpoint of a region.
fn host(region: &str) -> Result<String, Failure> {
    let mut labels = region.split('-');
    let plain = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if !labels.all(plain) || region.len() > 63 {
        let words = "is not a region, such as eu-central-1";
        return Err(Failure::invalid_settings("region", words));
    }
    let mut partitions = PARTITIONS.into_iter();
    let partition = partitions.find(|(start, _)| region.starts_with(start));
    let domain = partition.map_or("amazonaws.com", |(_, domain)| domain);
    Ok(format!("email.{region}.{domain}"))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Mail<'a> {
    content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_email_address: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_email_address_identity_arn: &'a Option<String>,
    destination: Destination<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_forwarding_email_address: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_forwarding_email_address_identity_arn: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_set_name: &'a Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all_fields = "PascalCase")]
enum Content {
    Simple { subject: Text, body: Body },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    html: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    charset: Option<&'static str>,
}

impl Text {
    fn new(data: String, charset: Option<&'static str>) -> Self {
        Self { data, charset }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Destination<'a> {
    to_addresses: [&'a str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    message_id: Option<String>,
}

#[derive(Deserialize, Default)]
struct Problem {
    #[serde(rename = "__type")]
    name: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}
