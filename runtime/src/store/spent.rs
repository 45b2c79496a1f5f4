//! What limits over a time have given. It outlives the process, and is written with the message that took of it.

use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError};
use crate::id::TenantId;
use crate::message::Channel;
use crate::time::Timestamp;

/// Bytes that tell a tenant's recipients apart.
const NAME: usize = 16;
/// Rows that one transaction deletes: sends take their turn in between.
const AT_ONCE: i64 = 500;

/// A tenant's recipient, to nobody without the tenant's key.
pub type RecipientName = [u8; NAME];

/// What is spent with one message: for each limit the microsecond at which all of it is there again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Of the tenant's messages in a day.
    pub messages_day: Option<i64>,
    /// Of one recipient's: between two messages, in an hour, in a day.
    pub recipient: Option<(RecipientName, [i64; 3])>,
}

impl Store {
    /// What is spent of a tenant's messages in a day.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tenant_spent(&self, tenant: &TenantId) -> Result<i64, StoreError> {
        let query = "SELECT messages_day FROM tenant_spent WHERE tenant = ?";
        let spent: Option<i64> = sqlx::query_scalar(query)
            .bind(tenant.to_string())
            .fetch_optional(self.readers())
            .await?;
        Ok(spent.unwrap_or_default())
    }

    /// What is spent of a recipient's limits, and the name by which [`Spending`] calls that recipient.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn recipient_spent(
        &self,
        tenant: &TenantId,
        channel: Channel,
        recipient: &str,
    ) -> Result<(RecipientName, [i64; 3]), StoreError> {
        let key = self.data_key(tenant).await?;
        let mac = key.mac(&[
            b"recipient",
            channel.as_str().as_bytes(),
            recipient.as_bytes(),
        ]);
        let mut name = [0; NAME];
        for (to, from) in name.iter_mut().zip(mac) {
            *to = from;
        }
        let query =
            "SELECT interval, hour, day FROM recipient_spent WHERE tenant = ? AND recipient = ?";
        let row = sqlx::query(query)
            .bind(tenant.to_string())
            .bind(name.to_vec())
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else {
            return Ok((name, [0; 3]));
        };
        let spent = [
            row.try_get("interval")?,
            row.try_get("hour")?,
            row.try_get("day")?,
        ];
        Ok((name, spent))
    }

    /// Deletes what has come back in full.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_spent(&self, now: Timestamp) -> Result<(), StoreError> {
        let now = now.as_millis().saturating_mul(1_000);
        loop {
            let some = self
                .writer()
                .write(move |db| Box::pin(forget_some(db, now)))
                .await?;
            if some == 0 {
                return Ok(());
            }
        }
    }
}

async fn forget_some(db: &mut SqliteConnection, now: i64) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM recipient_spent WHERE (tenant, recipient) IN \
         (SELECT tenant, recipient FROM recipient_spent WHERE full_at <= ? LIMIT ?)",
    )
    .bind(now)
    .bind(AT_ONCE)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Writes what a message of the tenant has spent. What is there is never lowered: transactions may come in another
/// order than the messages.
pub(super) async fn write(
    db: &mut SqliteConnection,
    tenant: &str,
    spending: &Spending,
) -> Result<(), StoreError> {
    if let Some(day) = spending.messages_day {
        sqlx::query(
            "INSERT INTO tenant_spent (tenant, messages_day) VALUES (?1, ?2) \
             ON CONFLICT (tenant) DO UPDATE SET messages_day = max(messages_day, ?2)",
        )
        .bind(tenant.to_owned())
        .bind(day)
        .execute(&mut *db)
        .await?;
    }
    if let Some((name, spent)) = &spending.recipient {
        sqlx::query(
            "INSERT INTO recipient_spent (tenant, recipient, interval, hour, day, full_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, max(?3, ?4, ?5)) \
             ON CONFLICT (tenant, recipient) DO UPDATE SET interval = max(interval, ?3), \
               hour = max(hour, ?4), day = max(day, ?5), full_at = max(full_at, ?3, ?4, ?5)",
        )
        .bind(tenant.to_owned())
        .bind(name.to_vec())
        .bind(spent[0])
        .bind(spent[1])
        .bind(spent[2])
        .execute(db)
        .await?;
    }
    Ok(())
}
