//! Logto's HTTP message: one JSON object posted to an endpoint of the tenant's own.
//!
//! <https://docs.logto.io/connectors/email-connectors/http-email>, read 2026-11-21.

use serde::{Deserialize, Serialize};

use crate::endpoint;
use crate::failure::Failure;
use crate::http::{Request, unreserved};
use crate::message::{Content, ContentType, Message};
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
    /// Value of a parameter of the query, a secret that would stand in clear in the endpoint.
    #[serde(default, deserialize_with = "present")]
    pub token: Option<String>,
    /// Its name.
    #[serde(default = "token", rename = "tokenName")]
    pub token_name: String,
}

fn token() -> String {
    "token".to_owned()
}

#[derive(Serialize)]
struct Body<'a> {
    to: &'a str,
    #[serde(rename = "type")]
    usage_type: &'a str,
    payload: &'a Payload,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Text<'a>>,
}

/// A text of the tenant's own, in the names of Logto's e-mail templates.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    subject: &'a str,
    content: &'a str,
    content_type: ContentType,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_from: Option<&'a str>,
}

impl<'a> Text<'a> {
    fn of(content: &'a Content) -> Self {
        Self {
            subject: &content.subject,
            content: &content.body,
            content_type: content.content_type,
            text: content.text.as_deref(),
            reply_to: content.reply_to.as_deref(),
            send_from: content.send_from.as_deref(),
        }
    }
}

/// The message as a request.
///
/// # Errors
/// `invalid-settings` where the endpoint is no web address.
pub fn request(settings: &Settings, message: &Message) -> Result<Request, Failure> {
    let mut url = endpoint::canonical(&settings.endpoint)
        .map_err(|words| Failure::invalid_settings("endpoint", words))?;
    if let Some(token) = settings.token.as_deref().filter(|token| !token.is_empty()) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&unreserved(&settings.token_name));
        url.push('=');
        url.push_str(&unreserved(token));
    }
    let mut request = Request::post(url);
    if let Some(authorization) = &settings.authorization {
        request = request.secret_header("authorization", authorization);
    }
    let content = message.content();
    request.json(&Body {
        to: &message.recipient,
        usage_type: &message.usage_type,
        payload: &message.payload,
        ip: message.client_ip.as_deref().filter(|ip| !ip.is_empty()),
        content: content.as_ref().map(Text::of),
    })
}
