//! What a claim's holder writes: armed, recorded, given back.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::claim::{Claim, Hold, Lease};
use super::lapse::Settled;
use super::{Store, StoreError};
use crate::attempt::{Attempt, AttemptStart, MessageState, Outcome, Transition};
use crate::fault;
use crate::outcome::{Failure, FailureKind, WireRecord};
use crate::time::Timestamp;

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
                passed_by: None,
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
