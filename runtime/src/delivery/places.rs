//! Places for sends under way: so many in all, so many for each tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::id::TenantId;

/// All places of a process.
pub(super) struct Places {
    all: Arc<Semaphore>,
    count: usize,
    per_tenant: usize,
    taken: Mutex<HashMap<TenantId, usize>>,
    /// Free places that are worth a claim: each claim costs a transaction.
    batch: usize,
    /// The dispatcher has work for which it found no place.
    starved: AtomicBool,
    /// Wakes the dispatcher: something is due, or there are places again.
    pub(super) wake: Notify,
}

impl Places {
    pub(super) fn new(all: usize, per_tenant: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(all)),
            count: all,
            per_tenant,
            taken: Mutex::default(),
            batch: (all / 8).max(1),
            starved: AtomicBool::new(false),
            wake: Notify::new(),
        })
    }

    /// A place for one more send of a tenant, if there is one now.
    pub(super) fn take(self: &Arc<Self>, tenant: &TenantId) -> Option<Place> {
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(tenant.clone()).or_insert(0);
        if *count >= self.per_tenant {
            return None;
        }
        *count += 1;
        Some(Place {
            places: self.clone(),
            tenant: tenant.clone(),
            _permit: permit,
        })
    }

    /// Free places in all.
    pub(super) fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// Taken places in all.
    pub(super) fn taken(&self) -> usize {
        self.count.saturating_sub(self.free())
    }

    /// Tenants that have no free place.
    pub(super) fn full_tenants(&self) -> Vec<TenantId> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = taken.iter().filter(|(_, count)| **count >= self.per_tenant);
        full.map(|(tenant, _)| tenant.clone()).collect()
    }

    /// The dispatcher found no place: it is to be woken once there are some.
    pub(super) fn starve(&self) {
        self.starved.store(true, Ordering::SeqCst);
    }
}

/// The right to one send. Given back on drop.
pub(super) struct Place {
    places: Arc<Places>,
    tenant: TenantId,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let places = &self.places;
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.tenant);
            }
        }
        drop(taken);
        // The permit itself comes back a moment later: one that is already free counts it in.
        if places.free() + 1 >= places.batch && places.starved.swap(false, Ordering::SeqCst) {
            places.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tenant_takes_more_than_its_share_and_places_come_back() {
        let places = Places::new(3, 2);
        let (a, b): (TenantId, TenantId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let first = places.take(&a).unwrap();
        let second = places.take(&a).unwrap();
        assert!(places.take(&a).is_none());
        assert_eq!(places.full_tenants(), std::slice::from_ref(&a));
        let third = places.take(&b).unwrap();
        assert!(places.take(&b).is_none(), "three in all");
        assert_eq!(places.taken(), 3);
        drop(second);
        assert!(places.full_tenants().is_empty());
        assert!(places.take(&a).is_some());
        drop((first, third));
        assert_eq!(places.free(), 3);
    }
}
