//! How many SMTP sessions may be open at once, idle ones included: for one integration, and in all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::egress::EgressError;
use crate::egress::pool::{Kept, Owner, Pool};

/// Places for sessions that are in use. What is idle makes room: a session is only opened where those in
/// use, itself included, and those idle are no more than allowed.
pub(super) struct Seats {
    all: Arc<Semaphore>,
    all_max: usize,
    by_owner: Mutex<HashMap<Owner, Weak<Semaphore>>>,
    owner_max: usize,
}

/// A place for one session while it is in use.
pub(super) struct Seat {
    own: Arc<Semaphore>,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Seats {
    pub(super) fn new(all_max: usize, owner_max: usize) -> Self {
        let (all_max, owner_max) = (all_max.max(1), owner_max.max(1));
        Self {
            all: Arc::new(Semaphore::new(all_max)),
            all_max,
            by_owner: Mutex::default(),
            owner_max,
        }
    }

    /// Waits for a place, first come, first served: for the integration's own before one of all, so that
    /// a busy integration takes no more of these than it may have.
    pub(super) async fn take(&self, owner: &Owner, until: Instant) -> Result<Seat, EgressError> {
        let own = self.own(owner);
        let permits = async {
            let first = Arc::clone(&own).acquire_owned().await?;
            Ok([first, Arc::clone(&self.all).acquire_owned().await?])
        };
        match timeout_at(until, permits).await {
            Ok(Ok(permits)) => Ok(Seat {
                own,
                _permits: permits,
            }),
            Ok(Err::<_, tokio::sync::AcquireError>(_)) | Err(_) => Err(EgressError::Timeout),
        }
    }

    /// Closes idle sessions until the holder of `seat` may open another.
    pub(super) fn make_room<L: PartialEq + Send + 'static, C: Kept>(
        &self,
        pool: &Pool<L, C>,
        owner: &Owner,
        seat: &Seat,
    ) {
        let idle = |max: usize, seats: &Semaphore| seats.available_permits().min(max);
        pool.shrink(
            owner,
            idle(self.owner_max, &seat.own),
            idle(self.all_max, &self.all),
        );
    }

    fn own(&self, owner: &Owner) -> Arc<Semaphore> {
        let mut by_owner = self.by_owner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_owner.get(owner).and_then(Weak::upgrade) {
            return own;
        }
        by_owner.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.owner_max));
        by_owner.insert(owner.clone(), Arc::downgrade(&own));
        own
    }
}
