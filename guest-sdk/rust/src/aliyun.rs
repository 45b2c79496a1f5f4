//! What the connectors of Alibaba Cloud share: requests to its text messages' services, their answers,
//! and its errors.
//!
//! <https://www.alibabacloud.com/help/en/sms/developer-reference/api-error-codes>,
//! <https://help.aliyun.com/document_detail/29434.html>, read 2026-11-21.

use serde::Deserialize;

use crate::codes::Codes;
use crate::connector::Receipt;
use crate::failure::Failure;
use crate::http::{Request, Response};
use crate::message::Message;
use crate::sign::{AccessKey, rpc};

/// A text message from a template, as all services for text messages take it.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// The parameters that name the recipient.
    pub recipient: &'a [(&'a str, &'a str)],
    /// The sign name.
    pub sign_name: &'a str,
    /// The template's code.
    pub template: &'a str,
    /// The template's variables, as a JSON object.
    pub variables: &'a str,
}

impl Text<'_> {
    /// The request for an action of a service.
    ///
    /// # Errors
    /// `invalid-settings` where the host does not sign with the secret.
    pub fn request(
        &self,
        url: &str,
        action: &str,
        access_key: AccessKey<'_>,
        message: &Message,
    ) -> Result<Request, Failure> {
        let mut parameters = vec![
            ("Action", action),
            ("Format", "json"),
            ("RegionId", "cn-hangzhou"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("Version", "2017-05-25"),
            ("AccessKeyId", access_key.id),
        ];
        parameters.extend_from_slice(self.recipient);
        parameters.extend([
            ("SignName", self.sign_name),
            ("TemplateCode", self.template),
            ("TemplateParam", self.variables),
        ]);
        rpc(url, &parameters, access_key, message)
    }
}

/// An answer, with the names of all services. An error has the same shape.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    code: String,
    message: String,
    biz_id: Option<String>,
    model: Option<Model>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Model {
    biz_id: Option<String>,
}

/// A 2xx of a text message's service: a receipt only where its code is `OK`.
///
/// # Errors
/// The failure that the code says, else `unknown`.
pub fn receipt(response: &Response) -> Result<Receipt, Failure> {
    let Some(answer) = response.json::<Answer>() else {
        return Err(Failure::unreadable(response));
    };
    if answer.code == "OK" {
        let of_model = answer.model.and_then(|model| model.biz_id);
        return Ok(Receipt::of(answer.biz_id.or(of_model)));
    }
    Err(refusal(response, answer))
}

/// Any other response: by its code, where it has one.
#[must_use]
pub fn failure(response: &Response) -> Failure {
    match response.json::<Answer>() {
        Some(answer) => refusal(response, answer),
        None => Failure::from_response(response),
    }
}

/// The codes of both, without `isv.` and `isp.`, which say on whose side the fault is.
const CODES: Codes = Codes::new(include_str!("aliyun.txt"));

fn refusal(response: &Response, answer: Answer) -> Failure {
    let code = answer.code.trim_start_matches("isv.");
    let code = code.trim_start_matches("isp.");
    Failure::by_code(response, CODES, code, Some(answer.message)).with_code(&answer.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn answer(status: u16, body: &str) -> Response {
        Response {
            status,
            body: body.into(),
            ..Response::default()
        }
    }

    #[test]
    fn every_code_that_matters_has_its_kind() {
        use FailureKind::*;
        for (code, kind) in [
            ("isv.BUSINESS_LIMIT_CONTROL", Throttled),
            ("FREQUENCY_FAIL", Throttled),
            ("Throttling.User", Throttled),
            ("isv.AMOUNT_NOT_ENOUGH", Throttled),
            ("InvalidAccessKeyId.NotFound", Unauthorized),
            ("SignatureDoesNotMatch", Unauthorized),
            ("isp.RAM_PERMISSION_DENY", Unauthorized),
            ("isv.MOBILE_NUMBER_ILLEGAL", Rejected),
            ("MOBILE_NUMBER_ILLEGAL", Rejected),
            ("isv.SMS_TEMPLATE_ILLEGAL", TemplateNotFound),
            ("isv.SMS_SIGNATURE_ILLEGAL", InvalidSettings),
            ("InvalidMailAddress.NotFound", InvalidSettings),
            ("InvalidTimeStamp.Expired", Unavailable),
            ("SignatureNonceUsed", Unavailable),
            ("isp.SYSTEM_ERROR", Unknown),
            ("isv.SIGN_STATE_ILLEGAL", InvalidSettings),
            ("SomethingNew", InvalidSettings),
        ] {
            let body = format!(r#"{{"Code":"{code}","Message":"words"}}"#);
            for failure in [
                receipt(&answer(200, &body)).unwrap_err(),
                failure(&answer(400, &body)),
            ] {
                assert_eq!(failure.kind, kind, "{code}");
                assert_eq!(failure.code.as_deref(), Some(code));
                assert_eq!(failure.message, "words");
            }
        }
    }

    #[test]
    fn the_receipt_carries_the_id_where_each_service_puts_it() {
        for body in [
            r#"{"Code":"OK","Message":"OK","BizId":"b"}"#,
            r#"{"Code":"OK","Message":"OK","Model":{"BizId":"b"}}"#,
        ] {
            let receipt = receipt(&answer(200, body)).unwrap();
            assert_eq!(receipt.provider_message_id.as_deref(), Some("b"));
        }
        let empty = receipt(&answer(204, "")).unwrap_err();
        assert_eq!(empty.kind, FailureKind::Unknown);
    }
}
