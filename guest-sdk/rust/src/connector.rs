//! The four things a connector says, and the one path that turns them into a send.

use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::http::{HttpError, Request, Response};
use crate::message::Message;
use crate::settings;

/// What a message travels by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
}

/// A request to place one secret outside headers and credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretGrant {
    /// JSON pointer of the secret in the settings, such as `/apiKey`.
    pub setting: &'static str,
    /// In the query of a URL.
    pub query: bool,
    /// In a body.
    pub body: bool,
    /// As key material for signing. Where a key is derived before it signs, the secret's `x-derivations` in the
    /// settings schema must say how often.
    pub signing: bool,
}

impl SecretGrant {
    /// A grant to sign with a secret, and nothing else.
    #[must_use]
    pub const fn signing(setting: &'static str) -> Self {
        Self {
            signing: true,
            ..Self::none(setting)
        }
    }

    /// A grant to place a secret in a body, and nowhere else.
    #[must_use]
    pub const fn body(setting: &'static str) -> Self {
        Self {
            body: true,
            ..Self::none(setting)
        }
    }

    /// A grant to place a secret in the query of a URL, and nowhere else.
    #[must_use]
    pub const fn query(setting: &'static str) -> Self {
        Self {
            query: true,
            ..Self::none(setting)
        }
    }

    const fn none(setting: &'static str) -> Self {
        Self {
            setting,
            query: false,
            body: false,
            signing: false,
        }
    }
}

/// What a connector says of itself, the same on every call.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Lower-case ASCII letters, digits and `-`; also the package's name.
    pub id: &'static str,
    /// What its messages travel by.
    pub channel: Channel,
    /// Semantic version.
    pub version: &'static str,
    /// Names by BCP 47 tag; the first is the default.
    pub titles: &'static [(&'static str, &'static str)],
    /// One-paragraph descriptions by BCP 47 tag.
    pub descriptions: &'static [(&'static str, &'static str)],
    /// JSON Schema 2020-12 of the settings: `title`, `description`, `default` and `examples` make
    /// a form, `writeOnly` marks a secret, and `x-form` hints at a `placeholder` or a `widget`
    /// (`multiline`).
    pub settings_schema: &'static str,
    /// Hosts that it asks to reach: names, or `{settings:/pointer}`.
    pub hosts: &'static [&'static str],
    /// Where secrets may be placed besides headers and credentials.
    pub secret_grants: &'static [SecretGrant],
    /// How to set it up, in Markdown.
    pub readme: &'static str,
}

impl About {
    /// An e-mail connector that says nothing of itself: what is left out of [`package!`](crate::package).
    #[doc(hidden)]
    pub const NOTHING: Self = Self {
        id: "",
        channel: Channel::Email,
        version: "",
        titles: &[],
        descriptions: &[],
        settings_schema: "",
        hosts: &[],
        secret_grants: &[],
        readme: "",
    };
}

/// The provider accepted the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// The provider's name for the message.
    pub provider_message_id: Option<String>,
    /// The provider's own words.
    pub detail: Option<String>,
}

impl Receipt {
    /// A receipt with the provider's name for the message, where it gave one.
    #[must_use]
    pub fn of(provider_message_id: Option<String>) -> Self {
        Self {
            provider_message_id: provider_message_id.filter(|id| !id.is_empty()),
            detail: None,
        }
    }
}

/// A connector: one provider, one channel. All of it is free of I/O; [`send`] does the rest.
pub trait Connector {
    /// What it is.
    const ABOUT: About;

    /// Its settings, read from JSON.
    type Settings: DeserializeOwned;

    /// How a message becomes a request.
    ///
    /// # Errors
    /// Where no request can be made: nothing is sent.
    fn request(settings: &Self::Settings, message: &Message) -> Result<Request, Failure>;

    /// How a 2xx response becomes a receipt.
    ///
    /// # Errors
    /// Where the provider says no inside a 2xx.
    fn receipt(response: &Response) -> Result<Receipt, Failure>;

    /// How any other response becomes a failure; by its status code, unless the provider says more.
    fn failure(response: &Response) -> Failure {
        Failure::from_response(response)
    }
}

/// Sends one message, once, through `exchange`.
///
/// # Errors
/// The connector's failure, without the message's recipient, code and link in its words.
pub fn send<C: Connector>(
    settings: &str,
    message: &Message,
    exchange: impl FnOnce(Request) -> Result<Response, HttpError>,
) -> Result<Receipt, Failure> {
    attempt::<C>(settings, message, exchange).map_err(|failure| message.conceal(failure))
}

fn attempt<C: Connector>(
    settings: &str,
    message: &Message,
    exchange: impl FnOnce(Request) -> Result<Response, HttpError>,
) -> Result<Receipt, Failure> {
    let settings = settings::parse::<C::Settings>(settings)?;
    message.check()?;
    let request = C::request(&settings, message)?;
    request.check()?;
    let response = exchange(request)?;
    if response.is_success() {
        C::receipt(&response)
    } else {
        Err(C::failure(&response))
    }
}
