//! A way out without sockets: answers come from a list, and every request that would have left is kept.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::duplex;

use super::EgressError;
use super::journal::Entry;
use super::link::{Stream, check_head};
use super::prepare::Outgoing;
use super::scope::{Gate, Received};
use super::smtp::{CapturedMail, Dispatch, MailScript, SmtpError, SmtpReply};
use crate::limits::Limits;
use crate::outcome::Progress;

/// What a session in memory may hold unread.
const DUPLEX: usize = 64 << 10;

/// What a provider is to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A whole response.
    Response {
        /// Status code.
        status: u16,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The whole body.
        body: Bytes,
    },
    /// The head of a response, and an end in the middle of its body.
    Truncated {
        /// Status code.
        status: u16,
    },
    /// Something that is no HTTP.
    Garbage,
    /// The name does not resolve: no request is made.
    DnsFailure,
    /// The certificate is not trusted: no request is made.
    UntrustedTls,
}

impl Answer {
    /// What stands in for a provider's yes.
    #[must_use]
    pub fn accepted() -> Self {
        let json = ("content-type".to_owned(), "application/json".to_owned());
        Self::Response {
            status: 200,
            headers: vec![json],
            body: Bytes::from_static(br#"{"id":"stand-in","ok":true}"#),
        }
    }
}

/// A request as it would have stood on the wire: secrets filled in, the host's own headers (`host`,
/// `accept-encoding`, `user-agent`, `content-length`) included.
#[derive(Clone, PartialEq, Eq)]
pub struct CapturedRequest {
    /// The method.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// Names in lower case, and values, in order.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
}

impl fmt::Debug for CapturedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Holds secrets in the clear.
        f.debug_struct("CapturedRequest")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Recorded answers, given out in order, and the requests that they were given to.
#[derive(Debug, Default)]
pub struct Capture {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<CapturedRequest>>,
    server: MailScript,
    mails: Mutex<Vec<CapturedMail>>,
}

impl Capture {
    /// Answers in the order of the requests. A request after the last finds no connection.
    #[must_use]
    pub fn new(answers: Vec<Answer>) -> Self {
        Self {
            answers: Mutex::new(answers.into()),
            ..Self::default()
        }
    }

    /// A provider that accepts so many requests, whatever they are, and any mail.
    #[must_use]
    pub fn accepting(requests: usize) -> Self {
        Self::new(vec![Answer::accepted(); requests])
    }

    /// The same with a mail server that deviates as the script says. Sessions count as encrypted.
    #[must_use]
    pub fn with_server(mut self, server: MailScript) -> Self {
        self.server = server;
        self
    }

    /// The sessions with the mail server, in order.
    pub fn mails(&self) -> Vec<CapturedMail> {
        self.mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Submits one message to the recorded mail server.
    pub(super) async fn submit(
        &self,
        dispatch: &Dispatch,
        entry: &Entry<'_>,
        gate: &Gate,
    ) -> Result<SmtpReply, SmtpError> {
        let fault = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers
                .pop_front_if(|answer| matches!(answer, Answer::DnsFailure | Answer::UntrustedTls))
        };
        match fault {
            Some(Answer::DnsFailure) => return Err(EgressError::Dns.into()),
            Some(_) => return Err(untrusted().into()),
            None => {}
        }
        let (near, far) = duplex(DUPLEX);
        let (result, seen) = tokio::join!(
            dispatch.rehearse(Stream::Memory(near), entry, gate),
            self.server.serve(far)
        );
        self.mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(seen);
        result
    }

    /// The requests that would have left, in order.
    pub fn requests(&self) -> Vec<CapturedRequest> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) async fn exchange(
        &self,
        outgoing: Outgoing,
        limits: &Limits,
        entry: &Entry<'_>,
        gate: &Gate,
    ) -> Result<Received, EgressError> {
        let answer = self
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let answer = match answer {
            None => {
                return Err(EgressError::Connect(
                    "no recorded answer is left".to_owned(),
                ));
            }
            Some(Answer::DnsFailure) => return Err(EgressError::Dns),
            Some(Answer::UntrustedTls) => {
                return Err(untrusted());
            }
            Some(answer) => answer,
        };
        gate.pass().await?;
        let sent = outgoing.body.len();
        self.keep(outgoing);
        entry.set_progress(Progress::Complete);
        entry.set_bytes(sent, 0);
        match answer {
            Answer::Response {
                status,
                headers,
                body,
            } => {
                entry.set_status(status);
                entry.set_bytes(sent, body.len());
                let headers = header_map(&headers);
                check_head(status, &headers, limits)?;
                if body.len() > limits.response_body {
                    return Err(EgressError::ResponseTooLarge);
                }
                Ok(Received {
                    status,
                    headers,
                    body,
                })
            }
            Answer::Truncated { status } => {
                entry.set_status(status);
                Err(EgressError::Interrupted)
            }
            _ => Err(EgressError::Interrupted),
        }
    }

    fn keep(&self, outgoing: Outgoing) {
        let target = &outgoing.target;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let request = CapturedRequest {
            method: outgoing.method.to_string(),
            url: format!(
                "{}://{}{}",
                target.scheme.as_str(),
                target.host_header(),
                target.path_and_query
            ),
            headers: outgoing
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect(),
            body: outgoing.body,
        };
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
    }
}

fn untrusted() -> EgressError {
    EgressError::Tls("the certificate's issuer is not trusted".to_owned())
}

/// What no server could have sent is left out.
fn header_map(headers: &[(String, String)]) -> HeaderMap {
    headers
        .iter()
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        })
        .collect()
}
