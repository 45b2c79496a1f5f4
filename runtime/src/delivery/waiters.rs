//! Who waits for a message. An entry lives as long as the call that waits, and no longer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::attempt::{MessageState, Outcome};
use crate::id::MessageId;

/// Where a message stands after its first attempt, or at its end without one.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its state.
    pub state: MessageState,
    /// What came of the attempt; none where the message was withdrawn or ran out of time.
    pub outcome: Option<Outcome>,
}

/// All who wait.
#[derive(Default)]
pub(super) struct Waiters(Mutex<HashMap<MessageId, oneshot::Sender<Ended>>>);

impl Waiters {
    /// Waits for a message that nobody waits for yet.
    pub(super) fn wait(self: &Arc<Self>, id: MessageId) -> Waiting {
        let (sender, ended) = oneshot::channel();
        self.entries().insert(id, sender);
        Waiting {
            id,
            waiters: Arc::clone(self),
            ended,
        }
    }

    /// Answers who waits for a message, if somebody does.
    pub(super) fn answer(&self, id: MessageId, state: MessageState, outcome: Option<&Outcome>) {
        let waiter = self.entries().remove(&id);
        if let Some(waiter) = waiter {
            let outcome = outcome.cloned();
            let ended = Ended { state, outcome };
            // Who has just given up does not hear it.
            let _ = waiter.send(ended);
        }
    }

    /// Whoever waits for a message goes without an answer.
    pub(super) fn forget(&self, id: MessageId) {
        self.entries().remove(&id);
    }

    pub(super) fn count(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<MessageId, oneshot::Sender<Ended>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait of one caller, who may drop it at any time.
#[must_use]
pub struct Waiting {
    id: MessageId,
    waiters: Arc<Waiters>,
    ended: oneshot::Receiver<Ended>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Waiting").field(&self.id).finish()
    }
}

impl Waiting {
    /// The end of the first attempt, or of the message. None where the server could not record it.
    pub async fn ended(mut self) -> Option<Ended> {
        (&mut self.ended).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiters.forget(self.id);
    }
}
