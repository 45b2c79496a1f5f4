//! Looking messages up: everything but their payload.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};

use super::{Store, StoreError, row};
use crate::attempt::{Attempt, AttemptStart, MessageState};
use crate::id::{IntegrationId, MessageId, TenantId};
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
    /// The integration that it waits for without an attempt, because its provider is down and no other is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<IntegrationId>,
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
pub struct Page<T, C = String> {
    /// The part.
    pub data: Vec<T>,
    /// The cursor of the next part; none at the end.
    pub next: Option<C>,
}

const COLUMNS: &str = "tenant, id, origin, channel, recipient, usage_type, state, possible_duplicate, \
     created_at, updated_at, expires_at, due_at, attempts, armed, held_by";

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
        let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM message WHERE tenant = "));
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
    ) -> Result<Page<StoredMessage, MessageId>, StoreError> {
        // One more than asked for tells whether there is a next page.
        let rows = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let mut query = QueryBuilder::new("");
        for (index, part) in parts(filter).iter().enumerate() {
            query.push(if index == 0 { "" } else { " UNION ALL " });
            query.push(format!(
                "SELECT * FROM (SELECT {COLUMNS} FROM message {part} AND tenant = "
            ));
            query.push_bind(tenant.to_string());
            if let Some(cursor) = cursor {
                let cursor = cursor.as_bytes().to_vec();
                query.push(" AND id < ").push_bind(cursor);
            }
            query
                .push(" ORDER BY id DESC LIMIT ")
                .push_bind(rows)
                .push(")");
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(rows);
        let rows = query.build().fetch_all(self.readers()).await?;
        let mut data = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let more = data.len() > limit;
        data.truncate(limit);
        let next = data.last().filter(|_| more).map(|message| message.id);
        Ok(Page { data, next })
    }
}

/// What a list is put together of: each part is read in the order of an index, and no further than the page goes.
fn parts(filter: &MessageFilter) -> Vec<String> {
    if filter.state.is_none() && filter.channel.is_none() {
        return vec!["WHERE true".to_owned()];
    }
    let channels = filter
        .channel
        .map_or(vec![Channel::Email, Channel::Sms], |one| vec![one]);
    let states = MessageState::ALL.into_iter();
    let states = states.filter(|state| filter.state.is_none_or(|one| one == *state));
    let mut parts = Vec::new();
    let mut open = Vec::new();
    for state in states {
        let word = state.as_str();
        if !state.is_final() {
            open.push(format!("'{word}'"));
            continue;
        }
        parts.extend(channels.iter().map(|channel| {
            let channel = channel.as_str();
            format!(
                "INDEXED BY message_final WHERE due_at IS NULL AND state = '{word}' AND channel = '{channel}'"
            )
        }));
    }
    if !open.is_empty() {
        let words = channels
            .iter()
            .map(|channel| format!("'{}'", channel.as_str()));
        let (open, words) = (open.join(", "), words.collect::<Vec<_>>().join(", "));
        parts.push(format!(
            "INDEXED BY message_due WHERE due_at IS NOT NULL AND state IN ({open}) AND channel IN ({words})"
        ));
    }
    parts
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
        held_by: row
            .try_get::<Option<String>, _>("held_by")?
            .map(|id| id.parse().map_err(StoreError::corrupt))
            .transpose()?
            .filter(|_| waits),
        armed: row::json(row, "armed")?.filter(|_| state == MessageState::Sending),
    })
}
