//! The layout before data keys, in which the one sealing key sealed every record: found at the start and
//! sealed anew, as one change together with the first data keys.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::accept::KEY_LIFE;
use super::data_keys::{find_or_make, insert_mac_alone, mac_alone, owner};
use super::{StoreError, bound, row};
use crate::secret::{DataKey, KeyBytes, KeyRing, MacKey};
use crate::time::Timestamp;

/// Owner of the key that idempotency keys of that layout were made with.
pub(super) const OWNER: &str = "before";
/// Where that layout kept a known text, sealed: it told the right key from a wrong one.
const CHECK: &str = "store/key-check";
/// Messages read at once.
const PAGE: i64 = 500;

/// Refuses a file of that layout before anything is written to it, where no key of the ring opens it.
pub(super) async fn check(db: &mut SqliteConnection, ring: &KeyRing) -> Result<(), StoreError> {
    let known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta')",
    )
    .fetch_one(&mut *db)
    .await?;
    match known {
        true => sealed_by(db, ring).await.map(drop),
        false => Ok(()),
    }
}

/// The key that seals the records of a file in that layout, with the bytes of its MAC key.
async fn sealed_by(
    db: &mut SqliteConnection,
    ring: &KeyRing,
) -> Result<Option<(DataKey, KeyBytes)>, StoreError> {
    let check: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'key'")
        .fetch_optional(db)
        .await?;
    let Some(check) = check else { return Ok(None) };
    let found = ring.from_before(CHECK, &check);
    found.map(Some).map_err(|_| StoreError::WrongKey)
}

/// Seals every record of that layout anew.
pub(super) async fn upgrade(db: &mut SqliteConnection, ring: &KeyRing) -> Result<(), StoreError> {
    let Some((old, mac)) = sealed_by(db, ring).await? else {
        return Ok(());
    };
    tracing::info!("sealing the records anew, with a data key for each tenant");
    let tenants: Vec<String> =
        sqlx::query_scalar("SELECT tenant FROM message UNION SELECT tenant FROM integration")
            .fetch_all(&mut *db)
            .await?;
    for tenant in tenants {
        let new = find_or_make(db, ring, &owner(&tenant)).await?;
        reseal_integrations(db, &tenant, &old, &new).await?;
        reseal_messages(db, &tenant, &old, &new).await?;
    }
    // A caller may repeat itself with the same idempotency key for a while.
    let newest: Option<i64> =
        sqlx::query_scalar("SELECT max(created_at) FROM message WHERE idempotency_key IS NOT NULL")
            .fetch_one(&mut *db)
            .await?;
    if let Some(newest) = newest {
        let until = Timestamp::from_millis(newest).after(KEY_LIFE);
        insert_mac_alone(db, ring, OWNER, &mac, until).await?;
    }
    sqlx::query("DELETE FROM meta WHERE name = 'key'")
        .execute(db)
        .await?;
    Ok(())
}

async fn reseal_integrations(
    db: &mut SqliteConnection,
    tenant: &str,
    old: &DataKey,
    new: &DataKey,
) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT tenant, id, secrets FROM integration WHERE tenant = ?")
        .bind(tenant.to_owned())
        .fetch_all(&mut *db)
        .await?;
    for row in rows {
        let place = bound::unbound_place(&row::parsed(&row, "tenant")?, &row::parsed(&row, "id")?);
        let plain = old.open(&place, row.try_get("secrets")?)?;
        sqlx::query("UPDATE integration SET secrets = ? WHERE tenant = ? AND id = ?")
            .bind(new.seal(&place, &plain)?)
            .bind(tenant.to_owned())
            .bind(row.try_get::<String, _>("id")?)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// A message that does not open is left as it is: its claim finds that out, as it always did.
async fn reseal_messages(
    db: &mut SqliteConnection,
    tenant: &str,
    old: &DataKey,
    new: &DataKey,
) -> Result<(), StoreError> {
    let mut last: Vec<u8> = Vec::new();
    loop {
        let rows: Vec<SqliteRow> = sqlx::query(
            "SELECT id, sealed FROM message WHERE tenant = ? AND id > ? AND sealed IS NOT NULL \
             ORDER BY id LIMIT ?",
        )
        .bind(tenant.to_owned())
        .bind(last.clone())
        .bind(PAGE)
        .fetch_all(&mut *db)
        .await?;
        for row in &rows {
            last = row.try_get("id")?;
            let place = row::place(tenant, row::message_id(row)?);
            let Ok(plain) = old.open(&place, row.try_get("sealed")?) else {
                continue;
            };
            sqlx::query("UPDATE message SET sealed = ? WHERE tenant = ? AND id = ?")
                .bind(new.seal(&place, &plain)?)
                .bind(tenant.to_owned())
                .bind(last.clone())
                .execute(&mut *db)
                .await?;
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// The key of that layout's idempotency keys, and until when one of them matters.
pub(super) async fn key(
    db: &mut SqliteConnection,
    ring: &KeyRing,
) -> Result<Option<(MacKey, Timestamp)>, StoreError> {
    let query = "SELECT purpose, wrapped_by, wrapped, until FROM data_key WHERE owner = ?";
    let row = sqlx::query(query).bind(OWNER).fetch_optional(db).await?;
    let Some(row) = row else { return Ok(None) };
    let key = mac_alone(ring, OWNER, &row)?;
    Ok(Some((key, row::time(&row, "until")?)))
}

/// Drops that key when its time is over, and with it what was made with it.
pub(super) async fn forget(db: &mut SqliteConnection, now: Timestamp) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM data_key WHERE owner = ? AND until <= ?")
        .bind(OWNER)
        .bind(now.as_millis())
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 1 {
        let life = i64::try_from(KEY_LIFE.as_millis()).unwrap_or(i64::MAX);
        sqlx::query(
            "UPDATE message SET idempotency_key = NULL, request_mac = NULL \
             WHERE idempotency_key IS NOT NULL AND created_at <= ?",
        )
        .bind(now.as_millis().saturating_sub(life))
        .execute(db)
        .await?;
    }
    Ok(())
}
