//! From an accepted message to its end: claims, attempts, and who waits for them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::Outcome;
use crate::connector::ConnectorRuntime;
use crate::egress::Egress;
use crate::id::{IntegrationId, MessageId, TenantId};
use crate::limits::Limits;
use crate::message::Message;
use crate::store::{
    Accepted, Cancelled, Claim, Hold, Lease, Queue, Settled, Spending, Store, StoreError,
};
use crate::time::{Clock, Timestamp};

mod attempt;
mod circuit;
mod conclude;
mod config;
mod content;
mod counts;
mod departure;
mod dispatcher;
mod dry_run;
mod explain;
mod lending;
mod places;
mod plan;
mod roster;
mod rotation;
mod route;
mod schedule;
mod test_sends;
mod unrecorded;
mod verdict;
mod waiters;

pub use circuit::{CircuitPolicy, CircuitView};
pub use config::DeliveryConfig;
pub use counts::Counts;
pub use departure::Departure;
pub use dry_run::DryRun;
pub use explain::{Explanation, IntegrationView, SourceAddresses, SourceShare, SourceView, Spent};
pub use roster::{ReadyIntegration, Roster, RosterError};
pub use schedule::{OnUnknown, RetryPolicy};
pub use test_sends::TestError;
pub use waiters::{Ended, Waiting};

use circuit::Circuits;
use dispatcher::STORE_PAUSE;
use places::{Place, Places};
use unrecorded::Unrecorded;
use waiters::Waiters;

/// How long a claim outlives the wall clock of its send.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// What delivery stands on.
pub struct Foundations {
    /// The outbox.
    pub store: Store,
    /// The guests' host.
    pub runtime: Arc<ConnectorRuntime>,
    /// The way out.
    pub egress: Arc<Egress>,
    /// What one send may use.
    pub limits: Arc<Limits>,
    /// Where the time comes from.
    pub clock: Clock,
}

/// What became of a submission.
#[derive(Debug)]
pub enum Submitted {
    /// Durable. With it, where that was asked for, the wait for the end of the first attempt.
    Accepted(MessageId, Option<Waiting>),
    /// The same idempotency key and message came before.
    Replayed(MessageId),
    /// The same idempotency key came before with another message.
    Conflict,
}

/// Accepts messages and sees them through. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    core: Arc<Core>,
}

struct Core {
    store: Store,
    runtime: Arc<ConnectorRuntime>,
    egress: Arc<Egress>,
    limits: Arc<Limits>,
    /// For connectors that speak SMTP.
    smtp_limits: Arc<Limits>,
    clock: Clock,
    roster: Roster,
    retry: RetryPolicy,
    circuits: Circuits,
    places: Arc<Places>,
    counts: Counts,
    waiters: Arc<Waiters>,
    unrecorded: Unrecorded,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Delivery {
    /// Delivery over its foundations. Nothing is claimed before [`Delivery::run`].
    #[must_use]
    pub fn new(foundations: Foundations, config: &DeliveryConfig) -> Self {
        let Foundations {
            store,
            runtime,
            egress,
            limits,
            clock,
        } = foundations;
        let roster = Roster::new(store.clone(), runtime.clone(), egress.clone());
        Self {
            core: Arc::new(Core {
                store,
                runtime,
                egress,
                smtp_limits: Arc::new(limits.for_smtp()),
                limits,
                clock,
                roster,
                retry: config.retry.clone(),
                circuits: Circuits::new(config.circuit.clone()),
                places: Places::new(config.concurrency, config.tenant_concurrency),
                counts: Counts::default(),
                waiters: Arc::default(),
                unrecorded: Unrecorded::default(),
                tasks: TaskTracker::new(),
                stopping: CancellationToken::new(),
            }),
        }
    }

    /// Makes a message durable, with what it spends of limits, and starts it. With `wait`, the end of its first attempt can be awaited.
    /// Runs to its end also when the caller goes away.
    ///
    /// # Errors
    /// Those of the store: then nothing was accepted.
    pub async fn submit(
        &self,
        message: Message,
        spending: Spending,
        wait: bool,
    ) -> Result<Submitted, StoreError> {
        let core = self.core.clone();
        match tokio::spawn(core.submit(message, spending, wait)).await {
            Ok(result) => result,
            Err(error) => Err(StoreError::Unavailable(format!(
                "the submission was interrupted: {error}"
            ))),
        }
    }

    /// What became of the same submission before, by its idempotency key: never [`Submitted::Accepted`].
    ///
    /// # Errors
    /// Those of the store.
    pub async fn earlier(&self, message: &Message) -> Result<Option<Submitted>, StoreError> {
        let earlier = self.core.store.earlier(message).await?;
        Ok(earlier.and_then(|earlier| match earlier {
            Accepted::New(_) => None,
            Accepted::Replayed(first) => Some(Submitted::Replayed(first)),
            Accepted::Conflict => Some(Submitted::Conflict),
        }))
    }

    /// Claims and sends what is due until `shutdown`, then finishes what is under way for at most `grace`.
    pub async fn run(&self, shutdown: CancellationToken, grace: Duration) {
        dispatcher::run(&self.core, &shutdown).await;
        self.core.stopping.cancel();
        self.core.tasks.close();
        if tokio::time::timeout(grace, self.core.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                "sends were still under way at the end of the drain: their leases will lapse"
            );
        }
    }

    /// Looks at the outbox again, as after the clock has moved.
    pub fn wake(&self) {
        self.core.places.due_at(Timestamp::default());
    }

    /// Withdraws a message that is not being sent. Who waits for it is answered.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn cancel(&self, tenant: &TenantId, id: MessageId) -> Result<Cancelled, StoreError> {
        let cancelled = self
            .core
            .store
            .cancel(tenant, id, self.core.clock.now())
            .await?;
        if let Cancelled::Done(settled) = cancelled {
            self.core.settled(settled, None);
        }
        Ok(cancelled)
    }

    /// Where the circuit of an integration stands.
    #[must_use]
    pub fn circuit(&self, tenant: &TenantId, id: &IntegrationId) -> CircuitView {
        let core = &self.core;
        core.circuits.view(tenant, id, core.clock.now())
    }

    /// Circuits that are not closed.
    #[must_use]
    pub fn open_circuits(&self) -> usize {
        self.core.circuits.not_closed()
    }

    /// An integration was changed: what its provider did before says nothing of it, and what waited for it is tried.
    pub fn changed(&self, tenant: &TenantId, id: &IntegrationId) {
        if self.core.circuits.forget(tenant, id) {
            self.core.let_go(tenant, id);
        }
        self.wake();
    }

    /// A route was changed that had an integration: what waits for it may go another way now.
    pub fn rerouted(&self, tenant: &TenantId, id: &IntegrationId) {
        self.core.let_go(tenant, id);
    }

    /// Integrations made ready to send.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.core.roster
    }

    /// What was counted since the process started.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.core.counts
    }

    /// Sends under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.core.places.taken()
    }

    /// Callers that wait for a message.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.core.waiters.count()
    }

    /// The way out.
    #[must_use]
    pub fn egress(&self) -> &Egress {
        &self.core.egress
    }
}

impl Core {
    async fn submit(
        self: Arc<Self>,
        message: Message,
        spending: Spending,
        wait: bool,
    ) -> Result<Submitted, StoreError> {
        let (id, channel, now) = (message.id, message.channel, message.created_at);
        let waiting = wait.then(|| self.waiters.wait(id));
        let place = self.place(Queue::of(&message));
        let lease = place.is_some().then(|| self.lease(now));
        let accepted = self.store.accept_counted(&message, lease, spending).await;
        Ok(match accepted? {
            Accepted::New(claim) => {
                self.counts.accepted.add([channel.as_str()]);
                match (claim, place) {
                    (Some(claim), Some(place)) => self.spawn(claim, place),
                    _ => self.places.due_at(now),
                }
                Submitted::Accepted(id, waiting)
            }
            Accepted::Replayed(first) => Submitted::Replayed(first),
            Accepted::Conflict => Submitted::Conflict,
        })
    }

    /// Makes an attempt in a task of its own.
    fn spawn(self: &Arc<Self>, claim: Claim, place: Place) {
        let core = self.clone();
        self.tasks.spawn(async move {
            let hold = claim.hold();
            let made = core.attempt(claim).await;
            drop(place);
            match made {
                // Who holds the message now, where it is another, answers who waits for it.
                Ok(_) | Err(StoreError::Fenced) => {}
                Err(error) => {
                    tracing::warn!(message.id = %hold.id, %error, "an attempt could not begin");
                    core.give_back(hold).await;
                }
            }
        });
    }

    /// Gives back a claim for which nothing was sent, as soon as the store takes it: whoever claims it next begins
    /// anew. Where the process ends first, its lease lapses.
    async fn give_back(&self, hold: Hold) {
        loop {
            // A store that was away a moment ago is not asked at once.
            let _ = tokio::time::timeout(STORE_PAUSE, self.stopping.cancelled()).await;
            match self.store.release(&hold).await {
                Err(StoreError::Unavailable(_)) if !self.stopping.is_cancelled() => {}
                Err(StoreError::Unavailable(error)) => {
                    tracing::warn!(message.id = %hold.id, error, "a claim could not be released: its lease will lapse");
                    return;
                }
                // Others have it.
                Err(_) => return,
                Ok(()) => return self.places.due_at(Timestamp::default()),
            }
        }
    }

    /// A place for one more send of a queue, if there is one now; none while the process ends.
    fn place(&self, queue: Queue) -> Option<Place> {
        if self.stopping.is_cancelled() {
            return None;
        }
        self.places.take(queue)
    }

    fn lease(&self, now: Timestamp) -> Lease {
        let until = now.after(self.lease_time());
        Lease { now, until }
    }

    fn lease_time(&self) -> Duration {
        self.longest_send() + LEASE_MARGIN
    }

    /// How long a send may take, by whichever connector.
    fn longest_send(&self) -> Duration {
        self.limits.wall().max(self.smtp_limits.wall())
    }

    /// A message is in another state than at its last claim: it is counted where that is final, and who
    /// waits is answered. Every transition comes by here, with the attempt's outcome where one led to it.
    fn settled(&self, settled: Settled, outcome: Option<&Outcome>) {
        self.counts.state(settled.channel, settled.state);
        self.waiters.answer(settled.id, settled.state, outcome);
    }
}
