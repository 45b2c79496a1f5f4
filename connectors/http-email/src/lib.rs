//! E-mail through an HTTP endpoint of the tenant's own, in Logto's message format.
//!
//! Protocol: <https://docs.logto.io/connectors/email-connectors/http-email>, read 2026-11-21.

use sendbox_guest::webhook;
use sendbox_guest::{
    About, Channel, Connector, Failure, Message, Receipt, Request, Response, SecretGrant,
};

/// The connector.
pub struct HttpEmail;

impl Connector for HttpEmail {
    const ABOUT: About = About {
        id: "http-email",
        channel: Channel::Email,
        titles: &[
            ("en", "HTTP e-mail"),
            ("de", "HTTP-E-Mail"),
            ("zh-CN", "HTTP 邮件"),
        ],
        descriptions: &[
            (
                "en",
                "Posts every e-mail to be sent as JSON to an endpoint of your own.",
            ),
            (
                "de",
                "Übergibt jede zu sendende E-Mail als JSON an einen eigenen Endpunkt.",
            ),
            (
                "zh-CN",
                "将每封待发送的邮件以 JSON 形式发送到您自己的端点。",
            ),
        ],
        hosts: &["{settings:/endpoint}"],
        secret_grants: &[SecretGrant::query("/token")],
        ..sendbox_guest::package!()
    };

    type Settings = webhook::Settings;

    fn request(settings: &webhook::Settings, message: &Message) -> Result<Request, Failure> {
        webhook::request(settings, message)
    }

    fn receipt(_: &Response) -> Result<Receipt, Failure> {
        Ok(Receipt::default())
    }
}

sendbox_guest::connector!(HttpEmail);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;
