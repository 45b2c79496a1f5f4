//! Who may hand in what: the limits of each tenant and of the node, checked before anything is stored.

use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::OnceCell;

use crate::counts::Tally;
use crate::id::TenantId;
use crate::limits::{Limit, NodeLimits, TenantLimits};
use crate::message::Message;
use crate::store::{Spending, Store, StoreError};
use crate::time::Timestamp;

mod answers;
mod node;
mod queue;
mod rate;
mod reads;
mod settings;
mod spending;

use answers::Answers;
use node::Node;
use queue::Queue;
use rate::{Rate, Spent, after_one};
use reads::Turns;
use spending::Sent;

pub use answers::AnswerRoom;
pub use reads::ReadTurn;

/// Recipients that are remembered at once, each with some 100 bytes. Of the others the outbox knows what they were
/// sent.
const RECIPIENTS: u64 = 200_000;
/// Tenants that are remembered at once.
const TENANTS: u64 = 100_000;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A tenant or the node is at a limit: nothing was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct OverLimit {
    /// Which.
    pub limit: Limit,
    /// What is allowed, and the key of the configuration that says so.
    pub detail: String,
    /// When the same may be taken, where that is known.
    pub wait: Option<Duration>,
}

/// Why a message was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// It is over a limit.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
    /// The outbox could not be looked at.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks what comes in. What it counts a second starts anew with the process; what it counts for longer is on disk.
pub struct Admission {
    store: Store,
    limits: TenantLimits,
    rates: TenantRates,
    tenants: Cache<TenantId, Arc<Use>>,
    recipients: Cache<u64, Arc<Sent>>,
    /// Keyed anew in each process: what is remembered of a recipient tells nobody who it is.
    names: RandomState,
    node: Node,
    operators: Turns,
    answers: Answers,
    hits: Arc<Tally<1>>,
}

/// What one tenant used.
struct Use {
    calls: Mutex<[Spent; 1]>,
    messages: Mutex<[Spent; 2]>,
    /// Whether the day of `messages` was read from the outbox.
    recalled: OnceCell<()>,
    queue: tokio::sync::Mutex<Queue>,
    reads: Turns,
}

impl Use {
    fn new(limits: &TenantLimits) -> Self {
        Self {
            calls: Mutex::default(),
            messages: Mutex::default(),
            recalled: OnceCell::new(),
            queue: tokio::sync::Mutex::default(),
            reads: Turns::of_tenant(limits.concurrent_reads),
        }
    }
}

struct TenantRates {
    calls: [Option<Rate>; 1],
    messages: [Option<Rate>; 2],
    recipient: [Option<Rate>; 3],
}

impl TenantRates {
    fn of(limits: &TenantLimits) -> Self {
        let a_second = |limit, count: Option<u64>, key| {
            Some(Rate::new(limit, count?, SECOND, key).with_burst(count?.saturating_mul(2)))
        };
        let over = |limit, count: Option<u64>, time, key| Some(Rate::new(limit, count?, time, key));
        let interval = limits.recipient_interval_ms.map(Duration::from_millis);
        Self {
            calls: [a_second(
                Limit::Calls,
                limits.calls_per_second,
                "calls_per_second",
            )],
            messages: [
                a_second(
                    Limit::Messages,
                    limits.messages_per_second,
                    "messages_per_second",
                ),
                over(
                    Limit::MessagesPerDay,
                    limits.messages_per_day,
                    DAY,
                    "messages_per_day",
                ),
            ],
            recipient: [
                interval.map(|time| Rate::new(Limit::Recipient, 1, time, "recipient_interval_ms")),
                over(
                    Limit::Recipient,
                    limits.recipient_per_hour,
                    HOUR,
                    "recipient_per_hour",
                ),
                over(
                    Limit::Recipient,
                    limits.recipient_per_day,
                    DAY,
                    "recipient_per_day",
                ),
            ],
        }
    }
}

impl Admission {
    /// Admission to `store`, whose files are in `folder`. Limits that are met are counted in `hits`.
    #[must_use]
    pub fn new(
        store: Store,
        folder: PathBuf,
        limits: TenantLimits,
        node: &NodeLimits,
        hits: Arc<Tally<1>>,
    ) -> Self {
        Self {
            store,
            rates: TenantRates::of(&limits),
            limits,
            tenants: Cache::new(TENANTS),
            recipients: Cache::builder()
                .max_capacity(RECIPIENTS)
                // A new one is always remembered: the outbox may not know of it yet.
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            names: RandomState::new(),
            node: Node::new(folder, node),
            operators: Turns::of_operators(),
            answers: Answers::new(node.answer_bytes),
            hits,
        }
    }

    /// Looks at disk and memory again: once a second is meant.
    pub fn look_at_node(&self) {
        self.node.look();
    }

    /// Whether the node has room for one more message.
    ///
    /// # Errors
    /// [`OverLimit`].
    pub fn room(&self) -> Result<(), OverLimit> {
        self.node.check()
    }

    /// One call of a tenant.
    ///
    /// # Errors
    /// [`OverLimit`].
    pub fn call(&self, tenant: &TenantId, now: Timestamp) -> Result<(), OverLimit> {
        if self.rates.calls.iter().all(Option::is_none) {
            return Ok(());
        }
        let used = self.used(tenant);
        let mut calls = lock(&used.calls);
        let spent = after_one(&self.rates.calls, &calls, now).map(|next| *calls = next);
        self.counted(spent)
    }

    /// One more message. Answers what it spends of the limits over a time, to be written with it.
    ///
    /// # Errors
    /// [`AdmissionError::OverLimit`], or [`AdmissionError::Store`] where the outbox or what was spent cannot be read.
    pub async fn message(&self, message: &Message) -> Result<Spending, AdmissionError> {
        self.counted(self.node.check())?;
        let used = self.used(&message.tenant);
        let room = used.queue.lock().await.take(self, message).await;
        match room {
            Err(AdmissionError::OverLimit(over)) => self.counted(Err(over))?,
            other => other?,
        }
        let spent = self.spend(message, &used).await;
        if let Err(AdmissionError::OverLimit(over)) = &spent {
            self.hits.add([over.limit.code()]);
        }
        spent
    }

    /// One more integration beside the `there` that the tenant has.
    ///
    /// # Errors
    /// [`OverLimit`].
    pub fn integration(&self, there: u64) -> Result<(), OverLimit> {
        let most = self.limits.integrations;
        if there < most {
            return Ok(());
        }
        self.counted(Err(OverLimit {
            limit: Limit::Integrations,
            detail: format!(
                "the tenant may have {most} integrations (tenant_limits.integrations): delete one first"
            ),
            wait: None,
        }))
    }

    fn used(&self, tenant: &TenantId) -> Arc<Use> {
        self.tenants
            .get_with_by_ref(tenant, || Arc::new(Use::new(&self.limits)))
    }

    fn counted(&self, result: Result<(), OverLimit>) -> Result<(), OverLimit> {
        if let Err(over) = &result {
            self.hits.add([over.limit.code()]);
        }
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
