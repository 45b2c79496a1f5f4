//! Tencent Cloud SMS: one text message through API 3.0, signed with TC3-HMAC-SHA256.
//!
//! Protocol and codes: <https://www.tencentcloud.com/document/product/382/34859>,
//! <https://www.tencentcloud.com/document/product/382/38778>; both read 2026-11-21.

use sendbox_guest::sign::{AccessKey, tc3};
use sendbox_guest::template::string;
use sendbox_guest::{
    About, Channel, CodeTemplate, Codes, Connector, Failure, Message, Receipt, Request, Response,
    SecretGrant, Templates,
};
use serde::{Deserialize, Serialize};

const URL: &str = "https://sms.tencentcloudapi.com/";

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct TencentSms;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    region: String,
    sdk_app_id: String,
    sign_name: String,
    access_key_id: String,
    access_key_secret: String,
    templates: Templates<CodeTemplate>,
}

impl Connector for TencentSms {
    const ABOUT: About = About {
        id: "tencent-sms",
        channel: Channel::Sms,
        titles: &[
            ("en", "Tencent Cloud SMS"),
            ("de", "Tencent Cloud SMS"),
            ("zh-CN", "腾讯云短信"),
        ],
        descriptions: &[
            (
                "en",
                "Text messages by Tencent Cloud, with templates kept there.",
            ),
            (
                "de",
                "SMS über Tencent Cloud, mit Vorlagen, die dort liegen.",
            ),
            ("zh-CN", "通过腾讯云短信和其中的模板发送短信。"),
        ],
        hosts: &["sms.tencentcloudapi.com"],
        secret_grants: &[SecretGrant::signing("/accessKeySecret")],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        // As in the peer, `Generic` stands in for no other type: the number of parameters differs.
        let template = settings.templates.choose_exact(&message.usage_type)?;
        let parameters = message.payload.without("locale");
        let request = Request::post(URL)
            .json(&Sms {
                sms_sdk_app_id: &settings.sdk_app_id,
                sign_name: &settings.sign_name,
                template_id: &template.template_code,
                template_param_set: parameters.values().map(string).collect(),
                phone_number_set: [&message.recipient],
            })?
            .replace_header("content-type", "application/json; charset=utf-8")
            .header("x-tc-action", "SendSms")
            .header("x-tc-version", "2021-01-11")
            .header("x-tc-region", &settings.region);
        let access_key = AccessKey::new(&settings.access_key_id, &settings.access_key_secret);
        tc3(request, access_key, "sms", message)
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        let answer = response.json::<Answer>().map(|answer| answer.response);
        let Some(answer) = answer else {
            return Err(Failure::unreadable(response));
        };
        if let Some(problem) = answer.error {
            return Err(refusal(response, problem));
        }
        match answer.send_status_set.into_iter().next() {
            Some(status) if status.problem.code.eq_ignore_ascii_case("ok") => {
                Ok(Receipt::of(status.serial_no))
            }
            Some(status) => Err(refusal(response, status.problem)),
            None => Err(Failure::unreadable(response)),
        }
    }

    fn failure(response: &Response) -> Failure {
        let answer = response.json::<Answer>();
        match answer.and_then(|answer| answer.response.error) {
            Some(problem) => refusal(response, problem),
            None => Failure::from_response(response),
        }
    }
}

sendbox_guest::connector!(TencentSms);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sms<'a> {
    sms_sdk_app_id: &'a str,
    sign_name: &'a str,
    template_id: &'a str,
    template_param_set: Vec<String>,
    phone_number_set: [&'a str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    response: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    error: Option<Problem>,
    #[serde(default)]
    send_status_set: Vec<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    serial_no: Option<String>,
    #[serde(flatten)]
    problem: Problem,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Problem {
    code: String,
    message: String,
}

fn refusal(response: &Response, problem: Problem) -> Failure {
    Failure::by_code(response, CODES, problem.code, Some(problem.message))
}
