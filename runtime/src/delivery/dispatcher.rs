//! The loop that claims what is due.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Core;
use crate::store::{Claim, StoreError};

/// Messages claimed in one step.
const CLAIM_MAX: usize = 64;
/// Pause after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The longest sleep: a clock that jumps is noticed by then.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Claims and starts what is due until `shutdown`.
pub(super) async fn run(core: &Arc<Core>, shutdown: &CancellationToken) {
    // Claimed, but their tenant has no free place: they keep their lease while they wait here.
    let mut held: VecDeque<Claim> = VecDeque::new();
    while !shutdown.is_cancelled() {
        // Registered before the query, so that no wake-up between the two is lost.
        let woken = core.wake.notified();
        let pause = match step(core, &mut held).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read");
                STORE_PAUSE
            }
        };
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
    for claim in held {
        if let Err(error) = core.store.release(&claim).await {
            tracing::warn!(message.id = %claim.message.id, %error, "a claim could not be released: its lease will lapse");
        }
    }
}

/// Starts what can be started. Returns how long nothing more is due.
async fn step(core: &Arc<Core>, held: &mut VecDeque<Claim>) -> Result<Duration, StoreError> {
    let now = core.clock.now();
    core.store.expire(now).await?;
    start(core, held);
    let room = core.permits.available_permits().min(CLAIM_MAX);
    if room == 0 || !held.is_empty() {
        // A permit that comes back wakes the loop.
        return Ok(SLEEP_MAX);
    }
    let claims = core.store.claim(now, core.lease(now), room).await?;
    let full = claims.len() == room;
    held.extend(claims);
    start(core, held);
    if full && held.is_empty() {
        return Ok(Duration::ZERO);
    }
    let due = core.store.next_due(core.clock.now()).await?;
    Ok(due.map_or(SLEEP_MAX, |due| core.clock.now().until(due).min(SLEEP_MAX)))
}

fn start(core: &Arc<Core>, held: &mut VecDeque<Claim>) {
    let now = core.clock.now();
    for _ in 0..held.len() {
        let Some(claim) = held.pop_front() else { return };
        if now >= claim.lease_until {
            continue;
        }
        match core.try_permit(&claim.message.tenant) {
            Some(permit) => core.spawn(claim, permit),
            None => held.push_back(claim),
        }
    }
}
