//! Which sources are of use: one whose address has left the machine, or whose proxy is broken, is suspended
//! for a while, so that its pool goes on with the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::EgressError;
use super::dial::is_here;
use super::proxy::ProxyError;
use crate::counts::Tally;
use crate::id::SourceName;
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
    /// Its proxy breaks its protocol.
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

/// The suspended sources of this process.
pub struct SourceHealth {
    clock: Clock,
    pause: Duration,
    suspended: Mutex<HashMap<SourceName, (Way, Suspension)>>,
    /// How many there are: nobody takes the lock while there is none.
    count: AtomicUsize,
    suspensions: Tally<1>,
}

impl SourceHealth {
    pub(super) fn new(clock: Clock, pause: Duration) -> Self {
        Self {
            clock,
            pause,
            suspended: Mutex::default(),
            count: AtomicUsize::new(0),
            suspensions: Tally::default(),
        }
    }

    fn suspended(&self) -> MutexGuard<'_, HashMap<SourceName, (Way, Suspension)>> {
        self.suspended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Suspends a source for what is wrong with itself.
    pub(super) fn note(&self, source: &EgressSource, error: &EgressError) {
        let Some(reason) = Ailment::of(error) else {
            return;
        };
        let now = self.clock.now();
        let suspension = Suspension {
            reason,
            since: now,
            until: now.after(self.pause),
        };
        let mut suspended = self.suspended();
        let before = suspended.insert(source.name.clone(), (Way::of(source), suspension));
        self.count.store(suspended.len(), Ordering::Relaxed);
        // Of the sends that were under way together the first one tells.
        if before.is_none_or(|(_, before)| before.until <= now) {
            self.suspensions.add([reason.as_str()]);
            tracing::warn!(
                source = source.name.as_str(), address = %source.address,
                reason = reason.as_str(), until = %suspension.until, "egress source suspended"
            );
        }
    }

    /// Why a source is out of use now. When its time is over the address must be back on this machine, else
    /// the suspension goes on; a proxy is given another try.
    pub fn suspension(&self, source: &EgressSource) -> Option<Suspension> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let now = self.clock.now();
        let mut suspended = self.suspended();
        let (way, suspension) = suspended.get_mut(&source.name)?;
        if *way == Way::of(source) {
            if now < suspension.until {
                return Some(*suspension);
            }
            if source.proxy.is_none() && !is_here(source.address) {
                suspension.until = now.after(self.pause);
                return Some(*suspension);
            }
        }
        suspended.remove(&source.name);
        self.count.store(suspended.len(), Ordering::Relaxed);
        tracing::info!(source = source.name.as_str(), "egress source in use again");
        None
    }

    /// Suspensions since the process started, by reason.
    #[must_use]
    pub fn suspensions(&self) -> &Tally<1> {
        &self.suspensions
    }

    /// How many sources are suspended.
    #[must_use]
    pub fn suspended_now(&self) -> usize {
        let now = self.clock.now();
        let suspended = self.suspended();
        let lasting = |(_, suspension): &&(Way, Suspension)| now < suspension.until;
        suspended.values().filter(lasting).count()
    }
}
