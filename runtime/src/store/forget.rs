//! Idempotency keys whose day is over: nothing of them stays, however long their messages are kept.

use sqlx::{Row, SqliteConnection};

use super::accept::KEY_LIFE;
use super::{Store, StoreError, row};
use crate::time::Timestamp;

/// Keys that are looked at at once.
const LOOK: i64 = 2_000;
/// Keys that one transaction forgets: sends take their turn in between.
const FORGET: usize = 200;

/// A key as its index has it.
type Name = (String, Vec<u8>);

impl Store {
    /// Forgets the idempotency keys that are not remembered any more, and what was asked for with them. Answers how
    /// many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_idempotency_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
        let (mut after, mut forgotten) = ((String::new(), Vec::new()), 0);
        loop {
            let rows = sqlx::query(
                "SELECT tenant, idempotency_key, created_at FROM message INDEXED BY message_idempotency \
                 WHERE idempotency_key IS NOT NULL AND (tenant, idempotency_key) > (?, ?) \
                 ORDER BY tenant, idempotency_key LIMIT ?",
            )
            .bind(after.0.clone())
            .bind(after.1.clone())
            .bind(LOOK)
            .fetch_all(self.readers())
            .await?;
            let mut over = Vec::new();
            for row in &rows {
                after = (row.try_get("tenant")?, row.try_get("idempotency_key")?);
                if row::time(row, "created_at")?.after(KEY_LIFE) <= now {
                    over.push(after.clone());
                }
            }
            for some in over.chunks(FORGET) {
                let (some, count) = (some.to_vec(), some.len() as u64);
                let latest = now.as_millis().saturating_sub(life());
                self.writer()
                    .write(move |db| Box::pin(forget(db, some, latest)))
                    .await?;
                forgotten += count;
            }
            if rows.is_empty() {
                return Ok(forgotten);
            }
        }
    }
}

fn life() -> i64 {
    i64::try_from(KEY_LIFE.as_millis()).unwrap_or(i64::MAX)
}

/// The keys may have been used anew since they were looked at.
async fn forget(
    db: &mut SqliteConnection,
    names: Vec<Name>,
    latest: i64,
) -> Result<(), StoreError> {
    for (tenant, key) in names {
        sqlx::query(
            "UPDATE message SET idempotency_key = NULL, request_mac = NULL \
             WHERE tenant = ? AND idempotency_key = ? AND created_at <= ?",
        )
        .bind(tenant)
        .bind(key)
        .bind(latest)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}
