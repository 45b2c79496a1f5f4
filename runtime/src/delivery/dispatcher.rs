//! The loop that claims what is due, and ends what is past its time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Core;
use crate::store::{Claim, Claimed, Hold, Queue, Room, StoreError};
use crate::time::Timestamp;

/// Messages claimed in one step.
const CLAIM_MAX: usize = 64;
/// Pause after the store failed.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Pause where something is due that cannot be claimed.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long nobody looks for what is past its time, while what is due waits for a place.
const EXPIRY_PAUSE: Duration = Duration::from_millis(250);
/// The longest sleep: a clock that jumps is noticed by then.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// What the loop remembers from step to step.
#[derive(Default)]
struct Dispatcher {
    /// Claimed, but others took their places meanwhile: they keep their lease while they wait here.
    held: VecDeque<Claim>,
    /// When somebody last looked for what is past its time.
    expired: Option<Instant>,
    /// Whether something that is due may wait for a place.
    is_short: bool,
}

/// Claims and starts what is due until `shutdown`.
pub(super) async fn run(core: &Arc<Core>, shutdown: &CancellationToken) {
    let mut dispatcher = Dispatcher::default();
    while !shutdown.is_cancelled() {
        // Registered before the query, so that no wake-up between the two is lost.
        let woken = core.places.wake.notified();
        let pause = match dispatcher.step(core).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read");
                core.places.due_by(Timestamp::default());
                STORE_PAUSE
            }
        };
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
    core.stopping.cancel();
    for claim in dispatcher.held {
        core.give_back(claim.hold()).await;
    }
}

impl Dispatcher {
    /// Ends what is past its time, which takes no place, and starts what can be started. Returns how long nothing
    /// more can be done, unless somebody wakes the loop.
    async fn step(&mut self, core: &Arc<Core>) -> Result<Duration, StoreError> {
        let now = core.clock.now();
        if self.expired.is_none_or(|at| at.elapsed() >= EXPIRY_PAUSE) {
            expire(core, now).await?;
            self.expired = Some(Instant::now());
        }
        self.start(core);
        let rest = now.until(core.places.due());
        if !rest.is_zero() {
            return Ok(rest.min(self.longest()));
        }
        // Both before what they find is used: a place that comes back after that wakes the loop.
        let (free, room) = (core.places.free(), self.room(core));
        self.start(core);
        let most = free.min(CLAIM_MAX);
        if most == 0 {
            return Ok(EXPIRY_PAUSE);
        }
        // Before the query: what becomes due meanwhile says so again.
        core.places.nothing_due();
        let Claimed {
            claims,
            unread,
            given_up,
        } = core.store.claim(now, core.lease(now), most, &room).await?;
        for hold in unread {
            give_back(core, hold);
        }
        for settled in given_up {
            core.settled(settled, None);
        }
        let claimed = claims.len();
        self.held.extend(claims);
        self.start(core);
        if claimed == most {
            core.places.due_by(Timestamp::default());
            return Ok(Duration::ZERO);
        }
        let room = self.room(core);
        self.start(core);
        let next = core.store.next_due(now, &room).await?;
        let next = next.unwrap_or(now.after(SLEEP_MAX));
        if claimed > 0 && next <= now {
            // A place came back meanwhile, to a queue that was not said to be full.
            core.places.due_by(Timestamp::default());
            return Ok(Duration::ZERO);
        }
        core.places.due_by(next.max(now.after(RETRY_PAUSE)));
        Ok(core
            .clock
            .now()
            .until(core.places.due())
            .min(self.longest()))
    }

    /// How many messages of each queue may be claimed.
    fn room(&mut self, core: &Core) -> Room {
        let held = self.held.iter().map(|claim| Queue::of(&claim.message));
        let mut room = core.places.room(held);
        room.kept = core.unrecorded.all();
        self.is_short = room.of.values().any(|room| *room == 0);
        room
    }

    fn longest(&self) -> Duration {
        if self.is_short {
            EXPIRY_PAUSE
        } else {
            SLEEP_MAX
        }
    }

    /// Starts held claims whose queue has a place.
    fn start(&mut self, core: &Arc<Core>) {
        let now = core.clock.now();
        for _ in 0..self.held.len() {
            let Some(claim) = self.held.pop_front() else {
                return;
            };
            // No send is begun with less of a lease than it may take: it is claimed anew.
            if now.after(core.longest_send()) >= claim.lease_until {
                give_back(core, claim.hold());
                continue;
            }
            match core.place(Queue::of(&claim.message)) {
                Some(place) => core.spawn(claim, place),
                None => self.held.push_back(claim),
            }
        }
    }
}

/// Gives a claim back beside the loop, which does not wait for the store.
fn give_back(core: &Arc<Core>, hold: Hold) {
    let this = Arc::clone(core);
    core.tasks.spawn(async move { this.give_back(hold).await });
}

/// Ends all that is past its time.
async fn expire(core: &Core, now: Timestamp) -> Result<(), StoreError> {
    loop {
        let expired = core.store.expire(now, &core.unrecorded.all()).await?;
        if expired.is_empty() {
            return Ok(());
        }
        for settled in expired {
            core.settled(settled, None);
        }
    }
}
