//! Messages whose attempts are about to be recorded. However long the store is away, and whatever becomes of their
//! leases and of their time meanwhile, nobody else in this process claims them or lets them expire.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::MessageId;

/// All of them.
#[derive(Default)]
pub(super) struct Unrecorded(Mutex<HashSet<MessageId>>);

impl Unrecorded {
    /// One more, until the answer is dropped.
    pub(super) fn add(&self, id: MessageId) -> Pending<'_> {
        self.ids().insert(id);
        Pending { all: self, id }
    }

    pub(super) fn all(&self) -> Vec<MessageId> {
        self.ids().iter().copied().collect()
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<MessageId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message of them.
pub(super) struct Pending<'u> {
    all: &'u Unrecorded,
    id: MessageId,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.all.ids().remove(&self.id);
    }
}
