//! Who may hand in what: the limits of each tenant and of the node, checked before anything is stored.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use crate::counts::Tally;
use crate::id::TenantId;
use crate::limits::{Limit, NodeLimits, TenantLimits};
use crate::message::Message;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

mod node;
mod queue;
mod rate;

use node::Node;
use queue::Queue;
use rate::{Rate, Spent, after_one};

/// Recipients that are remembered at once, each with some 100 bytes. The one that was longest without a message
/// is forgotten first.
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

/// Checks what comes in. What it counts, but for the outbox, starts anew with the process.
pub struct Admission {
    store: Store,
    limits: TenantLimits,
    rates: TenantRates,
    tenants: Cache<TenantId, Arc<Use>>,
    recipients: Cache<u64, Arc<Mutex<[Spent; 3]>>>,
    /// Keyed anew in each process: what is remembered of a recipient tells nobody who it is.
    names: RandomState,
    node: Node,
    hits: Arc<Tally<1>>,
}

/// What one tenant used.
#[derive(Default)]
struct Use {
    calls: Mutex<[Spent; 1]>,
    messages: Mutex<[Spent; 2]>,
    queue: tokio::sync::Mutex<Queue>,
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
            recipients: Cache::new(RECIPIENTS),
            names: RandomState::new(),
            node: Node::new(folder, node),
            hits,
        }
    }

    /// Looks at disk and memory again: once a second is meant.
    pub fn look_at_node(&self) {
        self.node.look();
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

    /// One more message.
    ///
    /// # Errors
    /// [`AdmissionError::OverLimit`], or [`AdmissionError::Store`] where the outbox cannot be counted.
    pub async fn message(&self, message: &Message) -> Result<(), AdmissionError> {
        self.counted(self.node.check())?;
        let used = self.used(&message.tenant);
        let room = used.queue.lock().await.take(self, message).await;
        match room {
            Err(AdmissionError::OverLimit(over)) => self.counted(Err(over))?,
            other => other?,
        }
        self.counted(self.spend(message, &used))?;
        Ok(())
    }

    /// One message of the tenant's and of the recipient's rates: of all, or of none.
    fn spend(&self, message: &Message, used: &Use) -> Result<(), OverLimit> {
        let (rates, now) = (&self.rates, message.created_at);
        let recipient = self.recipient(message);
        let mut recipient = recipient.as_deref().map(lock);
        let mut messages = lock(&used.messages);
        let next = after_one(&rates.messages, &messages, now)?;
        if let Some(spent) = &mut recipient {
            **spent = after_one(&rates.recipient, spent, now)?;
        }
        *messages = next;
        Ok(())
    }

    /// One more integration beside the `there` that the tenant has.
    ///
    /// # Errors
    /// [`OverLimit`].
    pub fn integration(&self, there: usize) -> Result<(), OverLimit> {
        let most = self.limits.integrations;
        if (there as u64) < most {
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

    /// What a recipient was sent, if that is limited.
    fn recipient(&self, message: &Message) -> Option<Arc<Mutex<[Spent; 3]>>> {
        if self.rates.recipient.iter().all(Option::is_none) {
            return None;
        }
        let (channel, to) = (message.channel.as_str(), message.recipient.expose());
        let name = self
            .names
            .hash_one((&message.tenant, channel, to.to_lowercase()));
        Some(self.recipients.get_with(name, Arc::default))
    }

    fn used(&self, tenant: &TenantId) -> Arc<Use> {
        self.tenants
            .get_with_by_ref(tenant, || Arc::new(Use::default()))
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
