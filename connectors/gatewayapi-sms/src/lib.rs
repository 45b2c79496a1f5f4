//! GatewayAPI: one text message through the REST API.
//!
//! Protocol: <https://gatewayapi.com/docs/apis/rest/>.

use sendbox_guest::sms::{self, TextTemplate};
use sendbox_guest::{
    About, Channel, Codes, Connector, Failure, Message, Receipt, Request, Response, Templates,
    endpoint,
};
use serde::{Deserialize, Serialize};

const CODES: Codes = sendbox_guest::codes!();

/// The connector.
pub struct GatewayApi;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    endpoint: String,
    api_token: String,
    sender: String,
    templates: Templates<TextTemplate>,
}

impl Connector for GatewayApi {
    const ABOUT: About = About {
        id: "gatewayapi-sms",
        channel: Channel::Sms,
        titles: &[
            ("en", "GatewayAPI SMS"),
            ("de", "GatewayAPI-SMS"),
            ("zh-CN", "GatewayAPI 短信"),
        ],
        descriptions: &[
            (
                "en",
                "Text messages by GatewayAPI, from its worldwide or its European setup.",
            ),
            (
                "de",
                "SMS über GatewayAPI, aus dem weltweiten oder dem europäischen Betrieb.",
            ),
            (
                "zh-CN",
                "通过 GatewayAPI 发送短信，可使用其全球或欧洲平台。",
            ),
        ],
        hosts: &["{settings:/endpoint}"],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
        let url = endpoint::canonical(&settings.endpoint)
            .map_err(|words| Failure::invalid_settings("endpoint", words))?;
        let text = sms::text(message, |usage_type| settings.templates.choose(usage_type))?;
        // The token is the user; there is no password.
        Request::post(url)
            .basic(&settings.api_token, "")
            .json(&Sms {
                sender: &settings.sender,
                message: text,
                recipients: [Recipient {
                    msisdn: &message.recipient,
                }],
            })
    }

    fn receipt(response: &Response) -> Result<Receipt, Failure> {
        if response.json::<Problem>().is_some() {
            return Err(Self::failure(response));
        }
        let accepted = response.json::<Accepted>();
        let id = accepted.and_then(|accepted| accepted.ids.first().map(u64::to_string));
        Ok(Receipt::of(id))
    }

    fn failure(response: &Response) -> Failure {
        let Some(problem) = response.json::<Problem>() else {
            return Failure::from_response(response);
        };
        // An empty account answers 403, as a bad token may: only the words tell.
        let code = match problem.code {
            Some(code) => code,
            None => response.status.to_string(),
        };
        Failure::by_code(response, CODES, code, Some(problem.message))
    }
}

sendbox_guest::connector!(GatewayApi);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

#[derive(Serialize)]
struct Sms<'a> {
    sender: &'a str,
    message: String,
    recipients: [Recipient<'a>; 1],
}

#[derive(Serialize)]
struct Recipient<'a> {
    msisdn: &'a str,
}

#[derive(Deserialize)]
struct Accepted {
    ids: Vec<u64>,
}

#[derive(Deserialize)]
struct Problem {
    /// Hexadecimal, such as `0x0213`.
    code: Option<String>,
    message: String,
}
