//! The real way out of this process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::EgressError;
use super::config::{EgressConfig, EgressSetupError};
use super::dial::{Ends, dial};
use super::journal::Entry;
use super::link::{Link, SendError, Stream, check_head};
use super::policy::Ceiling;
use super::pool::{Bounds, Edition, Lane, Owner, Pool};
use super::prepare::Outgoing;
use super::resolve::{Resolve, Resolved};
use super::scope::{Gate, Received};
use super::smtp::Mailer;
use super::sources::SourceHealth;
use super::target::{Scheme, Target};
use super::tls::Tls;
use crate::counts::Tally;
use crate::limits::Limits;
use crate::outcome::Progress;
use crate::source::EgressSource;
use crate::time::Clock;

/// The process-wide parts of egress: the operator's ceiling, the resolver, TLS and the idle connections.
pub struct Egress {
    ceiling: Arc<Ceiling>,
    resolve: Resolve,
    https: Tls,
    pool: Arc<Pool<Lane, Link>>,
    pub(super) mail: Mailer,
    refusals: Tally<1>,
    sources: SourceHealth,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("ceiling", &self.ceiling)
            .finish_non_exhaustive()
    }
}

/// Whose exchange it is, and what it may use.
pub(super) struct Terms<'s> {
    pub(super) owner: &'s Owner,
    pub(super) edition: Edition,
    pub(super) source: Option<&'s EgressSource>,
    pub(super) limits: &'s Limits,
    pub(super) deadline: Instant,
}

impl Terms<'_> {
    /// So many milliseconds from now, or the deadline.
    pub(super) fn within(&self, millis: u64) -> Instant {
        self.deadline
            .min(Instant::now() + Duration::from_millis(millis))
    }
}

impl Egress {
    /// Reads the configuration, the system's DNS servers and the roots. Nothing is taken from the environment.
    ///
    /// # Errors
    /// [`EgressSetupError`] with the field at fault.
    pub fn new(config: &EgressConfig) -> Result<Self, EgressSetupError> {
        Self::with_clock(config, Clock::System)
    }

    /// The same, with a clock for how long sources are suspended.
    ///
    /// # Errors
    /// As for [`Egress::new`].
    pub fn with_clock(config: &EgressConfig, clock: Clock) -> Result<Self, EgressSetupError> {
        let pause = Duration::from_millis(config.source_pause_ms);
        Ok(Self {
            ceiling: Arc::new(Ceiling::new(config)?),
            resolve: Resolve::new(config)?,
            https: Tls::new(config.extra_roots.as_deref(), Some(b"http/1.1"))?,
            pool: Arc::new(Pool::new(Bounds {
                total: config.idle_connections,
                owner: config.idle_per_integration,
                idle: Duration::from_millis(config.idle_ms),
                age: Duration::from_millis(config.connection_age_ms),
            })),
            mail: Mailer::new(config)?,
            refusals: Tally::default(),
            sources: SourceHealth::new(clock, pause),
        })
    }

    /// The operator's ceiling, for policies.
    #[must_use]
    pub fn ceiling(&self) -> &Arc<Ceiling> {
        &self.ceiling
    }

    /// Refused requests and mails since the process started, by rule.
    #[must_use]
    pub fn refusals(&self) -> &Tally<1> {
        &self.refusals
    }

    /// Which sources are out of use.
    #[must_use]
    pub fn sources(&self) -> &SourceHealth {
        &self.sources
    }

    pub(super) fn resolver(&self) -> &Resolve {
        &self.resolve
    }

    /// Closes the connections that an earlier edition of the integration left idle.
    pub(super) fn retire(&self, owner: &Owner, edition: Edition) {
        self.pool.retire(owner, edition);
        self.mail.retire(owner, edition);
    }

    /// One exchange. The gate is passed right before the first byte may leave.
    pub(super) async fn exchange(
        &self,
        outgoing: Outgoing,
        terms: &Terms<'_>,
        entry: &Entry<'_>,
        gate: &Gate,
    ) -> Result<Received, EgressError> {
        let lane = Lane::new(terms.source, &outgoing.target);
        let kept = self.pool.take(terms.owner, terms.edition, &lane);
        let mut reused = kept.is_some();
        let mut link = match kept {
            Some(link) => link,
            None => self.connect(&outgoing.target, terms, entry).await?,
        };
        let (target, has_secret) = (outgoing.target.clone(), outgoing.has_secret);
        let mut request = outgoing.into_request(&link.meter);
        loop {
            let stays_here = link.ends.peer.ip().is_loopback() && !link.ends.proxied;
            if has_secret && target.scheme == Scheme::Http && !stays_here {
                entry.set_progress(Progress::Refused);
                return Err(EgressError::Denied {
                    rule: "secret.plaintext",
                });
            }
            // The last look at the message's time, each time: a new connection may have taken long.
            gate.pass().await?;
            if Instant::now() >= terms.deadline {
                return Err(EgressError::Timeout);
            }
            entry.set_connection(link.ends.local, link.ends.peer, &link.meter);
            match link.send(request, terms.limits, terms.deadline).await {
                Ok(response) => return self.receive(response, link, lane, terms, entry).await,
                Err(SendError {
                    unsent: Some(unsent),
                    ..
                }) if reused => {
                    // An idle connection that its peer had closed: no byte was written, so a new one may try.
                    reused = false;
                    entry.release();
                    link = self.connect(&target, terms, entry).await?;
                    request = (*unsent).map(|payload| payload.moved(&link.meter));
                }
                Err(failed) => return Err(failed.error),
            }
        }
    }

    async fn receive(
        &self,
        response: Response<Incoming>,
        mut link: Link,
        lane: Lane,
        terms: &Terms<'_>,
        entry: &Entry<'_>,
    ) -> Result<Received, EgressError> {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        if status >= 200 {
            entry.set_status(status);
        }
        check_head(status, &head.headers, terms.limits)?;
        let body = link
            .read(body, terms.limits.response_body, terms.deadline)
            .await?;
        entry.release();
        self.pool.put(terms.owner, terms.edition, lane, link);
        Ok(Received {
            status,
            headers: head.headers,
            body,
        })
    }

    /// Reaches the target and, for `https`, makes the TLS session.
    async fn connect(
        &self,
        target: &Target,
        terms: &Terms<'_>,
        entry: &Entry<'_>,
    ) -> Result<Link, EgressError> {
        let (tcp, ends) = self.reach(target, terms, entry).await?;
        let stream = match target.scheme {
            Scheme::Https => {
                let until = terms.within(terms.limits.tls_ms);
                Stream::Tls(Box::new(
                    self.https.connect(&target.host, tcp, until).await?,
                ))
            }
            Scheme::Http | Scheme::Smtp => Stream::Plain(tcp),
        };
        Link::open(stream, ends, terms.limits).await
    }

    /// Resolves, judges and dials from the source.
    pub(super) async fn reach(
        &self,
        target: &Target,
        terms: &Terms<'_>,
        entry: &Entry<'_>,
    ) -> Result<(TcpStream, Ends), EgressError> {
        let limits = terms.limits;
        let family = terms.source.map(EgressSource::family);
        let until = terms.within(limits.dns_ms);
        let addresses = match self.resolve.resolve(&target.host, family, until).await? {
            Resolved::Addresses(addresses) => addresses,
            Resolved::Refused { rule, addresses } => {
                entry.set_progress(Progress::Refused);
                let host = target.host.to_string();
                tracing::info!(rule, host, ?addresses, "resolved addresses refused");
                return Err(EgressError::Denied { rule });
            }
        };
        let until = terms.within(limits.connect_ms);
        let trying = |peer| entry.set_peer(peer);
        let reached = dial(&addresses, target.port, terms.source, until, trying).await;
        if let Some(source) = terms.source {
            let tenant = &terms.owner.tenant;
            self.sources.note(source, tenant, &target.host, &reached);
        }
        reached
    }
}
