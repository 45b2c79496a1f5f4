//! Idle connections, shared by nothing but sends of the same integration, revision, policy and lane: from
//! one source to one server.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::task::unconstrained;

use super::target::{Host, Scheme, Target};
use crate::id::{IntegrationId, SourceName, TenantId};
use crate::source::{EgressSource, Proxy};

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
    /// With its user and password.
    proxy: Option<Proxy>,
    scheme: Scheme,
    host: Host,
    port: u16,
}

impl Lane {
    pub(super) fn new(source: Option<&EgressSource>, target: &Target) -> Self {
        Self {
            source: source.map(|source| (source.name.clone(), source.address)),
            proxy: source.and_then(|source| source.proxy.clone()),
            scheme: target.scheme,
            host: target.host.clone(),
            port: target.port,
        }
    }
}

/// A connection that may be kept idle.
pub(super) trait Kept: Send + 'static {
    /// When it was opened.
    fn opened(&self) -> Instant;

    /// Whether it is open, idle, and got nothing that was not asked for. Never waits.
    fn is_usable(&mut self) -> bool;

    /// Closes it, with the goodbye of its protocol.
    fn close(self);
}

/// How many idle connections are kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// In all.
    pub(super) total: usize,
    /// Of one owner.
    pub(super) owner: usize,
    /// Without traffic.
    pub(super) idle: Duration,
    /// Since it was opened: a name may have another address by then.
    pub(super) age: Duration,
}

/// The longest time until a connection that its peer closed is let go.
const WATCH: Duration = Duration::from_secs(1);

struct Idle<L, C> {
    lane: L,
    since: Instant,
    connection: C,
}

struct Shelf<L, C> {
    edition: Edition,
    /// The one used last stands last.
    idle: Vec<Idle<L, C>>,
}

struct Shelves<L, C> {
    by_owner: HashMap<Owner, Shelf<L, C>>,
    total: usize,
    /// Someone looks for what is over until the pool is empty.
    watched: bool,
}

/// The idle connections of this process in one protocol. `L` says from where to where one leads.
pub(super) struct Pool<L, C> {
    shelves: Mutex<Shelves<L, C>>,
    bounds: Bounds,
}

impl<L: PartialEq + Send + 'static, C: Kept> Pool<L, C> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            shelves: Mutex::new(Shelves {
                by_owner: HashMap::new(),
                total: 0,
                watched: false,
            }),
            bounds,
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
            drop(shelves);
            close(shelf.idle);
        }
    }

    /// The connection of this lane that was used last and is still of use, if any.
    pub(super) fn take(&self, owner: &Owner, edition: Edition, lane: &L) -> Option<C> {
        loop {
            let mut idle = self.shelves().take(owner, edition, lane)?;
            if !self.is_over(&mut idle, Instant::now()) {
                return Some(idle.connection);
            }
            idle.connection.close();
        }
    }

    /// Keeps a connection for the next exchange, unless its edition or its time is over. Where there are too many, the
    /// one that was idle longest goes: its owner's, or of all.
    pub(super) fn put(self: &Arc<Self>, owner: &Owner, edition: Edition, lane: L, connection: C) {
        let since = Instant::now();
        let mut newest = Idle {
            lane,
            since,
            connection,
        };
        let Bounds {
            total, owner: own, ..
        } = self.bounds;
        if total == 0 || own == 0 || self.is_over(&mut newest, since) {
            return newest.connection.close();
        }
        let mut shelves = self.shelves();
        let mut surplus = Vec::new();
        if let Err(late) = shelves.put(owner, edition, newest) {
            surplus.push(late);
        }
        surplus.extend(shelves.shrink(owner, own, total));
        let watch = shelves.total > 0 && !std::mem::replace(&mut shelves.watched, true);
        drop(shelves);
        close(surplus);
        if watch {
            tokio::spawn(watch_over(Arc::downgrade(self), self.bounds.idle / 4));
        }
    }

    /// Closes the connections that were idle longest, until `owner` has no more than `own`, and all together no more
    /// than `all`.
    pub(super) fn shrink(&self, owner: &Owner, own: usize, all: usize) {
        let surplus = self.shelves().shrink(owner, own, all);
        close(surplus);
    }

    fn is_over(&self, idle: &mut Idle<L, C>, now: Instant) -> bool {
        now.duration_since(idle.since) >= self.bounds.idle
            || now.duration_since(idle.connection.opened()) >= self.bounds.age
            || !idle.connection.is_usable()
    }

    /// Closes what is over. False where nothing is left to watch.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut shelves = self.shelves();
        let mut over = Vec::new();
        for shelf in shelves.by_owner.values_mut() {
            over.extend(shelf.idle.extract_if(.., |idle| self.is_over(idle, now)));
        }
        shelves.by_owner.retain(|_, shelf| !shelf.idle.is_empty());
        shelves.total -= over.len();
        shelves.watched = shelves.total > 0;
        let watched = shelves.watched;
        drop(shelves);
        close(over);
        watched
    }
}

impl<L: PartialEq, C> Shelves<L, C> {
    fn take(&mut self, owner: &Owner, edition: Edition, lane: &L) -> Option<Idle<L, C>> {
        let shelf = self.by_owner.get_mut(owner)?;
        if shelf.edition != edition {
            return None;
        }
        let at = shelf.idle.iter().rposition(|idle| idle.lane == *lane)?;
        self.total = self.total.saturating_sub(1);
        Some(shelf.idle.remove(at))
    }

    /// Gives it back where another edition of its owner is kept.
    fn put(
        &mut self,
        owner: &Owner,
        edition: Edition,
        newest: Idle<L, C>,
    ) -> Result<(), Idle<L, C>> {
        let new = || Shelf {
            edition,
            idle: Vec::new(),
        };
        let shelf = self.by_owner.entry(owner.clone()).or_insert_with(new);
        if shelf.edition != edition {
            return Err(newest);
        }
        shelf.idle.push(newest);
        self.total += 1;
        Ok(())
    }

    fn shrink(&mut self, owner: &Owner, own: usize, all: usize) -> Vec<Idle<L, C>> {
        let mut out = Vec::new();
        if let Some(shelf) = self.by_owner.get_mut(owner) {
            let surplus = shelf.idle.len().saturating_sub(own);
            out.extend(shelf.idle.drain(..surplus));
        }
        self.total = self.total.saturating_sub(out.len());
        while self.total > all {
            let shelves = self.by_owner.values_mut().map(|shelf| &mut shelf.idle);
            let idle = shelves.filter(|idle| !idle.is_empty());
            let Some(oldest) = idle.min_by_key(|idle| idle.first().map(|idle| idle.since)) else {
                break;
            };
            out.push(oldest.remove(0));
            self.total -= 1;
        }
        out
    }
}

fn close<L, C: Kept>(idle: impl IntoIterator<Item = Idle<L, C>>) {
    idle.into_iter().for_each(|idle| idle.connection.close());
}

/// Looks for what is over until the pool is empty or gone.
async fn watch_over<L: PartialEq + Send + 'static, C: Kept>(
    pool: Weak<Pool<L, C>>,
    pause: Duration,
) {
    loop {
        tokio::time::sleep(pause.min(WATCH)).await;
        // Unconstrained: each look is a read, and the runtime's budget for those would hide the ones that come last.
        let look = async || pool.upgrade().is_some_and(|pool| pool.sweep());
        if !unconstrained(look()).await {
            return;
        }
    }
}
