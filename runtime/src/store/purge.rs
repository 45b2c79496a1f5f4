//! The end of finished messages: a few at a time, the oldest first.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::accept::KEY_LIFE;
use super::{Store, StoreError, before};
use crate::time::Timestamp;

/// Messages of one tenant that one transaction looks at: sends take their turn in between.
const PURGE_AT_ONCE: i64 = 200;

/// Tenants that have a message, stepped through in the primary key.
const TENANTS: &str = "WITH RECURSIVE known (tenant) AS (\
       SELECT (SELECT tenant FROM message ORDER BY tenant LIMIT 1) \
       UNION ALL \
       SELECT (SELECT m.tenant FROM message m WHERE m.tenant > known.tenant ORDER BY m.tenant LIMIT 1) \
       FROM known WHERE known.tenant IS NOT NULL) \
     SELECT tenant FROM known WHERE tenant IS NOT NULL";

/// A tenant's oldest messages, of which the finished ones go. Ids are in the order of their making.
const PURGE: &str = "DELETE FROM message WHERE tenant = ?1 AND id IN (\
       SELECT id FROM (SELECT id, due_at, created_at FROM message WHERE tenant = ?1 ORDER BY id LIMIT ?3) \
       WHERE due_at IS NULL AND created_at <= ?2) RETURNING id";

impl Store {
    /// Deletes the finished messages that were accepted longer than `keep` before `now`, with their attempts.
    /// Whatever `keep` is, a message stays as long as its idempotency key is remembered. Answers how many
    /// there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge(&self, now: Timestamp, keep: Duration) -> Result<u64, StoreError> {
        let keep = i64::try_from(keep.max(KEY_LIFE).as_millis()).unwrap_or(i64::MAX);
        let latest = now.as_millis().saturating_sub(keep);
        self.writer()
            .write(move |db| Box::pin(before::forget(db, now)))
            .await?;
        let tenants: Vec<String> = sqlx::query_scalar(TENANTS)
            .fetch_all(self.readers())
            .await?;
        let mut purged = 0;
        for tenant in tenants {
            loop {
                let tenant = tenant.clone();
                let some = self
                    .writer()
                    .write(move |db| Box::pin(purge_some(db, tenant, latest)))
                    .await?;
                purged += some;
                if some == 0 {
                    break;
                }
            }
        }
        Ok(purged)
    }
}

async fn purge_some(
    db: &mut SqliteConnection,
    tenant: String,
    latest: i64,
) -> Result<u64, StoreError> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(PURGE)
        .bind(tenant)
        .bind(latest)
        .bind(PURGE_AT_ONCE)
        .fetch_all(&mut *db)
        .await?;
    for id in &ids {
        sqlx::query("DELETE FROM attempt WHERE message = ?")
            .bind(id.clone())
            .execute(&mut *db)
            .await?;
    }
    Ok(u64::try_from(ids.len()).unwrap_or(u64::MAX))
}
