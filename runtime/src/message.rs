//! What is to be sent: parsed once, valid ever after.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{MessageId, TenantId};
use crate::time::Timestamp;

mod payload;
mod recipient;
pub mod sender;

pub use payload::{PAYLOAD_DEPTH_MAX, PAYLOAD_MAX, Payload};
pub use recipient::Recipient;
pub(crate) use recipient::{canonical, mask};

/// Why a text is no part of a message. Never repeats the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct MessageError {
    /// The field in the caller's words, such as `to` or `payload/code`.
    pub field: Cow<'static, str>,
    /// What is wrong with it and what was expected.
    pub problem: String,
}

impl MessageError {
    fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

/// What a message travels by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
}

impl Channel {
    /// The word in API, database and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// The channel of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "email" => Some(Self::Email),
            "sms" => Some(Self::Sms),
            _ => None,
        }
    }
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Handed in by the API.
    Api,
    /// Posted at a front door.
    FrontDoor,
    /// A test of one integration: it passes the route, and has one attempt.
    Test,
}

impl Origin {
    const ALL: [Self; 3] = [Self::Api, Self::FrontDoor, Self::Test];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::FrontDoor => "front-door",
            Self::Test => "test",
        }
    }

    /// The origin of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == word)
    }
}

/// What a message is for: the nine template types of Logto.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum UsageType {
    SignIn,
    Register,
    ForgotPassword,
    OrganizationInvitation,
    Generic,
    UserPermissionValidation,
    BindNewIdentifier,
    MfaVerification,
    BindMfa,
}

impl UsageType {
    const ALL: [(Self, &'static str); 9] = [
        (Self::SignIn, "SignIn"),
        (Self::Register, "Register"),
        (Self::ForgotPassword, "ForgotPassword"),
        (Self::OrganizationInvitation, "OrganizationInvitation"),
        (Self::Generic, "Generic"),
        (Self::UserPermissionValidation, "UserPermissionValidation"),
        (Self::BindNewIdentifier, "BindNewIdentifier"),
        (Self::MfaVerification, "MfaVerification"),
        (Self::BindMfa, "BindMfa"),
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(usage, _)| *usage == self)
            .map_or("Generic", |(_, word)| word)
    }

    /// The usage type of a word.
    ///
    /// # Errors
    /// Names the nine words for any other.
    pub fn parse(word: &str) -> Result<Self, MessageError> {
        Self::ALL
            .into_iter()
            .find(|(_, name)| *name == word)
            .map(|(usage, _)| usage)
            .ok_or_else(|| {
                let words: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
                MessageError::new("type", format!("must be one of {}", words.join(", ")))
            })
    }
}

/// A message as accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its identifier.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// How it came.
    pub origin: Origin,
    /// What it travels by.
    pub channel: Channel,
    /// Whom it is for.
    pub recipient: Recipient,
    /// What it is for.
    pub usage_type: UsageType,
    /// Template variables.
    pub payload: Payload,
    /// BCP 47 tag.
    pub locale: Option<String>,
    /// Address of the person that asked for it.
    pub client_ip: Option<IpAddr>,
    /// The caller's key against double submission: 1 to 256 printable ASCII characters.
    pub idempotency_key: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it must not be sent any more.
    pub expires_at: Timestamp,
}

impl Message {
    /// What a connector is given at `now`.
    #[must_use]
    pub fn outgoing(&self, now: Timestamp) -> OutgoingMessage {
        OutgoingMessage {
            recipient: self.recipient.expose().to_owned(),
            usage_type: self.usage_type.as_str().to_owned(),
            payload: self.payload.expose().to_owned(),
            locale: self.locale.clone(),
            client_ip: self.client_ip.map(|ip| ip.to_string()),
            content: None,
            idempotency_key: self.id.to_string(),
            expires_in: now.until(self.expires_at),
        }
    }
}

/// A message as a connector is given it. Texts, because a replayed case may hold any.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// E-mail address or phone number.
    pub recipient: String,
    /// One of the nine usage types.
    pub usage_type: String,
    /// Text of a JSON object.
    pub payload: String,
    /// BCP 47 tag.
    pub locale: Option<String>,
    /// IP address of the person that asked for the message.
    pub client_ip: Option<String>,
    /// The tenant's own text, its template variables not filled in.
    pub content: Option<Content>,
    /// The same over all attempts.
    pub idempotency_key: String,
    /// Time left.
    pub expires_in: Duration,
}

/// A text that overrides the settings' templates.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Subject line.
    pub subject: String,
    /// Body, in `content_type`.
    #[serde(rename = "content")]
    pub body: String,
    /// `text/html` unless it says otherwise.
    #[serde(default)]
    pub content_type: ContentType,
    /// Plain text of the same, beside an HTML body.
    #[serde(default)]
    pub text: Option<String>,
    /// Mailbox for replies.
    pub reply_to: Option<String>,
    /// Display name, mailbox, or both.
    pub send_from: Option<String>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A composed text holds the code.
        f.write_str("Content(…)")
    }
}

/// The media type of a rendered body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentType {
    /// HTML.
    #[default]
    #[serde(rename = "text/html")]
    Html,
    /// Plain text.
    #[serde(rename = "text/plain")]
    Plain,
}
