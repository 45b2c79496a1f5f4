//! A message as its row holds it: what must be kept from eyes is sealed.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::StoreError;
use crate::attempt::MessageState;
use crate::id::{MessageId, TenantId};
use crate::message::{Channel, Message, Origin, Payload, Recipient, UsageType};
use crate::secret::DataKey;
use crate::time::Timestamp;

/// The sealed part of a message.
#[derive(Serialize, Deserialize)]
struct Private<'a> {
    to: std::borrow::Cow<'a, str>,
    payload: std::borrow::Cow<'a, str>,
    locale: Option<String>,
    client_ip: Option<IpAddr>,
    idempotency_key: Option<String>,
}

/// Where a message's sealed part belongs.
pub(super) fn place(tenant: &str, id: MessageId) -> String {
    format!("tenant/{tenant}/message/{id}")
}

pub(super) fn seal(key: &DataKey, message: &Message) -> Result<Vec<u8>, StoreError> {
    let private = Private {
        to: message.recipient.expose().into(),
        payload: message.payload.expose().into(),
        locale: message.locale.clone(),
        client_ip: message.client_ip,
        idempotency_key: message.idempotency_key.clone(),
    };
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&private)?);
    Ok(key.seal(&place(message.tenant.as_str(), message.id), &plain)?)
}

/// Seals a message anew that an earlier generation of `key` sealed. Answers whether one had.
pub(super) async fn seal_anew(
    db: &mut SqliteConnection,
    key: &DataKey,
    tenant: &str,
    id: &[u8],
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT id, sealed FROM message \
         WHERE tenant = ? AND id = ? AND key_generation < ? AND sealed IS NOT NULL",
    )
    .bind(tenant.to_owned())
    .bind(id.to_vec())
    .bind(key.generation())
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let place = place(tenant, message_id(&row)?);
    sqlx::query("UPDATE message SET sealed = ?, key_generation = ? WHERE tenant = ? AND id = ?")
        .bind(key.seal_anew(&place, row.try_get("sealed")?)?)
        .bind(key.generation())
        .bind(tenant.to_owned())
        .bind(id.to_vec())
        .execute(db)
        .await?;
    Ok(true)
}

/// The message of a row that a claim answers.
pub(super) fn message(key: &DataKey, row: &SqliteRow) -> Result<Message, StoreError> {
    let tenant: TenantId = parsed(row, "tenant")?;
    let id = message_id(row)?;
    let channel = channel(row)?;
    let sealed: &[u8] = row.try_get("sealed")?;
    let plain = key.open(&place(tenant.as_str(), id), sealed)?;
    let private: Private<'_> = serde_json::from_slice(&plain)?;
    Ok(Message {
        recipient: Recipient::parse(channel, &private.to).map_err(StoreError::corrupt)?,
        usage_type: usage_type(row)?,
        payload: Payload::from_stored(private.payload.into_owned()),
        locale: private.locale,
        client_ip: private.client_ip,
        idempotency_key: private.idempotency_key,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        origin: origin(row)?,
        tenant,
        id,
        channel,
    })
}

pub(super) fn message_id(row: &SqliteRow) -> Result<MessageId, StoreError> {
    let bytes: &[u8] = row.try_get("id")?;
    let bytes = bytes.try_into().map_err(StoreError::corrupt)?;
    Ok(MessageId::from_bytes(bytes))
}

pub(super) fn state(row: &SqliteRow) -> Result<MessageState, StoreError> {
    let word: &str = row.try_get("state")?;
    MessageState::parse(word).ok_or_else(|| StoreError::corrupt("state"))
}

pub(super) fn origin(row: &SqliteRow) -> Result<Origin, StoreError> {
    let word: &str = row.try_get("origin")?;
    Origin::parse(word).ok_or_else(|| StoreError::corrupt("origin"))
}

pub(super) fn channel(row: &SqliteRow) -> Result<Channel, StoreError> {
    let word: &str = row.try_get("channel")?;
    Channel::parse(word).ok_or_else(|| StoreError::corrupt("channel"))
}

pub(super) fn usage_type(row: &SqliteRow) -> Result<UsageType, StoreError> {
    let word: &str = row.try_get("usage_type")?;
    UsageType::parse(word).map_err(StoreError::corrupt)
}

pub(super) fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

/// A text column as a word of ours.
pub(super) fn parsed<T>(row: &SqliteRow, column: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr<Err: ToString>,
{
    let text: &str = row.try_get(column)?;
    text.parse().map_err(StoreError::corrupt)
}

/// A JSON column that may be NULL.
pub(super) fn json<T>(row: &SqliteRow, column: &str) -> Result<Option<T>, StoreError>
where
    T: serde::de::DeserializeOwned,
{
    let text: Option<&str> = row.try_get(column)?;
    Ok(text.map(serde_json::from_str).transpose()?)
}

/// The JSON of each row's column `record`.
pub(super) fn records<T>(rows: &[SqliteRow]) -> Result<Vec<T>, StoreError>
where
    T: serde::de::DeserializeOwned,
{
    rows.iter()
        .map(|row| {
            let text: &str = row.try_get("record")?;
            Ok(serde_json::from_str(text)?)
        })
        .collect()
}
