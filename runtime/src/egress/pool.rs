//! Idle connections, shared by nothing but sends of the same integration, revision, policy and lane: from
//! one source to one server.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::target::{Host, Scheme, Target};
use crate::id::{IntegrationId, SourceName, TenantId};
use crate::source::{EgressSource, ProxyKind};

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
    proxy: Option<(ProxyKind, SocketAddr)>,
    scheme: Scheme,
    host: Host,
    port: u16,
}

impl Lane {
    pub(super) fn new(source: Option<&EgressSource>, target: &Target) -> Self {
        let proxy = source.and_then(|source| source.proxy.as_ref());
        Self {
            source: source.map(|source| (source.name.clone(), source.address)),
            proxy: proxy.map(|proxy| (proxy.kind, proxy.address)),
            scheme: target.scheme,
            host: target.host.clone(),
            port: target.port,
        }
    }
}

struct Idle<L, C> {
    lane: L,
    since: Instant,
    connection: C,
}

struct Shelf<L, C> {
    edition: Edition,
    idle: Vec<Idle<L, C>>,
}

struct Shelves<L, C> {
    by_owner: HashMap<Owner, Shelf<L, C>>,
    total: usize,
    swept: Option<Instant>,
    /// Someone looks for what was idle for too long until the pool is empty.
    watched: bool,
}

/// The idle connections of this process in one protocol. `L` says from where to where one leads.
pub(super) struct Pool<L, C> {
    shelves: Mutex<Shelves<L, C>>,
    total_max: usize,
    owner_max: usize,
    idle_max: Duration,
}

impl<L: PartialEq, C> Pool<L, C> {
    /// Keeps at most so many in all and for one owner, and none for longer than `idle_max`.
    pub(super) fn new(total_max: usize, owner_max: usize, idle_max: Duration) -> Self {
        Self {
            shelves: Mutex::new(Shelves {
                by_owner: HashMap::new(),
                total: 0,
                swept: None,
                watched: false,
            }),
            total_max,
            owner_max,
            idle_max,
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves<L, C>> {
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
    pub(super) fn take(&self, owner: &Owner, edition: Edition, lane: &L) -> Option<C> {
        let mut shelves = self.shelves();
        let shelf = shelves.by_owner.get_mut(owner)?;
        if shelf.edition != edition {
            return None;
        }
        let at = shelf.idle.iter().rposition(|idle| idle.lane == *lane)?;
        let idle = shelf.idle.remove(at);
        shelves.total = shelves.total.saturating_sub(1);
        (idle.since.elapsed() < self.idle_max).then_some(idle.connection)
    }

    /// Keeps a connection for the next exchange, unless its edition is over or there are too many.
    pub(super) fn put(&self, owner: &Owner, edition: Edition, lane: L, connection: C) {
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
                connection,
            });
            shelves.total += 1;
        }
    }

    /// Takes out the connections that were idle longest, until `owner` has no more than `own`, and all
    /// together no more than `all`.
    pub(super) fn shrink(&self, owner: &Owner, own: usize, all: usize) -> Vec<C> {
        let mut shelves = self.shelves();
        let mut out = Vec::new();
        if let Some(shelf) = shelves.by_owner.get_mut(owner) {
            // The one used last stands last.
            let surplus = shelf.idle.len().saturating_sub(own);
            out.extend(shelf.idle.drain(..surplus).map(|idle| idle.connection));
        }
        shelves.total = shelves.total.saturating_sub(out.len());
        while shelves.total > all {
            let idle = shelves.by_owner.values_mut().map(|shelf| &mut shelf.idle);
            let oldest =
                idle.min_by_key(|idle| idle.first().map_or(Instant::now(), |idle| idle.since));
            let Some(oldest) = oldest.filter(|idle| !idle.is_empty()) else {
                break;
            };
            out.push(oldest.remove(0).connection);
            shelves.total -= 1;
        }
        out
    }

    /// How long a connection may be idle.
    pub(super) const fn idle_max(&self) -> Duration {
        self.idle_max
    }

    /// Whether the pool has connections that nobody watches; then the caller must call [`Self::expired`]
    /// until it says none.
    pub(super) fn needs_watch(&self) -> bool {
        let mut shelves = self.shelves();
        let needed = shelves.total > 0 && !shelves.watched;
        shelves.watched |= needed;
        needed
    }

    /// Takes out what was idle for too long. None where the pool is empty, and no longer watched.
    pub(super) fn expired(&self) -> Option<Vec<C>> {
        let now = Instant::now();
        let mut shelves = self.shelves();
        if shelves.total == 0 {
            shelves.watched = false;
            return None;
        }
        let mut expired = Vec::new();
        for shelf in shelves.by_owner.values_mut() {
            let over = |idle: &mut Idle<L, C>| now.duration_since(idle.since) >= self.idle_max;
            let gone = shelf.idle.extract_if(.., over);
            expired.extend(gone.map(|idle| idle.connection));
        }
        shelves.by_owner.retain(|_, shelf| !shelf.idle.is_empty());
        shelves.total -= expired.len();
        Some(expired)
    }
}

impl<L, C> Shelves<L, C> {
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
