//! Messages that end without their claim's holder: past their time, or withdrawn.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::queues::ids;
use super::{Store, StoreError, row};
use crate::attempt::{Attempt, AttemptStart, MessageState, Outcome};
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
    pub(super) fn of(row: &SqliteRow, state: MessageState) -> Result<Self, StoreError> {
        Ok(Self {
            id: row::message_id(row)?,
            channel: row::channel(row)?,
            state,
        })
    }
}

impl Store {
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
                passed_by: None,
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
