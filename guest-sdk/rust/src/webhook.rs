//! Logto's HTTP message: one JSON object posted to an endpoint of the tenant's own.
//!
//! <https://docs.logto.io/connectors/email-connectors/http-email>, read 2026-11-21.

use serde::{Deserialize, Serialize};

use crate::endpoint;
use crate::failure::Failure;
use crate::http::Request;
use crate::message::Message;
use crate::payload::Payload;
use crate::settings::present;

/// Where the message is posted.
#[derive(Deserialize)]
pub struct Settings {
    /// Absolute `https` or `http` URL.
    pub endpoint: String,
    /// Value of the `authorization` header, as it is.
    #[serde(default, deserialize_with = "present")]
    pub authorization: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    to: &'a str,
    #[serde(rename = "type")]
    usage_type: &'a str,
    payload: &'a Payload,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
}

/// The message as a request.
///
/// # Errors
/// `invalid-settings` where the endpoint is no web address.
pub fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
    let url = endpoint::canonical(&settings.endpoint)
        .map_err(|words| Failure::invalid_settings("endpoint", words))?;
    let mut request = Request::post(url);
    if let Some(authorization) = &settings.authorization {
        request = request.secret_header("authorization", authorization);
    }
    request.json(&Body {
        to: &message.recipient,
        usage_type: &message.usage_type,
        payload: &message.payload,
        ip: message.client_ip.as_deref().filter(|ip| !ip.is_empty()),
    })
}
