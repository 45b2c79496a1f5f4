//! Mail submission (RFC 6409) through the tenant's way out: the same policy, resolution, judged addresses,
//! source and record of the wire as HTTP.
//!
//! | module | job |
//! |---|---|
//! | [`mail`] | an envelope and a message, checked and made ready for the wire |
//! | [`reply`] [`offers`] | what a server says, within limits |
//! | [`auth`] | credentials |
//! | [`session`] | one session, from the greeting to the answer to the final dot |
//! | [`mailer`] | opens sessions and keeps idle ones |
//! | [`seats`] | how many may be open |
//! | [`script`] | a recorded server |

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::EgressError;

mod auth;
mod mail;
mod mailer;
mod offers;
mod reply;
mod script;
mod seats;
mod session;

pub use script::{CapturedMail, MailScript};

pub(super) use mailer::{Dispatch, Mailer};
#[cfg(feature = "fuzzing")]
pub use reply::replies;

/// One message for one server. Credentials may hold placeholders; nothing else may.
#[derive(Clone)]
pub struct SmtpSubmission {
    /// Where to.
    pub server: SmtpServer,
    /// From whom and for whom.
    pub envelope: SmtpEnvelope,
    /// RFC 5322 text with any line ends.
    pub data: Bytes,
}

impl fmt::Debug for SmtpSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Envelope and data name recipients and hold codes.
        f.debug_struct("SmtpSubmission")
            .field("host", &self.server.host)
            .field("data", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// A server and how to speak to it. It has no `Debug`: it may hold a token.
#[derive(Clone)]
pub struct SmtpServer {
    /// Name, or address as in a URL.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether and when TLS begins.
    pub security: SmtpSecurity,
    /// Name to verify the certificate against, where it is not `host`.
    pub server_name: Option<String>,
    /// Credentials.
    pub auth: SmtpAuth,
    /// `EHLO` name; the egress source's, else its address, by default.
    pub name: Option<String>,
    /// The address of the source of the tenant's pool to leave by; the one drawn by default.
    pub local_address: Option<String>,
    /// For the connection, capped by the host's own limit.
    pub connect_timeout: Option<Duration>,
    /// For each reply, capped by the send's deadline.
    pub command_timeout: Option<Duration>,
}

/// Whether and when TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// From the first byte (RFC 8314).
    Tls,
    /// `STARTTLS` (RFC 3207), required.
    StartTls,
    /// `STARTTLS` where it is offered; else plain text without credentials, where the operator allows it.
    Opportunistic,
    /// Plain text, where the operator allows it.
    None,
}

/// Credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum SmtpAuth {
    /// None: `AUTH` is not used.
    #[default]
    None,
    /// User and password.
    Login {
        /// User.
        user: String,
        /// Password.
        password: String,
        /// `PLAIN`, `LOGIN` or `CRAM-MD5`; the best that is offered by default.
        mechanism: Option<String>,
    },
    /// User and `OAuth` 2 access token (`XOAUTH2`).
    OAuth2 {
        /// User.
        user: String,
        /// Access token.
        token: String,
    },
}

/// From whom and for whom.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpEnvelope {
    /// Reverse path without brackets; empty for the null path.
    pub mail_from: String,
    /// Forward paths without brackets; 1 to 10.
    pub rcpt_to: Vec<String>,
}

/// What a server said: sanitised, and with every secret in it replaced by its placeholder.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpReply {
    /// Reply code (RFC 5321, section 4.2).
    pub code: u16,
    /// Enhanced status code (RFC 3463).
    pub enhanced: Option<String>,
    /// On one line, at most 4 KiB.
    pub text: String,
}

impl fmt::Debug for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Servers like to repeat the recipient.
        f.debug_struct("SmtpReply")
            .field("code", &self.code)
            .field("enhanced", &self.enhanced)
            .finish_non_exhaustive()
    }
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpError {
    /// Before or beside the server's word. [`EgressError::Interrupted`] alone means that the message was
    /// handed over and no answer came.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The credentials are refused, or asked for.
    #[error("the credentials are refused ({})", .0.code)]
    Unauthorized(SmtpReply),
    /// Refused for good (5yz).
    #[error("refused for good ({})", .0.code)]
    Rejected(SmtpReply),
    /// Refused until later (4yz).
    #[error("refused for now ({})", .0.code)]
    Deferred(SmtpReply),
}

impl SmtpError {
    /// The stable code in wire records and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Egress(error) => error.code(),
            Self::Unauthorized(_) => "smtp.unauthorized",
            Self::Rejected(_) => "smtp.rejected",
            Self::Deferred(_) => "smtp.deferred",
        }
    }

    /// The same error of a reply to `MAIL FROM`: it says so in its words, because a guest must not take it for
    /// the recipient's, of whom nothing was asked yet.
    fn of_sender(self) -> Self {
        let told = |reply: SmtpReply| SmtpReply {
            text: format!("MAIL FROM: {}", reply.text),
            ..reply
        };
        match self {
            Self::Rejected(reply) => Self::Rejected(told(reply)),
            Self::Deferred(reply) => Self::Deferred(told(reply)),
            other => other,
        }
    }

    /// The error of a reply that is no success.
    fn of(reply: SmtpReply) -> Self {
        match reply.code {
            400..500 => Self::Deferred(reply),
            // RFC 4954, section 6: authentication required, too weak, invalid, needs encryption.
            530 | 534 | 535 | 538 => Self::Unauthorized(reply),
            500..600 => Self::Rejected(reply),
            _ => EgressError::Connect("the server broke the protocol".to_owned()).into(),
        }
    }
}
