//! Looking messages up: everything but their payload.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};

use super::{Store, StoreError, row};
use crate::attempt::{Attempt, AttemptStart, MessageState};
use crate::id::{MessageId, TenantId};
use crate::message::{Channel, Origin, UsageType};
use crate::time::Timestamp;

/// A message as the store tells of it.
#[derive(Clone, Debug, Serialize)]
pub struct StoredMessage {
    /// Its identifier.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// How it came.
    pub origin: Origin,
    /// What it travels by.
    pub channel: Channel,
    /// Whom it is for, masked: `f…@logto.io`.
    pub recipient: String,
    /// What it is for.
    pub usage_type: UsageType,
    /// Where it stands.
    pub state: MessageState,
    /// How many attempts have ended.
    pub attempt_count: u32,
    /// Whether more than one attempt may have been accepted.
    pub possible_duplicate: bool,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// When it must not be sent any more.
    pub expires_at: Timestamp,
    /// When it is tried next; none while it is sent and in a final state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// The attempt under way, once it may have sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub armed: Option<AttemptStart>,
}

/// Which messages to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageFilter {
    /// Only in this state.
    pub state: Option<MessageState>,
    /// Only of this channel.
    pub channel: Option<Channel>,
}

/// A part of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The part.
    pub data: Vec<T>,
    /// The cursor of the next part; none at the end.
    pub next: Option<MessageId>,
}

const COLUMNS: &str = "SELECT tenant, id, origin, channel, recipient, usage_type, state, possible_duplicate, \
     created_at, updated_at, expires_at, due_at, attempts, armed FROM message WHERE tenant = ";

impl Store {
    /// A tenant's message.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn message(
        &self,
        tenant: &TenantId,
        id: MessageId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let mut query = QueryBuilder::new(COLUMNS);
        query.push_bind(tenant.to_string());
        query.push(" AND id = ").push_bind(id.as_bytes().to_vec());
        let row = query.build().fetch_optional(self.readers()).await?;
        row.map(|row| stored(&row)).transpose()
    }

    /// How many messages are not final, by channel and state.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn outbox(&self) -> Result<Vec<(Channel, MessageState, u64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT channel, state, COUNT(*) AS messages FROM message INDEXED BY message_due \
             WHERE due_at IS NOT NULL GROUP BY channel, state",
        )
        .fetch_all(self.readers())
        .await?;
        let count = |row: &SqliteRow| {
            let messages: i64 = row.try_get("messages")?;
            let messages = u64::try_from(messages).unwrap_or_default();
            Ok((row::channel(row)?, row::state(row)?, messages))
        };
        rows.iter().map(count).collect()
    }

    /// How many messages of a tenant are in the outbox, and the bytes that they hold sealed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn queued(&self, tenant: &TenantId) -> Result<(u64, u64), StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS messages, COALESCE(SUM(LENGTH(sealed)), 0) AS bytes \
             FROM message INDEXED BY message_due WHERE tenant = ? AND due_at IS NOT NULL",
        )
        .bind(tenant.as_str())
        .fetch_one(self.readers())
        .await?;
        let number = |name| {
            let number: i64 = row.try_get(name)?;
            Ok::<_, StoreError>(u64::try_from(number).unwrap_or_default())
        };
        Ok((number("messages")?, number("bytes")?))
    }

    /// A message's finished attempts in order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn attempts(&self, id: MessageId) -> Result<Vec<Attempt>, StoreError> {
        let rows = sqlx::query("SELECT record FROM attempt WHERE message = ? ORDER BY number")
            .bind(id.as_bytes().to_vec())
            .fetch_all(self.readers())
            .await?;
        row::records(&rows)
    }

    /// At most `limit` of a tenant's messages, the newest first, from the one after `cursor` on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn messages(
        &self,
        tenant: &TenantId,
        filter: &MessageFilter,
        cursor: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<StoredMessage>, StoreError> {
        let mut query = QueryBuilder::new(COLUMNS);
        query.push_bind(tenant.to_string());
        if let Some(cursor) = cursor {
            query
                .push(" AND id < ")
                .push_bind(cursor.as_bytes().to_vec());
        }
        if let Some(state) = filter.state {
            query.push(" AND state = ").push_bind(state.as_str());
        }
        if let Some(channel) = filter.channel {
            query.push(" AND channel = ").push_bind(channel.as_str());
        }
        // One more than asked for tells whether there is a next page.
        query
            .push(" ORDER BY id DESC LIMIT ")
            .push_bind(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX));
        let rows = query.build().fetch_all(self.readers()).await?;
        let mut data = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let more = data.len() > limit;
        data.truncate(limit);
        let next = data.last().filter(|_| more).map(|message| message.id);
        Ok(Page { data, next })
    }
}

fn stored(row: &SqliteRow) -> Result<StoredMessage, StoreError> {
    let state = row::state(row)?;
    let due_at: Option<i64> = row.try_get("due_at")?;
    let waits = matches!(state, MessageState::Accepted | MessageState::Waiting);
    Ok(StoredMessage {
        id: row::message_id(row)?,
        tenant: row::parsed(row, "tenant")?,
        origin: row::origin(row)?,
        channel: row::channel(row)?,
        recipient: row.try_get("recipient")?,
        usage_type: row::usage_type(row)?,
        state,
        attempt_count: row.try_get("attempts")?,
        possible_duplicate: row.try_get("possible_duplicate")?,
        created_at: row::time(row, "created_at")?,
        updated_at: row::time(row, "updated_at")?,
        expires_at: row::time(row, "expires_at")?,
        next_attempt_at: due_at.filter(|_| waits).map(Timestamp::from_millis),
        armed: row::json(row, "armed")?.filter(|_| state == MessageState::Sending),
    })
}
