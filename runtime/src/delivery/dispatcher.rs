//! The loop that claims what is due.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Core;
use crate::store::{Claim, Claimed, StoreError};
use crate::time::Timestamp;

/// Messages claimed in one step.
const CLAIM_MAX: usize = 64;
/// Pause after the store failed.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Pause before the outbox is looked at again for tenants without a free place.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// The longest sleep: a clock that jumps is noticed by then.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Claims and starts what is due until `shutdown`.
pub(super) async fn run(core: &Arc<Core>, shutdown: &CancellationToken) {
    // Claimed, but their tenant has no free place: they keep their lease while they wait here.
    let mut held: VecDeque<Claim> = VecDeque::new();
    while !shutdown.is_cancelled() {
        // Registered before the query, so that no wake-up between the two is lost.
        let woken = core.places.wake.notified();
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
    start(core, held);
    let now = core.clock.now();
    let longest = if held.is_empty() {
        SLEEP_MAX
    } else {
        RETRY_PAUSE
    };
    let rest = now.until(Timestamp::from_millis(core.due.load(Ordering::SeqCst)));
    if !rest.is_zero() {
        return Ok(rest.min(longest));
    }
    let room = core.places.free().min(CLAIM_MAX);
    if room == 0 {
        core.places.starve();
        // A place that came back in between saw no starvation to end.
        return Ok(if core.places.free() == 0 {
            SLEEP_MAX
        } else {
            RETRY_PAUSE
        });
    }
    // Taken before the query: what becomes due meanwhile lowers it again.
    core.due.store(i64::MAX, Ordering::SeqCst);
    let (claimed, next) = match claim(core, now, room, held).await {
        Ok(found) => found,
        Err(error) => {
            core.due.store(0, Ordering::SeqCst);
            return Err(error);
        }
    };
    let full = claimed.len() == room;
    held.extend(claimed);
    start(core, held);
    if full {
        core.due.store(0, Ordering::SeqCst);
        return Ok(Duration::ZERO);
    }
    core.due.fetch_min(next.as_millis(), Ordering::SeqCst);
    Ok(core.clock.now().until(next).min(if held.is_empty() {
        SLEEP_MAX
    } else {
        RETRY_PAUSE
    }))
}

/// What is due now for tenants with a free place, and when the outbox must be looked at again.
async fn claim(
    core: &Core,
    now: Timestamp,
    room: usize,
    held: &VecDeque<Claim>,
) -> Result<(Vec<Claim>, Timestamp), StoreError> {
    loop {
        let expired = core.store.expire(now).await?;
        if expired.is_empty() {
            break;
        }
        for settled in expired {
            core.settled(settled, None);
        }
    }
    let mut skip = core.places.full_tenants();
    skip.extend(held.iter().map(|claim| claim.message.tenant.clone()));
    let Claimed { claims, given_up } = core.store.claim(now, core.lease(now), room, &skip).await?;
    for settled in given_up {
        core.settled(settled, None);
    }
    let next = core.store.next_due(now).await?;
    // What is due but skipped waits for a place of its tenant.
    let next = next.unwrap_or(now.after(SLEEP_MAX));
    if next <= now {
        core.places.starve();
    }
    Ok((claims, next.max(now.after(RETRY_PAUSE))))
}

/// Starts held claims whose tenant has a place.
fn start(core: &Arc<Core>, held: &mut VecDeque<Claim>) {
    let now = core.clock.now();
    for _ in 0..held.len() {
        let Some(claim) = held.pop_front() else {
            return;
        };
        if now >= claim.lease_until {
            continue;
        }
        match core.place(&claim.message.tenant) {
            Some(place) => core.spawn(claim, place),
            None => held.push_back(claim),
        }
    }
    if !held.is_empty() {
        core.places.starve();
    }
}
