//! What a claim's holder writes: armed, recorded, given back; and what time itself decides.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::claim::{Claim, Hold, Lease, ids};
use super::{Store, StoreError, row};
use crate::attempt::{Attempt, AttemptStart, MessageState, Outcome, Transition};
use crate::fault;
use crate::id::{MessageId, TenantId};
use crate::message::Channel;
use crate::outcome::{Failure, FailureKind, WireRecord};
use crate::time::Timestamp;

/// Messages that one transaction lets expire.
const EXPIRE_AT_ONCE: i64 = 500;

/// What became of a wish to withdraw a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It will not be sent again: `cancelled`, or `unknown` where an attempt may have been accepted.
    Done(Settled),
    /// The tenant has no such message.
    Missing,
    /// It is being sent, or its state is final.
    TooLate(MessageState),
}

/// What is recorded of an attempt that nobody finished.
pub const INTERRUPTED: &str = "the server ended, or stood still, while the attempt was under way: the provider may have accepted";

/// A message that reached its final state without its claim's holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The message.
    pub id: MessageId,
    /// What it would have travelled by.
    pub channel: Channel,
    /// The state.
    pub state: MessageState,
}

impl Settled {
    fn of(row: &SqliteRow, state: MessageState) -> Result<Self, StoreError> {
        Ok(Self {
            id: row::message_id(row)?,
            channel: row::channel(row)?,
            state,
        })
    }
}

/// Who may write: the message and the fence of the claim.
struct Holder {
    tenant: String,
    id: Vec<u8>,
    fence: i64,
    expires_at: Timestamp,
}

impl Holder {
    fn of(claim: &Claim) -> Self {
        Self {
            tenant: claim.message.tenant.as_str().to_owned(),
            id: claim.message.id.as_bytes().to_vec(),
            fence: claim.fence,
            expires_at: claim.message.expires_at,
        }
    }
}

impl Store {
    /// Makes durable that `start` may send from now on, and lets the claim last as long as `lease`. To be awaited
    /// before the first byte that could complete a request; again for the same attempt it only renews the lease.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the lease is over or another claim holds the message,
    /// [`StoreError::Expired`] when the message is past its time: then nothing may be sent.
    pub async fn arm(
        &self,
        claim: &Claim,
        start: &AttemptStart,
        lease: Lease,
    ) -> Result<(), StoreError> {
        if lease.now >= claim.message.expires_at {
            return Err(StoreError::Expired);
        }
        let holder = Holder::of(claim);
        let start = serde_json::to_string(start)?;
        self.writer()
            .write(move |db| {
                Box::pin(async move {
                    // An interrupted attempt that was armed is recorded first, never overwritten.
                    let done = sqlx::query(
                        "UPDATE message SET armed = ?1, interrupted = 0, updated_at = ?2, \
                         due_at = max(due_at, ?6) WHERE tenant = ?3 AND id = ?4 AND fence = ?5 AND state = 'sending' \
                         AND due_at > ?2 AND (interrupted = 0 OR armed IS NULL)",
                    )
                    .bind(start)
                    .bind(lease.now.as_millis())
                    .bind(holder.tenant)
                    .bind(holder.id)
                    .bind(holder.fence)
                    .bind(lease.until.as_millis())
                    .execute(db)
                    .await?;
                    fault::pass("arm.written");
                    fenced(done.rows_affected())
                })
            })
            .await?;
        fault::pass("arm.committed");
        Ok(())
    }

    /// Records a finished attempt and what happens next. In a final state the payload goes.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another claim holds the message: nothing was written.
    pub async fn record(
        &self,
        claim: &Claim,
        attempt: &Attempt,
        next: &Transition,
    ) -> Result<(), StoreError> {
        let record = Record {
            holder: Holder::of(claim),
            now: attempt.ended_at,
            number: attempt.start.number,
            attempt: serde_json::to_string(attempt)?,
            next: next.clone(),
        };
        self.writer()
            .write(move |db| Box::pin(settle(db, record)))
            .await?;
        fault::pass("record.committed");
        Ok(())
    }

    /// Gives back a claim that nothing was sent for: the message is due again at once.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the attempt was armed or another claim holds the message.
    pub async fn release(&self, hold: &Hold) -> Result<(), StoreError> {
        let hold = hold.clone();
        self.writer()
            .write(move |db| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE message SET state = iif(attempts = 0, 'accepted', 'waiting'), \
                         due_at = created_at, interrupted = 0 WHERE tenant = ? AND id = ? AND fence = ? \
                         AND state = 'sending' AND armed IS NULL",
                    )
                    .bind(hold.tenant.to_string())
                    .bind(hold.id.as_bytes().to_vec())
                    .bind(hold.fence)
                    .execute(db)
                    .await?;
                    fenced(done.rows_affected())
                })
            })
            .await
    }

    /// Ends some of what is past its time and nobody works on: `expired`, or `unknown` where an attempt
    /// may have been accepted. Of those in `kept` somebody is about to record what came of them. Answers what it
    /// ended; to be called until that is nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn expire(
        &self,
        now: Timestamp,
        kept: &[MessageId],
    ) -> Result<Vec<Settled>, StoreError> {
        // Most often there is nothing to do: find that out without the writer.
        let some: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM message INDEXED BY message_expiry \
             WHERE due_at IS NOT NULL AND expires_at <= ?1 AND due_at <= ?1)",
        )
        .bind(now.as_millis())
        .fetch_one(self.readers())
        .await?;
        if !some {
            return Ok(Vec::new());
        }
        let kept = ids(kept)?;
        // All of one message or nothing: its state and its attempt.
        let ended = self
            .writer()
            .change([], move |db| Box::pin(expire_some(db, now, kept)))
            .await?;
        fault::pass("expire.committed");
        Ok(ended)
    }

    /// Withdraws a message that is not being sent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn cancel(
        &self,
        tenant: &TenantId,
        id: MessageId,
        now: Timestamp,
    ) -> Result<Cancelled, StoreError> {
        let (tenant, id) = (tenant.to_string(), id.as_bytes().to_vec());
        self.writer()
            .write(move |db| Box::pin(cancel(db, tenant, id, now)))
            .await
            .inspect(|_| fault::pass("cancel.committed"))
    }

    /// Ends a claimed message whose row cannot be read.
    pub(super) async fn give_up(
        &self,
        row: &SqliteRow,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let recorded: u32 = row.try_get("attempts")?;
        let attempt = Attempt {
            start: AttemptStart {
                number: recorded.saturating_add(1),
                via: None,
                source: None,
                started_at: now,
                possible_duplicate: row.try_get("possible_duplicate")?,
            },
            ended_at: now,
            outcome: Outcome::Failure(Failure::host(
                FailureKind::Rejected,
                "store.corrupt",
                "the stored message cannot be read",
            )),
            earlier_secrets: false,
            exchanges: WireRecord::default(),
            log: Vec::new(),
        };
        let record = Record {
            holder: Holder {
                tenant: row.try_get("tenant")?,
                id: row.try_get("id")?,
                fence: row.try_get("fence")?,
                expires_at: now,
            },
            now,
            number: attempt.start.number,
            attempt: serde_json::to_string(&attempt)?,
            next: Transition::Failed,
        };
        let settled = Settled::of(row, MessageState::Failed)?;
        self.writer()
            .write(move |db| Box::pin(settle(db, record)))
            .await?;
        Ok(settled)
    }
}

async fn cancel(
    db: &mut SqliteConnection,
    tenant: String,
    id: Vec<u8>,
    now: Timestamp,
) -> Result<Cancelled, StoreError> {
    let done = sqlx::query(
        "UPDATE message SET state = iif(possible_duplicate, 'unknown', 'cancelled'), due_at = NULL, sealed = NULL, \
         updated_at = ? WHERE tenant = ? AND id = ? AND state IN ('accepted', 'waiting') \
         RETURNING id, channel, state",
    )
    .bind(now.as_millis())
    .bind(tenant.clone())
    .bind(id.clone())
    .fetch_optional(&mut *db)
    .await?;
    if let Some(row) = done {
        fault::pass("cancel.written");
        return Ok(Cancelled::Done(Settled::of(&row, row::state(&row)?)?));
    }
    let row = sqlx::query("SELECT state FROM message WHERE tenant = ? AND id = ?")
        .bind(tenant)
        .bind(id)
        .fetch_optional(db)
        .await?;
    row.map_or(Ok(Cancelled::Missing), |row| {
        Ok(Cancelled::TooLate(row::state(&row)?))
    })
}

fn fenced(rows: u64) -> Result<(), StoreError> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::Fenced)
    }
}

/// The end of a claim.
struct Record {
    holder: Holder,
    now: Timestamp,
    number: u32,
    attempt: String,
    next: Transition,
}

async fn settle(db: &mut SqliteConnection, record: Record) -> Result<(), StoreError> {
    let holder = record.holder;
    let state = record.next.state();
    let (due_at, possible_duplicate) = match record.next {
        Transition::Wait {
            until,
            possible_duplicate,
        } => (
            Some(until.min(holder.expires_at).as_millis()),
            possible_duplicate,
        ),
        _ => (None, false),
    };
    // Two statements in one call: one way to the connection's thread and back.
    let done = sqlx::query(
        "INSERT OR REPLACE INTO attempt (message, number, record) SELECT id, ?5, ?9 FROM message \
         WHERE tenant = ?6 AND id = ?7 AND fence = ?8 AND state = 'sending'; \
         UPDATE message SET state = ?1, due_at = ?2, possible_duplicate = max(possible_duplicate, ?3), \
         updated_at = ?4, attempts = ?5, armed = NULL, interrupted = 0, \
         sealed = iif(?2 IS NULL, NULL, sealed) \
         WHERE tenant = ?6 AND id = ?7 AND fence = ?8 AND state = 'sending'",
    )
    .bind(state.as_str())
    .bind(due_at)
    .bind(possible_duplicate)
    .bind(record.now.as_millis())
    .bind(record.number)
    .bind(holder.tenant)
    .bind(holder.id)
    .bind(holder.fence)
    .bind(record.attempt)
    .execute(db)
    .await?;
    fault::pass("record.written");
    // The attempt and the message, or nothing.
    fenced(done.rows_affected() / 2)
}

/// The attempt that a row says was armed. One that cannot be read was armed all the same.
fn armed(row: &SqliteRow, now: Timestamp) -> Result<Option<AttemptStart>, StoreError> {
    match row::json(row, "armed") {
        Err(error) => {
            tracing::error!(%error, "store: an attempt that was under way cannot be read");
            Ok(Some(AttemptStart {
                number: row.try_get("attempts")?,
                via: None,
                source: None,
                started_at: now,
                possible_duplicate: row.try_get("possible_duplicate")?,
            }))
        }
        start => start,
    }
}

async fn expire_some(
    db: &mut SqliteConnection,
    now: Timestamp,
    kept: String,
) -> Result<Vec<Settled>, StoreError> {
    let rows = sqlx::query(
        "UPDATE message SET state = iif(armed IS NULL AND NOT possible_duplicate, 'expired', 'unknown'), due_at = NULL, sealed = NULL, \
         interrupted = 0, updated_at = ?1, fence = fence + 1, attempts = attempts + (armed IS NOT NULL) \
         WHERE (tenant, id) IN (SELECT tenant, id FROM message INDEXED BY message_expiry \
           WHERE due_at IS NOT NULL AND expires_at <= ?1 AND due_at <= ?1 \
             AND hex(id) NOT IN (SELECT value FROM json_each(?3)) LIMIT ?2) \
         RETURNING tenant, id, armed, channel, state, attempts, possible_duplicate",
    )
    .bind(now.as_millis())
    .bind(EXPIRE_AT_ONCE)
    .bind(kept)
    .fetch_all(&mut *db)
    .await?;
    for row in &rows {
        let Some(start) = armed(row, now)? else {
            continue;
        };
        let number = start.number;
        let attempt = serde_json::to_string(&Attempt {
            start,
            ended_at: now,
            outcome: Outcome::Failure(Failure::host(
                FailureKind::Unknown,
                "interrupted",
                INTERRUPTED,
            )),
            earlier_secrets: false,
            exchanges: WireRecord::default(),
            log: Vec::new(),
        })?;
        sqlx::query(
            "INSERT OR REPLACE INTO attempt (message, number, record) VALUES (?1, ?2, ?3); \
             UPDATE message SET armed = NULL WHERE tenant = ?4 AND id = ?1",
        )
        .bind(row.try_get::<Vec<u8>, _>("id")?)
        .bind(number)
        .bind(attempt)
        .bind(row.try_get::<String, _>("tenant")?)
        .execute(&mut *db)
        .await?;
    }
    fault::pass("expire.written");
    rows.iter()
        .map(|row| Settled::of(row, row::state(row)?))
        .collect()
}
