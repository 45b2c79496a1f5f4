//! One submission of a send: counted, checked and filled in, then over an idle session or a new one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::Instant;

use super::mail::Mail;
use super::seats::Seats;
use super::session::{Opening, Pace, Session};
use super::{SmtpAuth, SmtpError, SmtpReply, SmtpSecurity, SmtpServer, SmtpSubmission};
use crate::egress::EgressError;
use crate::egress::config::{EgressConfig, EgressSetupError};
use crate::egress::dial::Ends;
use crate::egress::journal::Entry;
use crate::egress::link::Stream;
use crate::egress::live::{Egress, Terms};
use crate::egress::pool::{Bounds, Edition, Lane, Owner, Pool};
use crate::egress::scope::{EgressScope, Gate, Transport};
use crate::egress::target::{Host, Target, parse_host};
use crate::egress::tls::Tls;
use crate::limits::Limit;
use crate::outcome::Progress;
use crate::settings::Place;
use crate::source::EgressSource;

/// From where to where a session leads, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::egress) struct SmtpLane {
    lane: Lane,
    security: SmtpSecurity,
    verify: Host,
    name: Option<String>,
    /// A digest of the credentials: what lies in the pool holds no secret.
    credentials: Vec<u8>,
}

/// TLS for mail, and the idle sessions.
pub(in crate::egress) struct Mailer {
    tls: Tls,
    sessions: Arc<Pool<SmtpLane, Session>>,
    seats: Seats,
}

/// A submission that the policy lets through, secrets filled in: no `Debug`.
pub(in crate::egress) struct Dispatch {
    target: Target,
    security: SmtpSecurity,
    /// The certificate's name.
    verify: Host,
    name: Option<String>,
    auth: SmtpAuth,
    plaintext: bool,
    connect_timeout: Option<Duration>,
    pace: Pace,
    mail: Mail,
}

impl Dispatch {
    /// How a session for it is opened.
    fn opening<'o>(&'o self, tls: Option<&'o Tls>, tls_until: Instant) -> Opening<'o> {
        Opening {
            security: self.security,
            tls,
            verify: &self.verify,
            tls_until,
            name: self.name.as_deref(),
            auth: &self.auth,
            plaintext: self.plaintext,
            pace: self.pace,
        }
    }

    /// Submits over a stream in memory, as over an encrypted one.
    pub(in crate::egress) async fn rehearse(
        &self,
        stream: Stream,
        entry: &Entry<'_>,
        gate: &Gate,
    ) -> Result<SmtpReply, SmtpError> {
        let opening = self.opening(None, self.pace.deadline);
        let mut session = opening.open(stream, Ends::none()).await?;
        session.submit(&self.mail, &self.pace, entry, gate).await
    }

    fn lane(&self, terms: &Terms<'_>) -> SmtpLane {
        let parts: [&[u8]; 4] = match &self.auth {
            SmtpAuth::None => [b"none", b"", b"", b""],
            SmtpAuth::Login {
                user,
                password,
                mechanism,
            } => {
                let mechanism = mechanism.as_deref().unwrap_or_default();
                [
                    b"login",
                    user.as_bytes(),
                    password.as_bytes(),
                    mechanism.as_bytes(),
                ]
            }
            SmtpAuth::OAuth2 { user, token } => [b"oauth2", user.as_bytes(), token.as_bytes(), b""],
        };
        let credentials = parts.map(|part| digest(&SHA256, part));
        SmtpLane {
            lane: Lane::new(terms.source, &self.target),
            security: self.security,
            verify: self.verify.clone(),
            name: self.name.clone(),
            credentials: credentials
                .iter()
                .flat_map(AsRef::as_ref)
                .copied()
                .collect(),
        }
    }
}

impl Mailer {
    pub(in crate::egress) fn new(config: &EgressConfig) -> Result<Self, EgressSetupError> {
        Ok(Self {
            // Mail has no name in ALPN.
            tls: Tls::new(config.extra_roots.as_deref(), None)?,
            sessions: Arc::new(Pool::new(Bounds {
                total: config.smtp_idle_sessions,
                owner: config.smtp_idle_per_integration,
                idle: Duration::from_millis(config.smtp_idle_ms),
                age: Duration::from_millis(config.connection_age_ms),
            })),
            seats: Seats::new(config.smtp_sessions, config.smtp_sessions_per_integration),
        })
    }

    /// Closes the sessions that an earlier edition of the integration left idle.
    pub(in crate::egress) fn retire(&self, owner: &Owner, edition: Edition) {
        self.sessions.retire(owner, edition);
    }
}

impl Egress {
    async fn submit(
        &self,
        dispatch: &Dispatch,
        terms: &Terms<'_>,
        entry: &Entry<'_>,
        gate: &Gate,
    ) -> Result<SmtpReply, SmtpError> {
        let lane = dispatch.lane(terms);
        let until = terms.within(terms.limits.connect_ms);
        let seat = self.mail.seats.take(terms.owner, until).await?;
        let keep = |lane, session| {
            let sessions = &self.mail.sessions;
            sessions.put(terms.owner, terms.edition, lane, session);
        };
        let kept = self.mail.sessions.take(terms.owner, terms.edition, &lane);
        if let Some(mut session) = kept {
            let result = session
                .submit(&dispatch.mail, &dispatch.pace, entry, gate)
                .await;
            entry.release();
            // A server that had closed the idle session, or says 421 to its first command, has not seen
            // this message.
            if session.answered || result.is_ok() {
                keep(lane, session);
                return result;
            }
            entry.begin_again();
        }
        let sessions = &self.mail.sessions;
        self.mail.seats.make_room(sessions, terms.owner, &seat);
        let mut session = self.open(dispatch, terms, entry).await?;
        let result = session
            .submit(&dispatch.mail, &dispatch.pace, entry, gate)
            .await;
        entry.release();
        keep(lane, session);
        result
    }

    async fn open(
        &self,
        dispatch: &Dispatch,
        terms: &Terms<'_>,
        entry: &Entry<'_>,
    ) -> Result<Session, SmtpError> {
        let mut limits = terms.limits.clone();
        if let Some(timeout) = dispatch.connect_timeout {
            let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            limits.connect_ms = limits.connect_ms.min(millis);
        }
        let terms = Terms {
            limits: &limits,
            ..*terms
        };
        let (tcp, ends) = self.reach(&dispatch.target, &terms, entry).await?;
        let until = terms.within(limits.tls_ms);
        dispatch
            .opening(Some(&self.mail.tls), until)
            .open(Stream::Plain(tcp), ends)
            .await
    }
}

impl EgressScope {
    /// Submits one message to all recipients of its envelope or to none. Nothing is repeated once the
    /// server has answered any of it, and secrets in the reply are replaced by their placeholders.
    ///
    /// # Errors
    /// [`SmtpError`]; the wire record says how far the message came.
    pub async fn smtp(&self, submission: SmtpSubmission) -> Result<SmtpReply, SmtpError> {
        let entry = self.begin("SMTP")?;
        let result = self.dispatch(&submission, &entry).await;
        if let Err(SmtpError::Egress(error)) = &result {
            self.note_denial(error, &entry);
        }
        entry.finish(result.as_ref().err().map(SmtpError::code));
        let redact = |reply: SmtpReply| SmtpReply {
            text: String::from_utf8_lossy(&self.placeholders.redact(reply.text.as_bytes()))
                .into_owned(),
            ..reply
        };
        match result {
            Ok(reply) => Ok(redact(reply)),
            Err(SmtpError::Unauthorized(reply)) => Err(SmtpError::Unauthorized(redact(reply))),
            Err(SmtpError::Rejected(reply)) => Err(SmtpError::Rejected(redact(reply))),
            Err(SmtpError::Deferred(reply)) => Err(SmtpError::Deferred(redact(reply))),
            Err(error) => Err(error),
        }
    }

    async fn dispatch(
        &self,
        submission: &SmtpSubmission,
        entry: &Entry<'_>,
    ) -> Result<SmtpReply, SmtpError> {
        if let Transport::Live(egress) = &self.transport {
            egress.retire(&self.owner, self.edition);
        }
        let server = &submission.server;
        let target = Target::mail_server(&server.host, server.port)?;
        entry.set_authority(target.authority());
        self.check(&target)?;
        let source = self.source_of(server)?;
        let dispatch = self.prepare(target, submission, source)?;
        if let Some(source) = source {
            self.gate.leave_by(&source.name);
        }
        entry.set_progress(Progress::NotConnected);
        match &self.transport {
            Transport::Live(egress) => {
                let terms = Terms {
                    owner: &self.owner,
                    edition: self.edition,
                    source,
                    limits: &self.limits,
                    deadline: self.deadline,
                };
                egress.submit(&dispatch, &terms, entry, &self.gate).await
            }
            Transport::Capture(capture) => capture.submit(&dispatch, entry, &self.gate).await,
        }
    }

    fn prepare(
        &self,
        target: Target,
        submission: &SmtpSubmission,
        source: Option<&EgressSource>,
    ) -> Result<Dispatch, EgressError> {
        let server = &submission.server;
        let plaintext = self.policy.allows_plaintext(&target);
        if server.security == SmtpSecurity::None && !plaintext {
            return Err(EgressError::Denied {
                rule: "scheme.plaintext",
            });
        }
        let verify = match &server.server_name {
            None => target.host.clone(),
            Some(name) => parse_host(name)
                .map_err(|_| EgressError::Invalid("the TLS server name is malformed".to_owned()))?,
        };
        Ok(Dispatch {
            security: server.security,
            verify,
            name: ehlo_name(server, source)?,
            auth: self.fill_auth(&server.auth, &target)?,
            plaintext,
            connect_timeout: server.connect_timeout,
            pace: Pace {
                reply: server.command_timeout,
                deadline: self.deadline,
            },
            mail: Mail::new(&submission.envelope, &submission.data, &self.limits)?,
            target,
        })
    }

    /// The source that the submission names, which must be of the pool; else the one drawn from it.
    fn source_of(&self, server: &SmtpServer) -> Result<Option<&EgressSource>, EgressError> {
        let Some(wanted) = &server.local_address else {
            return Ok(self.source.as_ref());
        };
        let wanted = wanted.parse::<IpAddr>().ok();
        let named = self.pool.iter().find(|own| Some(own.address) == wanted);
        named.map(Some).ok_or(EgressError::Denied {
            rule: "source.not-in-pool",
        })
    }

    fn fill_auth(&self, auth: &SmtpAuth, target: &Target) -> Result<SmtpAuth, EgressError> {
        let may_go = |setting: &str| self.policy.may_carry(setting, target);
        let fill = |text: &str| {
            let most = self.limits.header_bytes;
            let filled =
                self.placeholders
                    .fill_in(text, Place::Header, may_go, most, str::to_owned);
            let over = || format!("a mail server's login may have {most} bytes in each part");
            filled
                .map(std::borrow::Cow::into_owned)
                .map_err(|error| EgressError::unfilled(error, Limit::HeaderSize, over))
        };
        Ok(match auth {
            SmtpAuth::None => SmtpAuth::None,
            SmtpAuth::Login {
                user,
                password,
                mechanism,
            } => SmtpAuth::Login {
                user: fill(user)?,
                password: fill(password)?,
                mechanism: mechanism.clone(),
            },
            SmtpAuth::OAuth2 { user, token } => SmtpAuth::OAuth2 {
                user: fill(user)?,
                token: fill(token)?,
            },
        })
    }
}

/// The name that the submission asks for, else the source's.
fn ehlo_name(
    server: &SmtpServer,
    source: Option<&EgressSource>,
) -> Result<Option<String>, EgressError> {
    let from_source = || source.and_then(|source| source.ehlo_name.clone());
    let Some(name) = server.name.clone().or_else(from_source) else {
        return Ok(None);
    };
    let address = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let read = match (address, parse_host(&name)) {
        (Some(text), _) if is_address(text.strip_prefix("IPv6:").unwrap_or(text)) => Some(name),
        (None, Ok(Host::Name(name))) => Some(name),
        _ => None,
    };
    read.map(Some).ok_or_else(|| {
        EgressError::Invalid("the EHLO name is no host name and no address literal".to_owned())
    })
}
