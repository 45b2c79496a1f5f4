//! Which source a send leaves by: each of its pool by weight, without those that are suspended or have sent
//! what they may while they warm up. Where none is left nothing is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Core;
use super::roster::{Roster, RosterError};
use crate::connector::CallReport;
use crate::egress::{Arm, EgressError};
use crate::id::{PoolName, SourceName, TenantId};
use crate::outcome::{Failure, FailureKind, WireRecord};
use crate::source::{EgressSource, pick};
use crate::store::{Store, StoreError};
use crate::time::{Clock, Timestamp};

/// The code of a failure because of allowances that are used up.
pub(super) const WARM_UP: &str = "egress.warm-up";

/// Where a send leaves by.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The source whose turn it is.
    pub source: EgressSource,
    /// All usable sources of its pool: a mail may name one.
    pub pool: Arc<[EgressSource]>,
}

impl Roster {
    /// Where the next send of a pool leaves by: each source takes its turn by weight. One that could not
    /// serve the last attempt waits while there is another.
    ///
    /// # Errors
    /// [`RosterError::NoSource`], [`RosterError::Suspended`] and [`RosterError::Warming`] where no source may
    /// be used now: it never falls back to another address.
    pub async fn departure(
        &self,
        pool: &PoolName,
        tenant: &TenantId,
        failed: Option<&SourceName>,
        now: Timestamp,
    ) -> Result<Departure, RosterError> {
        let members = self.cached_members(pool).await?;
        let (weighted, usable) = members.as_ref();
        let mut free = self.free(pool, tenant, weighted, now).await?;
        if free.len() > 1
            && let Some(failed) = failed
        {
            free.retain(|(source, _)| source.name != *failed);
        }
        let source = pick(&free, self.turn()).map(|source| (*source).clone());
        Ok(Departure {
            source: source.ok_or_else(|| RosterError::NoSource(pool.clone()))?,
            pool: Arc::clone(usable),
        })
    }

    /// The sources that may be used now; never none of them.
    async fn free<'s>(
        &self,
        pool: &PoolName,
        tenant: &TenantId,
        weighted: &'s [(EgressSource, u32)],
        now: Timestamp,
    ) -> Result<Vec<(&'s EgressSource, u32)>, RosterError> {
        let (mut free, mut warming) = (Vec::with_capacity(weighted.len()), false);
        let mut again: Option<Timestamp> = None;
        for (source, weight) in weighted.iter().filter(|(_, weight)| *weight > 0) {
            let suspended = self.health().suspension(source, Some(tenant));
            let suspended = suspended.map(|found| found.until);
            let spent = match suspended {
                Some(_) => None,
                None => spent_until(self.store(), source, now).await?,
            };
            warming |= spent.is_some();
            match suspended.or(spent) {
                None => free.push((source, *weight)),
                Some(until) => again = Some(again.map_or(until, |again| again.min(until))),
            }
        }
        let pool = || pool.clone();
        match again
            .filter(|_| free.is_empty())
            .map(|again| now.until(again))
        {
            Some(wait) if warming => Err(RosterError::Warming { pool: pool(), wait }),
            Some(wait) => Err(RosterError::Suspended { pool: pool(), wait }),
            None if free.is_empty() => Err(RosterError::NoSource(pool())),
            None => Ok(free),
        }
    }
}

/// Until when a source has sent what it may; none where it may send now.
async fn spent_until(
    store: &Store,
    source: &EgressSource,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    match &source.warm_up {
        Some(warm_up) if !warm_up.allowances(now).is_empty() => {
            let uses = store.source_use(&source.name).await?;
            Ok(warm_up.spent_until(now, &uses))
        }
        _ => Ok(None),
    }
}

impl RosterError {
    /// The failure of an attempt that found nothing to leave by, or no integration.
    pub(super) fn failure(&self) -> Failure {
        let (kind, code, retry_after) = match self {
            Self::Warming { wait, .. } => (FailureKind::Throttled, WARM_UP, Some(*wait)),
            Self::Suspended { wait, .. } => {
                (FailureKind::Unavailable, "egress.suspended", Some(*wait))
            }
            Self::NoSource(_) | Self::NotLent | Self::NotLentTo(_) | Self::Connector(_) => {
                (FailureKind::Unavailable, "route", None)
            }
            Self::Store(_) => (FailureKind::Unavailable, "store.record", None),
            _ => (FailureKind::InvalidSettings, "route", None),
        };
        Failure {
            retry_after: retry_after.map(|wait| wait.max(Duration::from_secs(1))),
            ..Failure::host(kind, code, self.to_string())
        }
    }

    /// The word in metrics for a pool that sends nothing.
    pub(super) const fn pool_refusal(&self) -> Option<&'static str> {
        match self {
            Self::NoSource(_) => Some("empty"),
            Self::Suspended { .. } => Some("suspended"),
            Self::Warming { .. } => Some("warm-up"),
            _ => None,
        }
    }
}

/// Whether the last exchange of an attempt failed for its source's sake: another may do better.
pub(super) fn failed_by_source(wire: &WireRecord) -> bool {
    let last = wire.exchanges.last().and_then(|last| last.error.as_deref());
    last.is_some_and(EgressError::is_of_source)
}

/// Counts a send that leaves by a source that warms up, just before its first byte.
pub(super) struct Warming {
    store: Store,
    clock: Clock,
    sources: Arc<[EgressSource]>,
    spent: Arc<AtomicBool>,
}

impl Warming {
    pub(super) fn new(core: &Core, departure: Option<&Departure>) -> Self {
        Self {
            store: core.store.clone(),
            clock: core.clock.clone(),
            sources: departure.map_or_else(Arc::default, |by| Arc::clone(&by.pool)),
            spent: Arc::default(),
        }
    }

    /// What must be passed before the first byte leaves: this count, then `arm`.
    pub(super) fn before(&self, arm: Arm) -> Arm {
        if self.sources.iter().all(|source| source.warm_up.is_none()) {
            return arm;
        }
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let (sources, spent) = (Arc::clone(&self.sources), Arc::clone(&self.spent));
        Arc::new(move |name| {
            let (store, now, arm) = (store.clone(), clock.now(), arm.clone());
            let (sources, spent) = (Arc::clone(&sources), Arc::clone(&spent));
            Box::pin(async move {
                let source = sources
                    .iter()
                    .find(|source| Some(&source.name) == name.as_ref());
                let warm_up = source.and_then(|source| source.warm_up.as_ref());
                let allowances = warm_up.map(|w| w.allowances(now)).unwrap_or_default();
                if let (Some(source), false) = (source, allowances.is_empty()) {
                    let counted = store.count_source(&source.name, allowances).await.ok()?;
                    spent.store(!counted, Ordering::Relaxed);
                    counted.then_some(())?;
                }
                arm(name).await
            })
        })
    }

    /// What came of a send: one that the count held back is throttled. Others took the last of it since the
    /// source was chosen, so that the next attempt will find another or learn how long to wait.
    pub(super) fn told(&self, report: CallReport) -> CallReport {
        if !self.spent.load(Ordering::Relaxed) || report.wire.completed() {
            return report;
        }
        let words = "the egress source has sent what it may while it warms up";
        CallReport {
            result: Err(Failure::host(FailureKind::Throttled, WARM_UP, words)),
            trapped: false,
            ..report
        }
    }
}
