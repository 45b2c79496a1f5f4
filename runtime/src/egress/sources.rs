//! Which sources are of use: one whose address has left the machine, or whose proxy is broken, is suspended
//! for a while, so that its pool goes on with the others. What only one tenant's destinations meet is suspended for
//! that tenant alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::EgressError;
use super::dial::is_here;
use super::proxy::ProxyError;
use super::target::Host;
use crate::counts::Tally;
use crate::id::{SourceName, TenantId};
use crate::source::EgressSource;
use crate::time::{Clock, Timestamp};

/// Why a source is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ailment {
    /// Its address is not on this machine.
    AddressMissing,
    /// Its proxy cannot be reached.
    ProxyUnreachable,
    /// Its proxy refuses its credentials.
    ProxyCredentials,
    /// Its proxy breaks its protocol: in its greeting, or for one destination after another.
    ProxyProtocol,
}

impl Ailment {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddressMissing => "address-missing",
            Self::ProxyUnreachable => "proxy-unreachable",
            Self::ProxyCredentials => "proxy-credentials",
            Self::ProxyProtocol => "proxy-protocol",
        }
    }

    /// What an error says of the source itself, and not of where it was to go.
    fn of(error: &EgressError) -> Option<Self> {
        Some(match error {
            EgressError::SourceMissing => Self::AddressMissing,
            EgressError::Proxy(ProxyError::Unreachable) => Self::ProxyUnreachable,
            EgressError::Proxy(ProxyError::Credentials) => Self::ProxyCredentials,
            EgressError::Proxy(ProxyError::Protocol) => Self::ProxyProtocol,
            _ => return None,
        })
    }
}

/// Since and until when a source is out of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Suspension {
    /// Why.
    pub reason: Ailment,
    /// When it began.
    pub since: Timestamp,
    /// When it is tried again.
    pub until: Timestamp,
}

/// The part of a source that a suspension is about: once it is changed, the source is tried at once.
#[derive(PartialEq, Eq)]
struct Way {
    address: IpAddr,
    proxy: Option<crate::source::Proxy>,
}

impl Way {
    fn of(source: &EgressSource) -> Self {
        Self {
            address: source.address,
            proxy: source.proxy.clone(),
        }
    }
}

/// For whom a source is suspended: for everybody, or for one tenant.
type Whom = (SourceName, Option<TenantId>);

/// Destinations that are remembered for one source.
const UNANSWERED_MAX: usize = 64;

/// A destination for which a proxy had no proper answer.
struct Unanswered {
    tenant: TenantId,
    host: Host,
    until: Timestamp,
}

#[derive(Default)]
struct State {
    suspended: HashMap<Whom, (Way, Suspension)>,
    unanswered: HashMap<SourceName, Vec<Unanswered>>,
}

/// The suspended sources of this process.
pub struct SourceHealth {
    clock: Clock,
    pause: Duration,
    state: Mutex<State>,
    /// How many there are: nobody takes the lock while there is none.
    count: AtomicUsize,
    suspensions: Tally<1>,
}

impl SourceHealth {
    pub(super) fn new(clock: Clock, pause: Duration) -> Self {
        Self {
            clock,
            pause,
            state: Mutex::default(),
            count: AtomicUsize::new(0),
            suspensions: Tally::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns what came of dialling `host` from a source, for one of a tenant's sends: suspends the source for what is
    /// wrong with itself. A proxy that has no proper answer for one destination may be well for all others, and a
    /// tenant chooses its destinations: only a second one suspends the source, for that tenant, or for everybody
    /// where it is another tenant's.
    pub(super) fn note<T>(
        &self,
        source: &EgressSource,
        tenant: &TenantId,
        host: &Host,
        reached: &Result<T, EgressError>,
    ) {
        let now = self.clock.now();
        match reached {
            Ok(_) if source.proxy.is_some() => {
                self.state().unanswered.remove(&source.name);
            }
            Err(EgressError::Proxy(ProxyError::Answer)) => {
                let unanswered = Unanswered {
                    tenant: tenant.clone(),
                    host: host.clone(),
                    until: now.after(self.pause),
                };
                let whom = self.state().unanswered(&source.name, unanswered, now);
                if let Some(whom) = whom {
                    self.suspend(source, whom, Ailment::ProxyProtocol, now);
                }
            }
            Err(error) => {
                if let Some(reason) = Ailment::of(error) {
                    self.suspend(source, None, reason, now);
                }
            }
            Ok(_) => {}
        }
    }

    fn suspend(
        &self,
        source: &EgressSource,
        whom: Option<TenantId>,
        reason: Ailment,
        now: Timestamp,
    ) {
        let suspension = Suspension {
            reason,
            since: now,
            until: now.after(self.pause),
        };
        let mut state = self.state();
        // Nobody else asks for those of one tenant once they are over.
        let lasts = |suspension: &Suspension| now < suspension.until;
        let suspended = &mut state.suspended;
        suspended.retain(|(_, whom), (_, suspension)| whom.is_none() || lasts(suspension));
        let key = (source.name.clone(), whom);
        let tenant = key.1.as_ref().map(TenantId::to_string);
        let before = suspended.insert(key, (Way::of(source), suspension));
        self.count.store(suspended.len(), Ordering::Relaxed);
        // Of the sends that were under way together the first one tells.
        if before.is_none_or(|(_, before)| !lasts(&before)) {
            self.suspensions.add([reason.as_str()]);
            tracing::warn!(
                source = source.name.as_str(), address = %source.address, tenant,
                reason = reason.as_str(), until = %suspension.until, "egress source suspended"
            );
        }
    }

    /// Why a source is out of use now for everybody, or for `tenant`. When its time is over the address must be back on
    /// this machine, else the suspension goes on; a proxy is given another try.
    pub fn suspension(
        &self,
        source: &EgressSource,
        tenant: Option<&TenantId>,
    ) -> Option<Suspension> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let of = |whom| self.suspension_of(source, (source.name.clone(), whom));
        of(None).or_else(|| tenant.and_then(|tenant| of(Some(tenant.clone()))))
    }

    fn suspension_of(&self, source: &EgressSource, whom: Whom) -> Option<Suspension> {
        let now = self.clock.now();
        let mut state = self.state();
        let (way, suspension) = state.suspended.get_mut(&whom)?;
        if *way == Way::of(source) {
            if now < suspension.until {
                return Some(*suspension);
            }
            if source.proxy.is_none() && !is_here(source.address) {
                suspension.until = now.after(self.pause);
                return Some(*suspension);
            }
        }
        state.suspended.remove(&whom);
        state.unanswered.remove(&source.name);
        self.count.store(state.suspended.len(), Ordering::Relaxed);
        tracing::info!(source = source.name.as_str(), "egress source in use again");
        None
    }

    /// Suspensions since the process started, by reason.
    #[must_use]
    pub fn suspensions(&self) -> &Tally<1> {
        &self.suspensions
    }

    /// How many sources are suspended, those for one tenant alone once for each.
    #[must_use]
    pub fn suspended_now(&self) -> usize {
        let now = self.clock.now();
        let state = self.state();
        let lasting = |(_, suspension): &&(Way, Suspension)| now < suspension.until;
        state.suspended.values().filter(lasting).count()
    }
}

impl State {
    /// Remembers a destination without a proper answer; for whom it shows that the source is of no use, if for anybody.
    fn unanswered(
        &mut self,
        source: &SourceName,
        newest: Unanswered,
        now: Timestamp,
    ) -> Option<Option<TenantId>> {
        let earlier = self.unanswered.entry(source.clone()).or_default();
        let same = |one: &Unanswered| one.tenant == newest.tenant && one.host == newest.host;
        earlier.retain(|one| now < one.until && !same(one));
        let foreign = |one: &Unanswered| one.tenant != newest.tenant && one.host != newest.host;
        let whom = if earlier.iter().any(foreign) {
            Some(None)
        } else if earlier.iter().any(|one| one.tenant == newest.tenant) {
            Some(Some(newest.tenant.clone()))
        } else {
            None
        };
        if earlier.len() >= UNANSWERED_MAX {
            earlier.remove(0);
        }
        earlier.push(newest);
        whom
    }
}
