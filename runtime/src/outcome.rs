//! How an attempt ended: what the guest said, and what the host saw on the wire.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The provider accepted. Not "delivered to the inbox".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The provider's name for the message.
    pub provider_message_id: Option<String>,
    /// The provider's own words.
    pub detail: Option<String>,
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The settings cannot work.
    InvalidSettings,
    /// No template for the usage type.
    TemplateNotFound,
    /// The recipient or the content is refused for good.
    Rejected,
    /// The credentials are refused.
    Unauthorized,
    /// Refused until later, because of a rate or quota.
    Throttled,
    /// Not accepted, and a later attempt may succeed.
    Unavailable,
    /// The provider may have accepted.
    Unknown,
}

impl FailureKind {
    /// The word in API, database and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSettings => "invalid-settings",
            Self::TemplateNotFound => "template-not-found",
            Self::Rejected => "rejected",
            Self::Unauthorized => "unauthorized",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }
}

/// A failed attempt, in the connector's or the host's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class that decides what happens next.
    pub kind: FailureKind,
    /// The provider's code, or the host's, such as `limit.cpu` or `egress.denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// In words, redacted.
    pub message: String,
    /// How long the provider asks to wait.
    #[serde(
        rename = "retry_after_ms",
        with = "optional_millis",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that the host found itself.
    pub fn host(kind: FailureKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: Some(code.to_owned()),
            message: message.into(),
            retry_after: None,
        }
    }
}

mod optional_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(duration) => {
                serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
            }
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

/// How far one exchange with a provider came, by the host's own observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Refused by policy or malformed: no byte left.
    Refused,
    /// No connection or TLS session: no byte of the request left.
    NotConnected,
    /// Some bytes left, but not enough to complete a request.
    Incomplete,
    /// The whole request left; no final answer was seen. It may have been accepted.
    Complete,
    /// A final status or reply was read.
    Answered,
}

/// One exchange, as the host saw it. Holds no header, body, path or query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// `GET`, `POST`, … or `SMTP`.
    pub method: String,
    /// Host and port that the request named.
    pub authority: String,
    /// Local address that it left from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<IpAddr>,
    /// Address that was dialled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// How far it came.
    pub progress: Progress,
    /// HTTP status or SMTP reply code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it ended early: a stable code such as `egress.dns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Bytes of the request that left.
    pub bytes_sent: u64,
    /// Bytes of the response that were read.
    pub bytes_received: u64,
    /// Milliseconds from start to end.
    pub duration_ms: u64,
    /// Requests after this one that were over the limit of requests too: they are only counted.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more: u64,
}

impl Exchange {
    /// Whether the provider answered with success: 2xx, or 250 for SMTP.
    fn accepted(&self) -> bool {
        self.progress == Progress::Answered
            && self
                .status
                .is_some_and(|status| (200..300).contains(&status))
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
const fn is_none(more: &u64) -> bool {
    *more == 0
}

/// Everything that one attempt did on the wire, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WireRecord {
    /// The exchanges in order of their start.
    pub exchanges: Vec<Exchange>,
}

impl WireRecord {
    /// Whether a provider answered with success (2xx, or 250 for SMTP) at least once.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.exchanges.iter().any(Exchange::accepted)
    }

    /// Whether the last request that left as a whole was answered with success. An earlier yes, such as a
    /// token's, says nothing of a later request that was refused.
    #[must_use]
    pub fn ends_accepted(&self) -> bool {
        let mut latest = self.exchanges.iter().rev();
        latest
            .find(|exchange| exchange.progress >= Progress::Complete)
            .is_some_and(Exchange::accepted)
    }

    /// Whether any request may have been taken without an answer that says so: there was none, or it
    /// began as a success and broke off.
    #[must_use]
    pub fn ambiguous(&self) -> bool {
        self.exchanges.iter().any(|exchange| {
            exchange.progress == Progress::Complete
                || (exchange.accepted() && exchange.error.is_some())
        })
    }

    /// Whether any request left as a whole, answered or not.
    #[must_use]
    pub fn completed(&self) -> bool {
        self.exchanges
            .iter()
            .any(|exchange| exchange.progress >= Progress::Complete)
    }
}
