//! Claiming: who may work on which message, for how long, and in turn between tenants.

use std::collections::VecDeque;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::lapse::Settled;
use super::queues::{Queue, Room, claimable, ids};
use super::{Store, StoreError, row};
use crate::attempt::AttemptStart;
use crate::fault;
use crate::id::{MessageId, TenantId};
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

/// The part of a claim that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose message it is.
    pub tenant: TenantId,
    /// The message.
    pub id: MessageId,
    /// The claim's.
    pub fence: i64,
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

impl Claim {
    /// What names it.
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold {
            tenant: self.message.tenant.clone(),
            id: self.message.id,
            fence: self.fence,
        }
    }
}

/// What a look at the outbox found.
#[derive(Debug)]
pub struct Claimed {
    /// What its holder may send.
    pub claims: Vec<Claim>,
    /// What was claimed and could not be read, as the store went away: to be released.
    pub unread: Vec<Hold>,
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
    /// each queue, queues by turns, so that a long one holds up no other; of each no more than `room` says.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim(
        &self,
        now: Timestamp,
        lease: Lease,
        max: usize,
        room: &Room,
    ) -> Result<Claimed, StoreError> {
        let turn = self.inner.turn.clone();
        let due = Due {
            now,
            full: room.full()?,
            kept: ids(&room.kept)?,
            room: room.clone(),
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
        let mut claimed = Claimed {
            claims: Vec::with_capacity(rows.len()),
            unread: Vec::new(),
            given_up: Vec::new(),
        };
        for row in &rows {
            match self.read_or_give_up(row, now, &mut claimed).await {
                Err(StoreError::Unavailable(_)) => claimed.unread.push(hold_of(row)?),
                done => done?,
            }
        }
        Ok(claimed)
    }

    /// One unreadable row must hold up neither the others nor the queue.
    async fn read_or_give_up(
        &self,
        row: &SqliteRow,
        now: Timestamp,
        claimed: &mut Claimed,
    ) -> Result<(), StoreError> {
        match self.claim_of(row).await {
            Ok(claim) => claimed.claims.push(claim),
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "store: a message cannot be read and is given up");
                claimed.given_up.push(self.give_up(row, now).await?);
            }
        }
        Ok(())
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
}

/// The oldest claimable messages of one queue. `SET` sees the row as it was.
const TAKE: &str = "UPDATE message SET interrupted = (state = 'sending'), state = 'sending', \
       fence = fence + 1, due_at = ?4, updated_at = ?3, held_by = NULL \
     WHERE (tenant, id) IN (\
       SELECT tenant, id FROM message INDEXED BY message_due \
       WHERE tenant = ?1 AND channel = ?2 AND due_at <= ?3 AND expires_at > ?3 \
         AND hex(id) NOT IN (SELECT value FROM json_each(?6)) ORDER BY due_at LIMIT ?5) \
     RETURNING tenant, id, origin, channel, usage_type, created_at, expires_at, due_at, attempts, fence, \
       possible_duplicate, interrupted, armed, sealed";

/// What may be claimed.
struct Due {
    now: Timestamp,
    full: String,
    kept: String,
    room: Room,
}

async fn take(
    db: &mut SqliteConnection,
    due: Due,
    lease: Lease,
    max: usize,
    after: String,
) -> Result<(Vec<SqliteRow>, Option<String>), StoreError> {
    let mut queues = claimable(db, &due.full, due.now, &after, max).await?;
    if queues.len() < max && !after.is_empty() {
        let first = claimable(db, &due.full, due.now, "", max - queues.len()).await?;
        queues.extend(
            first
                .into_iter()
                .filter(|queue| *queue.tenant.as_str() <= *after),
        );
    }
    let last = queues.last().map(|queue| queue.tenant.to_string());
    let mut waiting: Vec<(Queue, usize)> = queues
        .into_iter()
        .map(|queue| {
            let room = due.room.for_queue(&queue);
            (queue, room)
        })
        .collect();
    let (mut taken, mut left) = (Vec::with_capacity(waiting.len()), max);
    while left > 0 && !waiting.is_empty() {
        let share = (left / waiting.len()).max(1);
        let mut unfinished = Vec::new();
        for (queue, room) in waiting {
            let share = share.min(left).min(room);
            if share == 0 {
                continue;
            }
            let mut rows = sqlx::query(TAKE)
                .bind(queue.tenant.to_string())
                .bind(queue.channel.as_str())
                .bind(due.now.as_millis())
                .bind(lease.until.as_millis())
                .bind(i64::try_from(share).unwrap_or(i64::MAX))
                .bind(due.kept.clone())
                .fetch_all(&mut *db)
                .await?;
            left -= rows.len().min(left);
            if rows.len() == share {
                unfinished.push((queue, room - share));
            }
            rows.sort_by_cached_key(|row| row.try_get::<Vec<u8>, _>("id").unwrap_or_default());
            taken.push(rows.into());
        }
        waiting = unfinished;
    }
    Ok((interleave(taken), last))
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

fn hold_of(row: &SqliteRow) -> Result<Hold, StoreError> {
    Ok(Hold {
        tenant: row::parsed(row, "tenant")?,
        id: row::message_id(row)?,
        fence: row.try_get("fence")?,
    })
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
