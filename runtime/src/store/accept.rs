//! Accepting: idempotency key, message and first claim in one transaction.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Row, SqliteConnection, SqliteExecutor};

use super::claim::{Claim, Lease};
use super::spent::{self, Spending};
use super::{Store, StoreError, row};
use crate::attempt::MessageState;
use crate::fault;
use crate::id::{MessageId, TenantId};
use crate::message::Message;
use crate::secret::{DataKey, MacKey};
use crate::time::Timestamp;

/// How long an idempotency key is remembered.
pub const KEY_LIFE: Duration = Duration::from_hours(24);

/// What became of a message that was handed in.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once for a message and taken apart at once"
)]
pub enum Accepted {
    /// It is durable; claimed for the caller, if that was asked for.
    New(Option<Claim>),
    /// The same message came with the same key before: nothing was written.
    Replayed(MessageId),
    /// Another message came with the same key before: nothing was written.
    Conflict,
}

/// A message ready to be inserted.
pub(super) struct NewRow {
    tenant: String,
    id: [u8; 16],
    origin: &'static str,
    channel: &'static str,
    masked: String,
    usage_type: &'static str,
    created_at: Timestamp,
    expires_at: Timestamp,
    key: Option<Key>,
    /// The same key as the layout before data keys has it.
    before: Option<Key>,
    sealed: Vec<u8>,
    /// The data key's that sealed it.
    key_generation: i64,
    lease_until: Option<Timestamp>,
    spending: Spending,
}

impl NewRow {
    /// Seals it anew where its key was renewed since.
    fn seal_with(&mut self, before: &DataKey, own: &DataKey) -> Result<(), StoreError> {
        if self.key_generation != own.generation() {
            let place = row::place(&self.tenant, MessageId::from_bytes(self.id));
            self.sealed = own.seal(&place, &before.open(&place, &self.sealed)?)?;
            self.key_generation = own.generation();
        }
        Ok(())
    }
}

struct Key {
    name: Vec<u8>,
    request: Vec<u8>,
    /// The same with recipient and payload as they were written, where that differs: versions before this one compared so.
    written: Vec<Vec<u8>>,
}

impl Key {
    /// The MACs of a message's idempotency key and of what it asks for.
    fn of(message: &Message, key: &MacKey) -> Option<Self> {
        let name = message.idempotency_key.as_ref()?;
        let (recipient, payload) = (message.recipient.canonical(), message.payload.canonical());
        let (spelled, text) = (message.recipient.expose(), message.payload.expose());
        let mut written = Vec::new();
        if text != payload {
            written.push(request_mac(key, message, &recipient, text));
        }
        if spelled != recipient {
            written.push(request_mac(key, message, spelled, text));
        }
        Some(Self {
            name: key.mac(&[b"idempotency-key", name.as_bytes()]).to_vec(),
            request: request_mac(key, message, &recipient, &payload),
            written,
        })
    }
}

/// Tells one request from another. Keyed, because a plain hash of a six-digit code can be guessed.
fn request_mac(key: &MacKey, message: &Message, recipient: &str, payload: &str) -> Vec<u8> {
    let ip = message.client_ip.map(|ip| ip.to_string());
    let parts = [
        "request",
        message.channel.as_str(),
        recipient,
        message.usage_type.as_str(),
        payload,
        message.locale.as_deref().unwrap_or_default(),
        ip.as_deref().unwrap_or_default(),
    ];
    key.mac(&parts.map(str::as_bytes)).to_vec()
}

pub(super) enum Inserted {
    New,
    Earlier(SameKey),
}

/// What the message with the same key was.
pub(super) enum SameKey {
    Replayed(MessageId),
    Conflict,
}

impl From<SameKey> for Accepted {
    fn from(earlier: SameKey) -> Self {
        match earlier {
            SameKey::Replayed(id) => Self::Replayed(id),
            SameKey::Conflict => Self::Conflict,
        }
    }
}

impl Store {
    /// Makes a message durable. With a lease, a new one is handed to the caller as claimed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the message was not accepted. [`StoreError::Missing`] where its tenant was
    /// deleted meanwhile.
    pub async fn accept(
        &self,
        message: &Message,
        lease: Option<Lease>,
    ) -> Result<Accepted, StoreError> {
        self.accept_counted(message, lease, Spending::default())
            .await
    }

    /// The same with what the message spends of limits: written with it, and only where it is new.
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub async fn accept_counted(
        &self,
        message: &Message,
        lease: Option<Lease>,
        spending: Spending,
    ) -> Result<Accepted, StoreError> {
        // A message that is late already waits for `expire`.
        let lease = lease.filter(|lease| lease.now < message.expires_at);
        let key = self.data_key(&message.tenant).await?;
        let row = self.new_row(message, lease, &key, spending)?;
        let inserted = self.insert(&message.tenant, key, row).await?;
        fault::pass("accept.committed");
        Ok(match inserted {
            Inserted::New => Accepted::New(lease.map(|lease| Claim {
                message: message.clone(),
                attempt: 1,
                fence: 1,
                lease_until: lease.until,
                possible_duplicate: false,
                interrupted: None,
            })),
            Inserted::Earlier(earlier) => earlier.into(),
        })
    }

    /// Inserts what was sealed with `key`.
    pub(super) async fn insert(
        &self,
        tenant: &TenantId,
        key: Arc<DataKey>,
        mut row: NewRow,
    ) -> Result<Inserted, StoreError> {
        let (inner, tenant) = (Arc::clone(&self.inner), tenant.clone());
        self.writer()
            .write_or_shed(move |db| {
                Box::pin(async move {
                    // Deletions and renewals come by the same writer: the key that is there stays until this is
                    // committed.
                    let own = inner.keys.in_turn(db, &tenant, &key).await?;
                    row.seal_with(&key, &own)?;
                    insert(db, row).await
                })
            })
            .await
    }

    /// What became of the same idempotency key before: [`Accepted::Replayed`] or [`Accepted::Conflict`], or
    /// nothing where the message has none or is the first with it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn earlier(&self, message: &Message) -> Result<Option<Accepted>, StoreError> {
        if message.idempotency_key.is_none() {
            return Ok(None);
        }
        let seal = self.data_key(&message.tenant).await?;
        let keys = [self.key_before(message), Key::of(message, seal.mac_key())];
        for key in keys.into_iter().flatten() {
            let earlier = find(self.readers(), message.tenant.as_str(), &key).await?;
            if let Some(earlier) = earlier.filter(|one| !one.forgotten(message.created_at)) {
                return Ok(Some(earlier.against(&key).into()));
            }
        }
        Ok(None)
    }

    fn key_before(&self, message: &Message) -> Option<Key> {
        let before = self.inner.keys.before.as_ref();
        let (key, _) = before.filter(|(_, until)| message.created_at < *until)?;
        Key::of(message, key)
    }

    pub(super) fn new_row(
        &self,
        message: &Message,
        lease: Option<Lease>,
        seal: &DataKey,
        spending: Spending,
    ) -> Result<NewRow, StoreError> {
        Ok(NewRow {
            tenant: message.tenant.as_str().to_owned(),
            id: *message.id.as_bytes(),
            origin: message.origin.as_str(),
            channel: message.channel.as_str(),
            masked: message.recipient.masked(),
            usage_type: message.usage_type.as_str(),
            created_at: message.created_at,
            expires_at: message.expires_at,
            key: Key::of(message, seal.mac_key()),
            before: self.key_before(message),
            sealed: row::seal(seal, message)?,
            key_generation: seal.generation(),
            lease_until: lease.map(|lease| lease.until),
            spending,
        })
    }
}

async fn insert(db: &mut SqliteConnection, row: NewRow) -> Result<Inserted, StoreError> {
    let inserted = insert_row(&mut *db, &row).await?;
    if matches!(inserted, Inserted::New) {
        spent::write(db, &row.tenant, &row.spending).await?;
    }
    Ok(inserted)
}

async fn insert_row(db: &mut SqliteConnection, row: &NewRow) -> Result<Inserted, StoreError> {
    if let Some(key) = &row.before
        && let Some(earlier) = find(&mut *db, &row.tenant, key).await?
        && !earlier.forgotten(row.created_at)
    {
        return Ok(Inserted::Earlier(earlier.against(key)));
    }
    if try_insert(db, row).await? {
        fault::pass("accept.written");
        return Ok(Inserted::New);
    }
    let Some(key) = &row.key else {
        return Err(StoreError::corrupt("two messages with one id"));
    };
    let earlier = find(&mut *db, &row.tenant, key).await?;
    let earlier = earlier.ok_or_else(|| StoreError::corrupt("two messages with one id"))?;
    if !earlier.forgotten(row.created_at) {
        return Ok(Inserted::Earlier(earlier.against(key)));
    }
    sqlx::query("UPDATE message SET idempotency_key = NULL, request_mac = NULL WHERE tenant = ? AND idempotency_key = ?")
        .bind(&row.tenant)
        .bind(&key.name)
        .execute(&mut *db)
        .await?;
    try_insert(db, row).await?;
    Ok(Inserted::New)
}

/// The message that came with the same key.
struct Earlier {
    id: MessageId,
    request: Vec<u8>,
    created_at: Timestamp,
}

impl Earlier {
    fn forgotten(&self, now: Timestamp) -> bool {
        self.created_at.after(KEY_LIFE) <= now
    }

    fn against(self, key: &Key) -> SameKey {
        if self.request == key.request || key.written.contains(&self.request) {
            SameKey::Replayed(self.id)
        } else {
            SameKey::Conflict
        }
    }
}

async fn find(
    db: impl SqliteExecutor<'_>,
    tenant: &str,
    key: &Key,
) -> Result<Option<Earlier>, StoreError> {
    let row = sqlx::query(
        "SELECT id, request_mac, created_at FROM message WHERE tenant = ? AND idempotency_key = ?",
    )
    .bind(tenant)
    .bind(&key.name)
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Earlier {
        id: row::message_id(&row)?,
        request: row.try_get("request_mac")?,
        created_at: row::time(&row, "created_at")?,
    }))
}

/// Whether the row is new: neither its id nor its key was there.
async fn try_insert(db: &mut SqliteConnection, row: &NewRow) -> Result<bool, StoreError> {
    let claimed = row.lease_until.is_some();
    let state = if claimed {
        MessageState::Sending
    } else {
        MessageState::Accepted
    };
    let due_at = row
        .lease_until
        .unwrap_or(row.created_at.min(row.expires_at));
    let done = sqlx::query(
        "INSERT INTO message (tenant, id, origin, channel, recipient, usage_type, state, created_at, updated_at, \
         expires_at, due_at, fence, idempotency_key, request_mac, sealed, key_generation) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING",
    )
    .bind(row.tenant.clone())
    .bind(row.id.to_vec())
    .bind(row.origin)
    .bind(row.channel)
    .bind(row.masked.clone())
    .bind(row.usage_type)
    .bind(state.as_str())
    .bind(row.created_at.as_millis())
    .bind(row.expires_at.as_millis())
    .bind(due_at.as_millis())
    .bind(i64::from(claimed))
    .bind(row.key.as_ref().map(|key| key.name.clone()))
    .bind(row.key.as_ref().map(|key| key.request.clone()))
    .bind(row.sealed.clone())
    .bind(row.key_generation)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Channel, Origin, Payload, Recipient, UsageType};

    fn message(to: &str, payload: &str) -> Message {
        Message {
            id: MessageId::generate(),
            tenant: "acme".parse().unwrap(),
            origin: Origin::Api,
            channel: Channel::Email,
            recipient: Recipient::parse(Channel::Email, to).unwrap(),
            usage_type: UsageType::SignIn,
            payload: Payload::from_stored(payload.to_owned()),
            locale: None,
            client_ip: None,
            idempotency_key: Some("login".to_owned()),
            created_at: Timestamp::default(),
            expires_at: Timestamp::default(),
        }
    }

    #[test]
    fn what_earlier_versions_kept_of_a_request_is_still_the_same_request() {
        let key = MacKey::of(&[7; 32]);
        let again = message("ann@Example.com", r#"{"code": "1", "a": 2}"#);
        let own = Key::of(&again, &key).unwrap();
        let text = again.payload.expose();
        let kept = |recipient: &str, payload: &str| Earlier {
            id: again.id,
            request: request_mac(&key, &again, recipient, payload),
            created_at: again.created_at,
        };
        for (recipient, payload) in [
            ("ann@Example.com", text),
            ("ann@example.com", text),
            ("ann@example.com", r#"{"a":2,"code":"1"}"#),
        ] {
            let answer = kept(recipient, payload).against(&own);
            assert!(
                matches!(answer, SameKey::Replayed(_)),
                "{recipient} {payload}"
            );
        }
        let other = kept("ann@example.com", r#"{"code": "2", "a": 2}"#);
        assert!(matches!(other.against(&own), SameKey::Conflict));
    }
}
