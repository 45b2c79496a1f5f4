//! Text messages through an HTTP endpoint of the tenant's own, in Logto's message format.
//!
//! Protocol: <https://docs.logto.io/connectors/sms-connectors/http-sms>, read 2026-11-21.

use sendbox_guest::webhook;
use sendbox_guest::{
    About, Channel, Connector, Failure, Message, Receipt, Request, Response, SecretGrant,
};
use serde::Deserialize;

/// The connector.
pub struct HttpSms;

/// Like those of `http-email`, but an empty `authorization` counts as none.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Settings(webhook::Settings);

impl Connector for HttpSms {
    const ABOUT: About = About {
        id: "http-sms",
        channel: Channel::Sms,
        titles: &[
            ("en", "HTTP SMS"),
            ("de", "HTTP-SMS"),
            ("zh-CN", "HTTP 短信"),
        ],
        descriptions: &[
            (
                "en",
                "Posts every text message to be sent as JSON to an endpoint of your own.",
            ),
            (
                "de",
                "Übergibt jede zu sendende SMS als JSON an einen eigenen Endpunkt.",
            ),
            (
                "zh-CN",
                "将每条待发送的短信以 JSON 形式发送到您自己的端点。",
            ),
        ],
        hosts: &["{settings:/endpoint}"],
        secret_grants: &[SecretGrant::query("/token")],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn request(Settings(settings): &Settings, message: &Message) -> Result<Request, Failure> {
        let mut request = webhook::request(settings, message)?;
        if settings.authorization.as_deref() == Some("") {
            request.credential = sendbox_guest::Credential::None;
        }
        Ok(request)
    }

    fn receipt(_: &Response) -> Result<Receipt, Failure> {
        Ok(Receipt::default())
    }
}

sendbox_guest::connector!(HttpSms);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;
