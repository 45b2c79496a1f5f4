//! Idle connections, shared by nothing but sends of the same integration, revision, policy, source and origin.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::config::EgressConfig;
use super::link::Link;
use super::target::{Host, Scheme, Target};
use crate::id::{IntegrationId, SourceName, TenantId};
use crate::source::EgressSource;

/// Whose connections they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) tenant: TenantId,
    pub(super) integration: IntegrationId,
}

/// Under which settings and lists a connection was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edition {
    pub(super) revision: i64,
    pub(super) policy: u64,
}

/// From where to where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    source: Option<(SourceName, IpAddr)>,
    scheme: Scheme,
    host: Host,
    port: u16,
}

impl Lane {
    pub(super) fn new(source: Option<&EgressSource>, target: &Target) -> Self {
        Self {
            source: source.map(|source| (source.name.clone(), source.address)),
            scheme: target.scheme,
            host: target.host.clone(),
            port: target.port,
        }
    }
}

struct Idle {
    lane: Lane,
    since: Instant,
    link: Link,
}

struct Shelf {
    edition: Edition,
    idle: Vec<Idle>,
}

#[derive(Default)]
struct Shelves {
    by_owner: HashMap<Owner, Shelf>,
    total: usize,
    swept: Option<Instant>,
}

/// The idle connections of this process.
pub(super) struct Pool {
    shelves: Mutex<Shelves>,
    total_max: usize,
    owner_max: usize,
    idle_max: Duration,
}

impl Pool {
    pub(super) fn new(config: &EgressConfig) -> Self {
        Self {
            shelves: Mutex::default(),
            total_max: config.idle_connections,
            owner_max: config.idle_per_integration,
            idle_max: Duration::from_millis(config.idle_ms),
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what `owner` holds from an edition before `edition`.
    pub(super) fn retire(&self, owner: &Owner, edition: Edition) {
        let mut shelves = self.shelves();
        let stale = shelves.by_owner.get(owner).is_some_and(|shelf| {
            shelf.edition != edition && shelf.edition.revision <= edition.revision
        });
        if stale && let Some(shelf) = shelves.by_owner.remove(owner) {
            shelves.total = shelves.total.saturating_sub(shelf.idle.len());
        }
    }

    /// The connection of this lane that was used last, if any.
    pub(super) fn take(&self, owner: &Owner, edition: Edition, lane: &Lane) -> Option<Link> {
        let mut shelves = self.shelves();
        let shelf = shelves.by_owner.get_mut(owner)?;
        if shelf.edition != edition {
            return None;
        }
        let at = shelf.idle.iter().rposition(|idle| idle.lane == *lane)?;
        let idle = shelf.idle.remove(at);
        shelves.total = shelves.total.saturating_sub(1);
        (idle.since.elapsed() < self.idle_max).then_some(idle.link)
    }

    /// Keeps a connection for the next exchange, unless its edition is over or there are too many.
    pub(super) fn put(&self, owner: &Owner, edition: Edition, lane: Lane, link: Link) {
        let now = Instant::now();
        let mut shelves = self.shelves();
        shelves.sweep(now, self.idle_max);
        if shelves.total >= self.total_max {
            return;
        }
        let shelf = shelves
            .by_owner
            .entry(owner.clone())
            .or_insert_with(|| Shelf {
                edition,
                idle: Vec::new(),
            });
        if shelf.edition == edition && shelf.idle.len() < self.owner_max {
            shelf.idle.push(Idle {
                lane,
                since: now,
                link,
            });
            shelves.total += 1;
        }
    }
}

impl Shelves {
    /// Closes what was idle for too long; looks at most once in a while, and only when a connection comes back.
    fn sweep(&mut self, now: Instant, idle_max: Duration) {
        let due = |swept: Instant| now.duration_since(swept) >= idle_max / 8;
        if !self.swept.is_none_or(due) {
            return;
        }
        self.swept = Some(now);
        self.by_owner.retain(|_, shelf| {
            shelf
                .idle
                .retain(|idle| now.duration_since(idle.since) < idle_max);
            !shelf.idle.is_empty()
        });
        self.total = self.by_owner.values().map(|shelf| shelf.idle.len()).sum();
    }
}
