//! Claiming: who may work on which message, for how long, and in turn between tenants.

use std::collections::VecDeque;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::settle::Settled;
use super::{Store, StoreError, row};
use crate::attempt::AttemptStart;
use crate::fault;
use crate::id::TenantId;
use crate::message::Message;
use crate::secret::DataKey;
use crate::time::Timestamp;

/// How long a claim lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The current time.
    pub now: Timestamp,
    /// When the claim ends if nothing is recorded.
    pub until: Timestamp,
}

/// A message that its holder alone may send, until the lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The message.
    pub message: Message,
    /// Number of the attempt to make, from 1; that of the interrupted one, where that was armed.
    pub attempt: u32,
    /// Grows with each claim of the message: a change with an older one is refused.
    pub fence: i64,
    /// When the lease ends.
    pub lease_until: Timestamp,
    /// Whether an earlier attempt may have been accepted by a provider.
    pub possible_duplicate: bool,
    /// Set where an earlier claim ended without a word. An armed attempt must be recorded before
    /// another is armed.
    pub interrupted: Option<Interrupted>,
}

/// What a look at the outbox found.
#[derive(Debug)]
pub struct Claimed {
    /// What its holder may send.
    pub claims: Vec<Claim>,
    /// What ended because its row cannot be read.
    pub given_up: Vec<Settled>,
}

/// How far an earlier claim came before its lease lapsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The attempt that was armed and so may have been sent; none: nothing left, a repeat is free.
    pub start: Option<AttemptStart>,
}

impl Store {
    /// Claims up to `max` messages: due and not expired, or of a lease that lapsed. Oldest first for
    /// each tenant, tenants by turns, so that a long queue of one holds up no other; none of the
    /// tenants in `skip`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim(
        &self,
        now: Timestamp,
        lease: Lease,
        max: usize,
        skip: &[TenantId],
    ) -> Result<Claimed, StoreError> {
        let turn = self.inner.turn.clone();
        let due = Due {
            now,
            skip: serde_json::to_string(skip)?,
        };
        let rows = self
            .writer()
            .write(move |db| {
                Box::pin(async move {
                    let after = turn.lock().map(|last| last.clone()).unwrap_or_default();
                    let (rows, last) = take(db, due, lease, max, after).await?;
                    if !rows.is_empty() {
                        fault::pass("claim.written");
                    }
                    if let (Ok(mut turn), Some(last)) = (turn.lock(), last) {
                        *turn = last;
                    }
                    Ok(rows)
                })
            })
            .await?;
        if !rows.is_empty() {
            fault::pass("claim.committed");
        }
        let (mut claims, mut given_up) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            match self.claim_of(row).await {
                Ok(claim) => claims.push(claim),
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                // One unreadable row must hold up neither the others nor the queue.
                Err(error) => {
                    tracing::error!(%error, "store: a message cannot be read and is given up");
                    given_up.push(self.give_up(row, now).await?);
                }
            }
        }
        Ok(Claimed { claims, given_up })
    }

    async fn claim_of(&self, row: &SqliteRow) -> Result<Claim, StoreError> {
        let key = self.key_of(&row::parsed(row, "tenant")?).await?;
        claim_of(&key, row)
    }

    /// When a message in the outbox changed last: no clock that is right is behind that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn last_change(&self) -> Result<Option<Timestamp>, StoreError> {
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT max(updated_at) FROM message INDEXED BY message_due WHERE due_at IS NOT NULL",
        )
        .fetch_one(self.readers())
        .await?;
        Ok(last.map(Timestamp::from_millis))
    }

    /// The earliest time at which a message is due, a lease lapses or a message expires: `now` where
    /// that has come already.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let due: Option<i64> = sqlx::query_scalar(
            "WITH RECURSIVE open (tenant) AS (\
               SELECT (SELECT tenant FROM message INDEXED BY message_due \
                 WHERE due_at IS NOT NULL ORDER BY tenant LIMIT 1) \
               UNION ALL \
               SELECT (SELECT m.tenant FROM message m INDEXED BY message_due \
                 WHERE m.due_at IS NOT NULL AND m.tenant > open.tenant ORDER BY m.tenant LIMIT 1) \
               FROM open WHERE open.tenant IS NOT NULL) \
             SELECT min((SELECT m.due_at FROM message m INDEXED BY message_due \
               WHERE m.tenant = open.tenant AND m.due_at IS NOT NULL ORDER BY m.due_at LIMIT 1)) \
             FROM open",
        )
        .fetch_one(self.readers())
        .await?;
        Ok(due.map(|due| Timestamp::from_millis(due).max(now)))
    }
}

/// Tenants with something to claim, in order of their names.
///
/// Steps from tenant to tenant in the index: the cost grows with tenants, never with their queues.
const TENANTS: &str = "WITH RECURSIVE open (tenant) AS (\
       SELECT (SELECT tenant FROM message INDEXED BY message_due \
         WHERE due_at IS NOT NULL AND tenant > ?1 ORDER BY tenant LIMIT 1) \
       UNION ALL \
       SELECT (SELECT m.tenant FROM message m INDEXED BY message_due \
         WHERE m.due_at IS NOT NULL AND m.tenant > open.tenant ORDER BY m.tenant LIMIT 1) \
       FROM open WHERE open.tenant IS NOT NULL) \
     SELECT tenant FROM open WHERE tenant IS NOT NULL AND EXISTS (\
       SELECT 1 FROM message m INDEXED BY message_due \
       WHERE m.tenant = open.tenant AND m.due_at <= ?2 AND m.expires_at > ?2) \
     AND tenant NOT IN (SELECT value FROM json_each(?4)) LIMIT ?3";

/// The oldest claimable messages of one tenant. `SET` sees the row as it was.
const TAKE: &str = "UPDATE message SET interrupted = (state = 'sending'), state = 'sending', \
       fence = fence + 1, due_at = ?3, updated_at = ?2 \
     WHERE (tenant, id) IN (\
       SELECT tenant, id FROM message INDEXED BY message_due \
       WHERE tenant = ?1 AND due_at <= ?2 AND expires_at > ?2 ORDER BY due_at LIMIT ?4) \
     RETURNING tenant, id, origin, channel, usage_type, created_at, expires_at, due_at, attempts, fence, \
       possible_duplicate, interrupted, armed, sealed";

/// What may be claimed.
struct Due {
    now: Timestamp,
    /// JSON array of tenants.
    skip: String,
}

async fn take(
    db: &mut SqliteConnection,
    due: Due,
    lease: Lease,
    max: usize,
    after: String,
) -> Result<(Vec<SqliteRow>, Option<String>), StoreError> {
    let mut tenants = claimable(db, &due, &after, max).await?;
    if tenants.len() < max && !after.is_empty() {
        let first = claimable(db, &due, "", max - tenants.len()).await?;
        tenants.extend(first.into_iter().filter(|tenant| *tenant <= after));
    }
    let last = tenants.last().cloned();
    let mut queues: Vec<VecDeque<SqliteRow>> = Vec::with_capacity(tenants.len());
    let mut left = max;
    while left > 0 && !tenants.is_empty() {
        let share = (left / tenants.len()).max(1);
        let mut unfinished = Vec::new();
        for tenant in tenants {
            let share = share.min(left);
            if share == 0 {
                break;
            }
            let mut rows = sqlx::query(TAKE)
                .bind(tenant.clone())
                .bind(due.now.as_millis())
                .bind(lease.until.as_millis())
                .bind(i64::try_from(share).unwrap_or(i64::MAX))
                .fetch_all(&mut *db)
                .await?;
            left -= rows.len().min(left);
            if rows.len() == share {
                unfinished.push(tenant);
            }
            rows.sort_by_cached_key(|row| row.try_get::<Vec<u8>, _>("id").unwrap_or_default());
            queues.push(rows.into());
        }
        tenants = unfinished;
    }
    Ok((interleave(queues), last))
}

async fn claimable(
    db: &mut SqliteConnection,
    due: &Due,
    after: &str,
    max: usize,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(TENANTS)
        .bind(after.to_owned())
        .bind(due.now.as_millis())
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .bind(due.skip.clone())
        .fetch_all(db)
        .await?)
}

/// One of each queue, then the next of each.
fn interleave(mut queues: Vec<VecDeque<SqliteRow>>) -> Vec<SqliteRow> {
    let mut rows = Vec::new();
    while !queues.is_empty() {
        rows.extend(queues.iter_mut().filter_map(VecDeque::pop_front));
        queues.retain(|queue| !queue.is_empty());
    }
    rows
}

fn claim_of(key: &DataKey, row: &SqliteRow) -> Result<Claim, StoreError> {
    let recorded: u32 = row.try_get("attempts")?;
    let interrupted: bool = row.try_get("interrupted")?;
    let start: Option<AttemptStart> = row::json(row, "armed")?;
    Ok(Claim {
        message: row::message(key, row)?,
        attempt: recorded.saturating_add(1),
        fence: row.try_get("fence")?,
        lease_until: row::time(row, "due_at")?,
        possible_duplicate: row.try_get("possible_duplicate")?,
        interrupted: interrupted.then_some(Interrupted { start }),
    })
}
