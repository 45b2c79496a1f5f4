//! Queues: each tenant's messages of a channel, which of them have something to claim, and how much of each fits.

use std::collections::HashMap;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, row};
use crate::id::{MessageId, TenantId};
use crate::message::{Channel, Message};
use crate::time::Timestamp;

/// A tenant's messages of one channel: they wait for each other, and for nobody else's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Queue {
    /// Whose.
    pub tenant: TenantId,
    /// By which they travel.
    pub channel: Channel,
}

impl Queue {
    /// That of a message.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        Self {
            tenant: message.tenant.clone(),
            channel: message.channel,
        }
    }

    /// Its name in a list.
    fn name(&self) -> String {
        format!("{}/{}", self.tenant, self.channel.as_str())
    }
}

/// How many messages may be claimed of each queue.
#[derive(Clone, Debug)]
pub struct Room {
    /// Of a queue that is not named.
    pub each: usize,
    /// Of those that are.
    pub of: HashMap<Queue, usize>,
    /// Messages that stay with whoever is about to record what came of them, however long ago their leases ended.
    pub kept: Vec<MessageId>,
}

impl Default for Room {
    /// Any number.
    fn default() -> Self {
        Self {
            each: usize::MAX,
            of: HashMap::new(),
            kept: Vec::new(),
        }
    }
}

impl Room {
    pub(super) fn for_queue(&self, queue: &Queue) -> usize {
        self.of.get(queue).copied().unwrap_or(self.each)
    }

    /// JSON array of the names of queues without room.
    pub(super) fn full(&self) -> Result<String, StoreError> {
        let full = self.of.iter().filter(|(_, room)| **room == 0);
        let names: Vec<_> = full.map(|(queue, _)| queue.name()).collect();
        Ok(serde_json::to_string(&names)?)
    }
}

/// A statement over the queues of tenants after `?1`, in order of their names.
///
/// Steps from tenant to tenant in the index: the cost grows with tenants, never with their queues.
macro_rules! over_queues {
    ($statement:literal) => {
        concat!(
            "WITH RECURSIVE open (tenant) AS (\
               SELECT (SELECT tenant FROM message INDEXED BY message_due \
                 WHERE due_at IS NOT NULL AND tenant > ?1 ORDER BY tenant LIMIT 1) \
               UNION ALL \
               SELECT (SELECT m.tenant FROM message m INDEXED BY message_due \
                 WHERE m.due_at IS NOT NULL AND m.tenant > open.tenant ORDER BY m.tenant LIMIT 1) \
               FROM open WHERE open.tenant IS NOT NULL), \
             queue (tenant, channel, name) AS (\
               SELECT tenant, column1, tenant || '/' || column1 \
               FROM open, (VALUES ('email'), ('sms')) WHERE tenant IS NOT NULL) ",
            $statement
        )
    };
}

/// When something of a queue with room is due.
const NEXT: &str = over_queues!(
    "SELECT min((SELECT m.due_at FROM message m INDEXED BY message_due \
       WHERE m.tenant = queue.tenant AND m.channel = queue.channel AND m.due_at IS NOT NULL \
       ORDER BY m.due_at LIMIT 1)) \
     FROM queue WHERE name NOT IN (SELECT value FROM json_each(?2))"
);

/// The queues with something to claim.
const CLAIMABLE: &str = over_queues!(
    "SELECT tenant, channel FROM queue \
     WHERE name NOT IN (SELECT value FROM json_each(?2)) AND EXISTS (\
       SELECT 1 FROM message m INDEXED BY message_due \
       WHERE m.tenant = queue.tenant AND m.channel = queue.channel \
         AND m.due_at <= ?3 AND m.expires_at > ?3) LIMIT ?4"
);

impl Store {
    /// The earliest time at which a message of a queue with room is due or expires, or its lease lapses: `now`
    /// where that has come already.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_due(
        &self,
        now: Timestamp,
        room: &Room,
    ) -> Result<Option<Timestamp>, StoreError> {
        let due: Option<i64> = sqlx::query_scalar(NEXT)
            .bind("")
            .bind(room.full()?)
            .fetch_one(self.readers())
            .await?;
        Ok(due.map(|due| Timestamp::from_millis(due).max(now)))
    }
}

/// Up to `max` queues with something to claim, of tenants after the one named; those in `full` aside.
pub(super) async fn claimable(
    db: &mut SqliteConnection,
    full: &str,
    now: Timestamp,
    after: &str,
    max: usize,
) -> Result<Vec<Queue>, StoreError> {
    let rows = sqlx::query(CLAIMABLE)
        .bind(after.to_owned())
        .bind(full.to_owned())
        .bind(now.as_millis())
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await?;
    let queue = |row: &SqliteRow| {
        Ok(Queue {
            tenant: row::parsed(row, "tenant")?,
            channel: row::channel(row)?,
        })
    };
    rows.iter().map(queue).collect()
}

/// JSON array of ids, as `hex` writes them.
pub(super) fn ids(ids: &[MessageId]) -> Result<String, StoreError> {
    let hex = |id: &MessageId| id.as_bytes().map(|byte| format!("{byte:02X}")).concat();
    Ok(serde_json::to_string(
        &ids.iter().map(hex).collect::<Vec<_>>(),
    )?)
}
