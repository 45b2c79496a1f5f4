//! The only way out: policy, resolution, dialling, TLS, HTTP and SMTP, all for one tenant's send at a time.
//!
//! | module | job |
//! |---|---|
//! | [`config`] | what the operator sets |
//! | [`address`] | which addresses may be dialled |
//! | [`target`] | one parse of a URL into one object |
//! | [`pattern`] [`policy`] | which names, ports and schemes may be reached |
//! | [`headers`] [`prepare`] | the guest's request as it will stand on the wire, secrets filled in |
//! | [`name_servers`] [`resolve`] [`dial`] [`proxy`] [`tls`] | from a name to a session from the source address, or through its proxy |
//! | [`sources`] | which sources are out of use |
//! | [`meter`] [`link`] [`pool`] | one HTTP/1.1 connection, how far it came, and its reuse |
//! | [`smtp`] | mail submission over the same way out, and its idle sessions |
//! | [`journal`] | what the host saw on the wire |
//! | [`explain`] | the same judgements in words, for the operator |
//! | [`live`] [`capture`] [`scope`] | the real way out, a recorded one, and one send's use of either |

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::id::SourceName;
use crate::limits::Limit;
use crate::source::Family;

mod address;
mod capture;
mod config;
mod dial;
mod explain;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod journal;
mod link;
mod live;
mod meter;
mod name_servers;
mod pattern;
mod policy;
mod pool;
mod prepare;
mod proxy;
mod resolve;
mod scope;
mod smtp;
mod sources;
mod target;
mod tls;

pub use address::{AddressPolicy, Cidr, CidrError};
pub use capture::{Answer, Capture, CapturedRequest};
pub use config::{EgressConfig, EgressSetupError, PortRange};
pub use explain::{Destination, JudgedAddress, ListVerdict, NameVerdict, Refusal};
pub use live::Egress;
pub use pattern::{Author, HostPattern, PatternError};
pub use policy::{Ceiling, EgressPolicy, PolicyError, expanded_hosts};
pub use proxy::ProxyError;
pub use resolve::system_addresses;
pub use scope::{Admitted, EgressScope, Transport};
pub use smtp::{
    CapturedMail, MailScript, SmtpAuth, SmtpEnvelope, SmtpError, SmtpReply, SmtpSecurity,
    SmtpServer, SmtpSubmission,
};
pub use sources::{Ailment, SourceHealth, Suspension};

/// One HTTP exchange that a guest asks for. Every text may hold placeholders.
#[derive(Clone, Default)]
pub struct HttpRequest {
    /// As the guest wrote it.
    pub method: String,
    /// Absolute URL as the guest wrote it.
    pub url: String,
    /// Names and values in order.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// Encoded after the secrets are filled in.
    pub credential: Credential,
    /// For the whole exchange, capped by the send's deadline.
    pub timeout: Option<Duration>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URL, headers and body may name a recipient or hold a code.
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A credential that the host encodes.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credential {
    /// None.
    #[default]
    None,
    /// User and password (RFC 7617).
    Basic(String, String),
    /// Token (RFC 6750).
    Bearer(String),
    /// Header name and value.
    Header(String, String),
}

/// What a provider answered, with every secret in it replaced by its placeholder.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why an exchange did not end with a response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// By policy. `rule` is for the operator; a guest learns only that it was denied.
    #[error("denied by policy ({rule})")]
    Denied {
        /// The rule, such as `host.not-allowed` or `address.private`.
        rule: &'static str,
    },
    /// Malformed; nothing was sent.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// Over a limit; nothing was sent.
    #[error("{}: {detail}", .limit.code())]
    Limit {
        /// Which.
        limit: Limit,
        /// Its value and the fix, in words.
        detail: String,
    },
    /// The name could not be resolved; nothing was sent.
    #[error("the name could not be resolved")]
    Dns,
    /// No connection from the egress source; nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// The destination has no address of the egress source's family; nothing was sent.
    #[error("the egress source dials {} only, and the destination has no such address", .0.as_str())]
    Family(Family),
    /// The egress source's address is not on this machine; nothing was sent.
    #[error("the egress source's address is not on this machine")]
    SourceMissing,
    /// The egress source's proxy made no connection; nothing was sent.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// No trusted TLS session; nothing was sent.
    #[error("no trusted TLS session: {0}")]
    Tls(String),
    /// The attempt could not be recorded as armed, so nothing was sent.
    #[error("the attempt was not recorded before its request, or its time was over")]
    NotArmed,
    /// No whole response in time.
    #[error("no whole response in time")]
    Timeout,
    /// The response's head, or the framing of its body, cannot be read.
    #[error("the response cannot be read")]
    Malformed,
    /// The connection ended before a whole response.
    #[error("the connection ended before a whole response")]
    Interrupted,
    /// The response is over a limit.
    #[error("the response is too large")]
    ResponseTooLarge,
}

/// The code of an exchange whose response cannot be read.
pub(crate) const MALFORMED: &str = "egress.malformed-response";

impl EgressError {
    /// Whether another source might have reached the destination, by the code of an exchange's error.
    #[must_use]
    pub fn is_of_source(code: &str) -> bool {
        ["egress.family", "egress.source-missing", "egress.proxy"].contains(&code)
    }

    /// The stable code in wire records and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "egress.denied",
            Self::Invalid(_) => "egress.invalid",
            Self::Limit { limit, .. } => limit.code(),
            Self::Dns => "egress.dns",
            Self::Connect(_) => "egress.connect",
            Self::Family(_) => "egress.family",
            Self::SourceMissing => "egress.source-missing",
            Self::Proxy(_) => "egress.proxy",
            Self::Tls(_) => "egress.tls",
            Self::NotArmed => "egress.not-armed",
            Self::Timeout => "egress.timeout",
            Self::Malformed => MALFORMED,
            Self::Interrupted => "egress.interrupted",
            Self::ResponseTooLarge => "egress.response-too-large",
        }
    }
}

/// What an attempt has to pass before it may send: makes that durable. Called once, just before the first byte that
/// could complete a request leaves, with the source that it leaves by, and run to its end whatever becomes of the
/// request. Answers until when requests may begin, however long the process stands still meanwhile; none where
/// nothing may be sent.
pub type Arm = Arc<
    dyn Fn(Option<SourceName>) -> Pin<Box<dyn Future<Output = Option<Instant>> + Send>>
        + Send
        + Sync,
>;
