//! Looking messages up: everything but their payload.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::{Store, StoreError, row};
use crate::attempt::{Attempt, AttemptStart, MessageState};
use crate::id::{MessageId, TenantId};
use crate::message::{Channel, UsageType};
use crate::outcome::Failure;
use crate::time::Timestamp;

/// Messages on a page, at most.
const PAGE_MAX: usize = 200;

/// A message as the store tells of it.
#[derive(Clone, Debug, Serialize)]
pub struct StoredMessage {
    /// Its identifier.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it travels by.
    pub channel: Channel,
    /// Whom it is for, masked: `f…@logto.io`.
    pub recipient: String,
    /// What it is for.
    pub usage_type: UsageType,
    /// Where it stands.
    pub state: MessageState,
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
    /// Why it waits or ended without an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Failure>,
    /// The finished attempts in order.
    pub attempts: Vec<Attempt>,
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
    pub items: Vec<T>,
    /// The cursor of the next part; none at the end.
    pub next: Option<MessageId>,
}

const COLUMNS: &str = "SELECT tenant, id, channel, recipient, usage_type, state, possible_duplicate, \
     created_at, updated_at, expires_at, due_at, armed, reason FROM message WHERE tenant = ";

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
        query.push_bind(tenant.as_str().to_owned());
        query.push(" AND id = ").push_bind(id.as_bytes().to_vec());
        Ok(self.stored(tenant, query).await?.pop())
    }

    /// A tenant's messages, the newest first, from the one after `cursor` on; at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn messages(
        &self,
        tenant: &TenantId,
        filter: MessageFilter,
        cursor: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<StoredMessage>, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut query = QueryBuilder::new(COLUMNS);
        query.push_bind(tenant.as_str().to_owned());
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
            .push_bind(i64::try_from(limit + 1).unwrap_or(i64::MAX));
        let mut items = self.stored(tenant, query).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|message| message.id);
        Ok(Page { items, next })
    }

    async fn stored(
        &self,
        tenant: &TenantId,
        mut query: QueryBuilder<Sqlite>,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        // One transaction: a message and its attempts must be of the same moment.
        let mut db = self.readers().begin().await?;
        let rows = query.build().fetch_all(&mut *db).await?;
        let mut messages = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        if messages.is_empty() {
            return Ok(messages);
        }
        let mut query = QueryBuilder::new("SELECT id, record FROM attempt WHERE tenant = ");
        query.push_bind(tenant.as_str().to_owned());
        query.push(" AND id IN (");
        let mut ids = query.separated(", ");
        for message in &messages {
            ids.push_bind(message.id.as_bytes().to_vec());
        }
        query.push(") ORDER BY id, number");
        let mut attempts: HashMap<MessageId, Vec<Attempt>> = HashMap::new();
        for row in query.build().fetch_all(&mut *db).await? {
            let record: &str = row.try_get("record")?;
            attempts
                .entry(row::message_id(&row)?)
                .or_default()
                .push(serde_json::from_str(record)?);
        }
        for message in &mut messages {
            message.attempts = attempts.remove(&message.id).unwrap_or_default();
        }
        Ok(messages)
    }
}

fn stored(row: &SqliteRow) -> Result<StoredMessage, StoreError> {
    let word: &str = row.try_get("state")?;
    let state = MessageState::parse(word).ok_or_else(|| StoreError::corrupt("state"))?;
    let due_at: Option<i64> = row.try_get("due_at")?;
    let waits = matches!(state, MessageState::Accepted | MessageState::Waiting);
    Ok(StoredMessage {
        id: row::message_id(row)?,
        tenant: row::parsed(row, "tenant")?,
        channel: row::channel(row)?,
        recipient: row.try_get("recipient")?,
        usage_type: row::usage_type(row)?,
        state,
        possible_duplicate: row.try_get("possible_duplicate")?,
        created_at: row::time(row, "created_at")?,
        updated_at: row::time(row, "updated_at")?,
        expires_at: row::time(row, "expires_at")?,
        next_attempt_at: due_at.filter(|_| waits).map(Timestamp::from_millis),
        armed: row::json(row, "armed")?.filter(|_| state == MessageState::Sending),
        reason: row::json(row, "reason")?,
        attempts: Vec::new(),
    })
}
