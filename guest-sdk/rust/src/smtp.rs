//! Connectors that submit mail over SMTP: what to say to which server, and what its answer means.

mod oauth2;
mod settings;

pub use settings::Settings;

use serde::de::DeserializeOwned;

use crate::codes::Codes;
use crate::connector::{About, Receipt};
use crate::failure::{Failure, FailureKind};
use crate::http::{HttpError, Request, Response};
use crate::message::Message;
use crate::settings::parse;

/// Whether and when TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// From the first byte (RFC 8314).
    Tls,
    /// STARTTLS (RFC 3207), required.
    StartTls,
    /// STARTTLS where the server offers it. Credentials never leave in clear.
    Opportunistic,
    /// Plain text; only where the operator allows it.
    None,
}

/// Credentials, which may be placeholders.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// None.
    None,
    /// User and password.
    Login {
        /// User.
        user: String,
        /// Password.
        password: String,
        /// `PLAIN`, `LOGIN` or `CRAM-MD5`; the best that the server offers by default.
        mechanism: Option<String>,
    },
    /// User and OAuth 2 access token (XOAUTH2).
    OAuth2 {
        /// User.
        user: String,
        /// Access token.
        token: String,
    },
}

/// A server and how to speak to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Name, or address as in a URL.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether and when TLS begins.
    pub security: Security,
    /// Name in the certificate, where it is not `host`.
    pub server_name: Option<String>,
    /// Credentials.
    pub auth: Auth,
    /// EHLO name; the egress source's by default.
    pub name: Option<String>,
    /// One of the tenant's egress sources, by address.
    pub local_address: Option<String>,
    /// Milliseconds, capped by the send's deadline.
    pub connect_timeout: Option<u32>,
    /// Milliseconds for each reply, capped by the send's deadline.
    pub command_timeout: Option<u32>,
}

/// One message for one recipient and one server.
#[derive(Clone, PartialEq, Eq)]
pub struct Submission {
    /// Where to.
    pub server: Server,
    /// Reverse path.
    pub mail_from: String,
    /// Forward path.
    pub rcpt_to: String,
    /// RFC 5322 text; [`mime`](crate::mime) composes it.
    pub data: Vec<u8>,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Reply code.
    pub code: u16,
    /// Enhanced status code (RFC 3463), such as `5.1.1`.
    pub enhanced: Option<String>,
    /// Its words.
    pub text: String,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmtpError {
    /// The host does not offer SMTP.
    NotSupported,
    /// By policy.
    Denied,
    /// Malformed or over a limit, or the server does not offer what it needs, in words.
    InvalidRequest(String),
    /// The name could not be resolved.
    Dns,
    /// No session, or it ended before the message was handed over.
    Connect,
    /// No trusted TLS session, in words.
    Tls(String),
    /// The credentials are refused.
    Unauthorized(Reply),
    /// Refused for good.
    Rejected(Reply),
    /// Refused until later.
    Deferred(Reply),
    /// No reply in time before the message was handed over.
    Timeout,
    /// The session ended after the message was handed over and before the server answered.
    Interrupted,
}

impl From<SmtpError> for Failure {
    fn from(error: SmtpError) -> Self {
        use FailureKind::{InvalidSettings, Rejected, Unauthorized, Unavailable, Unknown};
        let (kind, code, words) = match error {
            SmtpError::Unauthorized(reply) => return refusal(Unauthorized, reply),
            SmtpError::Rejected(reply) => return refused(Rejected, reply),
            SmtpError::Deferred(reply) => return refused(Unavailable, reply),
            SmtpError::NotSupported => (
                InvalidSettings,
                "not-supported",
                "this host does not offer SMTP".to_owned(),
            ),
            SmtpError::Denied => (
                InvalidSettings,
                "denied",
                "the egress policy does not allow this server, port or plain text".to_owned(),
            ),
            SmtpError::InvalidRequest(words) => (InvalidSettings, "invalid-request", words),
            SmtpError::Dns => (
                Unavailable,
                "dns",
                "the host name could not be resolved".to_owned(),
            ),
            SmtpError::Connect => (
                Unavailable,
                "connect",
                "no session with the server".to_owned(),
            ),
            SmtpError::Tls(words) => (
                Unavailable,
                "tls",
                format!("no trusted TLS session: {words}"),
            ),
            SmtpError::Timeout => (Unavailable, "timeout", "no reply in time".to_owned()),
            SmtpError::Interrupted => (
                Unknown,
                "interrupted",
                "the session ended after the message and before its answer".to_owned(),
            ),
        };
        Self::new(kind, words).with_code(code)
    }
}

/// What enhanced status codes, reply codes and words mean.
const CODES: Codes = Codes::new(include_str!("smtp/codes.txt"));

/// A refusal by the table, else for good or for now as the reply's first digit says. What is refused for
/// now is never refused for good.
fn refused(usual: FailureKind, reply: Reply) -> Failure {
    let code = reply.enhanced.clone();
    let code = code.unwrap_or_else(|| reply.code.to_string());
    let known = CODES.kind(reply.code, &code, &reply.text);
    let kind = match known {
        Some(FailureKind::Throttled) => FailureKind::Throttled,
        Some(known) if usual == FailureKind::Rejected => known,
        _ => usual,
    };
    refusal(kind, reply)
}

fn refusal(kind: FailureKind, reply: Reply) -> Failure {
    let words = format!("{} {}", reply.code, reply.text);
    let code = reply.enhanced.unwrap_or_else(|| reply.code.to_string());
    Failure::new(kind, words.trim_end()).with_code(code)
}

/// A connector that submits mail: [`Connector`](crate::Connector)'s like for SMTP. All of it is free
/// of I/O; [`send`] does the rest.
pub trait Submitter {
    /// What it is.
    const ABOUT: About;

    /// Its settings, read from JSON.
    type Settings: DeserializeOwned;

    /// The request that gets an access token, where one is needed first. `now` counts seconds since
    /// the Unix epoch.
    ///
    /// # Errors
    /// Where the settings cannot work.
    fn token_request(settings: &Self::Settings, now: u64) -> Result<Option<Request>, Failure>;

    /// How a message becomes a submission. `token` answers [`Self::token_request`].
    ///
    /// # Errors
    /// Where none can be made: nothing is sent.
    fn submission(
        settings: &Self::Settings,
        message: &Message,
        token: Option<&Response>,
        now: u64,
    ) -> Result<Submission, Failure>;

    /// What an error means with these settings.
    fn failure(settings: &Self::Settings, error: SmtpError) -> Failure;
}

/// Sends one message, once, through `submit`, after one `exchange` where a token is needed.
///
/// # Errors
/// The connector's failure, without the message's recipient, code and link in its words.
pub fn send<C: Submitter>(
    settings: &str,
    message: &Message,
    now: u64,
    exchange: impl FnOnce(Request) -> Result<Response, HttpError>,
    submit: impl FnOnce(Submission) -> Result<Reply, SmtpError>,
) -> Result<Receipt, Failure> {
    let attempt = || {
        let settings = parse::<C::Settings>(settings)?;
        message.check()?;
        let token = match C::token_request(&settings, now)? {
            Some(request) => Some(exchange(request).map_err(before_the_message)?),
            None => None,
        };
        let submission = C::submission(&settings, message, token.as_ref(), now)?;
        match submit(submission) {
            Ok(reply) => Ok(Receipt {
                provider_message_id: None,
                detail: Some(reply.text),
            }),
            Err(error) => Err(C::failure(&settings, error)),
        }
    };
    attempt().map_err(|failure| message.conceal(failure))
}

/// Whatever went wrong with the token, the message was not sent.
fn before_the_message(error: HttpError) -> Failure {
    let failure = Failure::from(error);
    match failure.kind {
        FailureKind::Unknown => failure.with_kind(FailureKind::Unavailable),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_kind_and_code() {
        use FailureKind::*;
        let reply = |code, enhanced: Option<&str>, text: &str| Reply {
            code,
            enhanced: enhanced.map(str::to_owned),
            text: text.to_owned(),
        };
        for (error, kind, code) in [
            (SmtpError::Denied, InvalidSettings, "denied"),
            (SmtpError::Dns, Unavailable, "dns"),
            (SmtpError::Connect, Unavailable, "connect"),
            (SmtpError::Tls("x".into()), Unavailable, "tls"),
            (SmtpError::Timeout, Unavailable, "timeout"),
            (SmtpError::Interrupted, Unknown, "interrupted"),
            (
                SmtpError::Unauthorized(reply(535, Some("5.7.8"), "bad")),
                Unauthorized,
                "5.7.8",
            ),
            (SmtpError::Rejected(reply(550, None, "no")), Rejected, "550"),
            (
                SmtpError::Deferred(reply(451, Some("4.7.1"), "greylisted")),
                Unavailable,
                "4.7.1",
            ),
            (
                SmtpError::Deferred(reply(452, None, "too many")),
                Throttled,
                "452",
            ),
        ] {
            let failure = Failure::from(error);
            assert_eq!((failure.kind, failure.code.as_deref()), (kind, Some(code)));
        }
    }
}
