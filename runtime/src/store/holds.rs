//! Messages that wait, without an attempt, for an integration whose provider is down.

use super::claim::Hold;
use super::queues::Queue;
use super::{Store, StoreError};
use crate::id::IntegrationId;
use crate::time::Timestamp;

/// Messages that one transaction lets go.
const AT_ONCE: i64 = 500;

impl Store {
    /// Gives back a claim for which nothing was sent: the message waits for `integration`, until `until` at most.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the attempt was armed or another claim holds the message.
    pub async fn hold(
        &self,
        hold: &Hold,
        integration: &IntegrationId,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let (hold, integration) = (hold.clone(), integration.to_string());
        self.writer()
            .write(move |db| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE message SET state = 'waiting', due_at = min(?1, expires_at), interrupted = 0, \
                         held_by = ?2 WHERE tenant = ?3 AND id = ?4 AND fence = ?5 \
                         AND state = 'sending' AND armed IS NULL",
                    )
                    .bind(until.as_millis())
                    .bind(integration)
                    .bind(hold.tenant.to_string())
                    .bind(hold.id.as_bytes().to_vec())
                    .bind(hold.fence)
                    .execute(db)
                    .await?;
                    match done.rows_affected() {
                        1 => Ok(()),
                        _ => Err(StoreError::Fenced),
                    }
                })
            })
            .await
    }

    /// Makes due what waits in a queue for `integration`, some of it: to be called until it answers that there is no
    /// more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn let_go(
        &self,
        queue: &Queue,
        integration: &IntegrationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (queue, integration) = (queue.clone(), integration.to_string());
        self.writer()
            .write(move |db| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE message SET due_at = min(due_at, ?1), held_by = NULL WHERE (tenant, id) IN (\
                           SELECT tenant, id FROM message INDEXED BY message_due \
                           WHERE tenant = ?2 AND channel = ?3 AND due_at IS NOT NULL AND held_by = ?4 \
                           AND state = 'waiting' LIMIT ?5)",
                    )
                    .bind(now.as_millis())
                    .bind(queue.tenant.to_string())
                    .bind(queue.channel.as_str())
                    .bind(integration)
                    .bind(AT_ONCE)
                    .execute(db)
                    .await?;
                    Ok(done.rows_affected() == AT_ONCE.unsigned_abs())
                })
            })
            .await
    }
}
