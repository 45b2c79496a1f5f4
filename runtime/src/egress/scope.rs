//! One send's way out: counts, fills in, checks, sends, and keeps the record.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

use super::capture::Capture;
use super::journal::{Entry, Journal};
use super::live::{Egress, Terms};
use super::policy::EgressPolicy;
use super::pool::{Edition, Owner};
use super::prepare::Filler;
use super::target::Target;
use super::{Arm, EgressError, HttpRequest, HttpResponse};
use crate::id::{IntegrationId, SourceName, TenantId};
use crate::limits::{Limit, Limits};
use crate::outcome::{Progress, WireRecord};
use crate::settings::Placeholders;
use crate::source::EgressSource;

/// Where requests go to.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Out.
    Live(Arc<Egress>),
    /// To a list of recorded answers, without a socket.
    Capture(Arc<Capture>),
}

/// A response before it is redacted.
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Passed before the first byte of each request leaves.
pub(super) struct Gate {
    arm: Option<Arm>,
    /// Until when requests may begin, once that is known.
    armed: OnceLock<watch::Receiver<Option<Option<Instant>>>>,
    /// Whether a request was held back.
    closed: AtomicBool,
    /// Where the send leaves by.
    source: Mutex<Option<SourceName>>,
}

impl Gate {
    /// From now on the send leaves by this source, which it named itself.
    pub(super) fn leave_by(&self, source: &SourceName) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source.clone());
    }

    fn source(&self) -> Option<SourceName> {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.clone()
    }

    pub(super) async fn pass(&self) -> Result<(), EgressError> {
        let Some(arm) = &self.arm else { return Ok(()) };
        let until = self.armed(arm).await;
        if until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.closed.store(true, Ordering::Relaxed);
        Err(EgressError::NotArmed)
    }

    /// In a task of its own: a guest that begins a request and drops it arms no second time.
    async fn armed(&self, arm: &Arm) -> Option<Instant> {
        let armed = self.armed.get_or_init(|| {
            let (tell, told) = watch::channel(None);
            let recorded = arm(self.source());
            tokio::spawn(async move { tell.send_replace(Some(recorded.await)) });
            told
        });
        let mut armed = armed.clone();
        let known = armed.wait_for(Option::is_some).await;
        known.ok().and_then(|known| known.flatten())
    }
}

/// What a send has used of its limits.
#[derive(Default)]
struct Used {
    requests: u32,
    hosts: HashSet<String>,
}

/// A request that is counted and has its place. Dropping it ends its entry.
#[derive(Debug)]
pub struct Admitted<'s> {
    scope: &'s EgressScope,
    entry: Entry<'s>,
    _turn: SemaphorePermit<'s>,
}

impl Admitted<'_> {
    /// The exchange; see [`EgressScope::http`].
    ///
    /// # Errors
    /// [`EgressError`]; the wire record says how far the request came.
    pub async fn http(self, request: HttpRequest) -> Result<HttpResponse, EgressError> {
        let received = self.scope.exchange(request, &self.entry).await;
        let result = received.and_then(|received| self.scope.redact(&received));
        if let Err(error) = &result {
            self.scope.note_denial(error, &self.entry);
        }
        self.entry
            .finish(result.as_ref().err().map(EgressError::code));
        result
    }

    /// Ends it, malformed before it was whole.
    pub fn malformed(self) {
        let malformed = EgressError::Invalid(String::new());
        self.entry.finish(Some(malformed.code()));
    }
}

/// One send's way out, made for it alone.
pub struct EgressScope {
    pub(super) transport: Transport,
    pub(super) owner: Owner,
    pub(super) edition: Edition,
    pub(super) source: Option<EgressSource>,
    /// The sources that a submission may name in place of that one.
    pub(super) pool: Arc<[EgressSource]>,
    pub(super) policy: Arc<EgressPolicy>,
    pub(super) placeholders: Placeholders,
    pub(super) limits: Arc<Limits>,
    pub(super) deadline: Instant,
    pub(super) gate: Gate,
    pub(super) journal: Journal,
    used: Mutex<Used>,
    /// Requests that may still be under way at once.
    turns: Semaphore,
}

impl fmt::Debug for EgressScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EgressScope")
            .field("owner", &self.owner)
            .field("edition", &self.edition)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl EgressScope {
    /// The way out of one send of `integration` at `revision`. Nothing lasts longer than `deadline`.
    /// Without a `source` connections leave from the host's default address.
    #[expect(
        clippy::too_many_arguments,
        reason = "all that one send is made of; there is no default for any"
    )]
    #[must_use]
    pub fn new(
        transport: Transport,
        tenant: TenantId,
        integration: IntegrationId,
        revision: i64,
        source: Option<EgressSource>,
        policy: Arc<EgressPolicy>,
        placeholders: Placeholders,
        limits: Arc<Limits>,
        deadline: Instant,
        arm: Option<Arm>,
    ) -> Self {
        Self {
            transport,
            owner: Owner {
                tenant,
                integration,
            },
            edition: Edition {
                revision,
                policy: policy.fingerprint(),
            },
            gate: Gate {
                arm,
                armed: OnceLock::new(),
                closed: AtomicBool::new(false),
                source: Mutex::new(source.as_ref().map(|source| source.name.clone())),
            },
            pool: source.iter().cloned().collect(),
            source,
            policy,
            placeholders,
            turns: Semaphore::new(limits.concurrent_requests),
            limits,
            deadline,
            journal: Journal::default(),
            used: Mutex::default(),
        }
    }

    /// Lets a submission name any source of `pool` in place of the one that was drawn from it.
    #[must_use]
    pub fn among(mut self, pool: Arc<[EgressSource]>) -> Self {
        self.pool = pool;
        self
    }

    /// Whose send it is.
    pub const fn tenant(&self) -> &TenantId {
        &self.owner.tenant
    }

    /// The source that the send leaves by: the one drawn, else the one that its last submission named.
    pub fn source(&self) -> Option<SourceName> {
        self.gate.source()
    }

    /// Whether a request was held back because the attempt could not be recorded, or its time was over.
    #[must_use]
    pub fn held_back(&self) -> bool {
        self.gate.closed.load(Ordering::Relaxed)
    }

    /// One exchange. Redirects are not followed, nothing is repeated once a byte was written, and secrets
    /// in the response are replaced by their placeholders.
    ///
    /// # Errors
    /// [`EgressError`]; the wire record says how far the request came.
    pub async fn http(&self, request: HttpRequest) -> Result<HttpResponse, EgressError> {
        self.admit(&request.method)?.http(request).await
    }

    /// Counts a request before anything is done for it, and takes its place among those that are under way.
    ///
    /// # Errors
    /// [`EgressError::Limit`] for a request over the limits.
    pub fn admit(&self, method: &str) -> Result<Admitted<'_>, EgressError> {
        let entry = self.begin(method)?;
        match self.turn() {
            Ok(turn) => Ok(Admitted {
                scope: self,
                entry,
                _turn: turn,
            }),
            Err(error) => {
                entry.finish(Some(error.code()));
                Err(error)
            }
        }
    }

    /// Counts a request, and begins its entry.
    pub(super) fn begin(&self, method: &str) -> Result<Entry<'_>, EgressError> {
        match self.count_request() {
            Ok(()) => Ok(self.journal.begin(method)),
            Err(error) => {
                self.journal.refuse(method, error.code());
                Err(error)
            }
        }
    }

    /// Every exchange up to now, refused ones included. Right at any moment, also after a dropped call.
    pub fn wire(&self) -> WireRecord {
        self.journal.record()
    }

    async fn exchange(
        &self,
        request: HttpRequest,
        entry: &Entry<'_>,
    ) -> Result<Received, EgressError> {
        if let Transport::Live(egress) = &self.transport {
            egress.retire(&self.owner, self.edition);
        }
        let mut filler = Filler::new(&self.placeholders, &self.policy);
        let target = filler.target(&request.url, &self.limits)?;
        entry.set_authority(target.authority());
        self.check(&target)?;
        let deadline = match request.timeout {
            Some(timeout) => self.deadline.min(Instant::now() + timeout),
            None => self.deadline,
        };
        let outgoing = filler.outgoing(request, target, &self.limits)?;
        entry.set_progress(Progress::NotConnected);
        match &self.transport {
            Transport::Live(egress) => {
                let terms = Terms {
                    owner: &self.owner,
                    edition: self.edition,
                    source: self.source.as_ref(),
                    limits: &self.limits,
                    deadline,
                };
                egress.exchange(outgoing, &terms, entry, &self.gate).await
            }
            Transport::Capture(capture) => {
                capture
                    .exchange(outgoing, &self.limits, entry, &self.gate)
                    .await
            }
        }
    }

    /// Writes a denial to the operator's log, and counts it.
    pub(super) fn note_denial(&self, error: &EgressError, entry: &Entry<'_>) {
        if let EgressError::Denied { rule } = error {
            if let Transport::Live(egress) = &self.transport {
                egress.refusals().add([rule]);
            }
            tracing::info!(
                rule,
                tenant = self.owner.tenant.as_str(),
                integration = self.owner.integration.as_str(),
                authority = entry.authority(),
                "request denied"
            );
        }
    }

    fn count_request(&self) -> Result<(), EgressError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.requests >= self.limits.requests {
            return Err(EgressError::Limit {
                limit: Limit::Requests,
                detail: format!("a send may make {} requests", self.limits.requests),
            });
        }
        used.requests += 1;
        Ok(())
    }

    /// A place among the requests that are under way at once.
    fn turn(&self) -> Result<SemaphorePermit<'_>, EgressError> {
        let most = self.limits.concurrent_requests;
        self.turns.try_acquire().map_err(|_| EgressError::Limit {
            limit: Limit::ConcurrentRequests,
            detail: format!("a send may have {most} requests under way at once"),
        })
    }

    pub(super) fn check(&self, target: &Target) -> Result<(), EgressError> {
        let denied = |rule| EgressError::Denied { rule };
        self.policy.check(target).map_err(denied)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let host = target.host.to_string();
        if used.hosts.len() >= self.limits.hosts && !used.hosts.contains(&host) {
            return Err(EgressError::Limit {
                limit: Limit::Hosts,
                detail: format!("a send may reach {} hosts", self.limits.hosts),
            });
        }
        used.hosts.insert(host);
        Ok(())
    }

    /// With every secret replaced. A body that grows to twice what one may have is full of secrets: it was made for that.
    fn redact(&self, received: &Received) -> Result<HttpResponse, EgressError> {
        let most = self.limits.response_body.saturating_mul(2);
        let body = self.placeholders.redact_within(&received.body, most);
        let body = body.ok_or(EgressError::ResponseTooLarge)?;
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(&self.placeholders.redact(bytes)).into_owned();
        Ok(HttpResponse {
            status: received.status,
            headers: received
                .headers
                .iter()
                .map(|(name, value)| (text(name.as_str().as_bytes()), text(value.as_bytes())))
                .collect(),
            body: match body {
                std::borrow::Cow::Borrowed(_) => received.body.clone(),
                std::borrow::Cow::Owned(body) => body.into(),
            },
        })
    }
}
