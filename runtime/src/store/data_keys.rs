//! Data keys as their rows hold them: for each owner what authenticates, and each generation of what seals.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqliteExecutor};

use super::StoreError;
use crate::secret::{DataKey, FIRST, KeyBytes, KeyId, KeyRing, MacKey, WrappedKey};
use crate::time::Timestamp;

/// Owner of the host's own data key.
pub(super) const HOST: &str = "host";
/// Rows that one statement looks at, where they are wrapped anew or added to.
const AT_ONCE: i64 = 100;

/// What seals.
const SEAL: &str = "seal";
/// What authenticates.
const MAC: &str = "mac";

/// The owner that a tenant's data key has.
pub(super) fn owner(tenant: &str) -> String {
    format!("tenant/{tenant}")
}

/// What a key is wrapped for: one that seals never opens as one that authenticates.
fn place(owner: &str, purpose: &str) -> String {
    match purpose {
        MAC => format!("{owner}/mac"),
        _ => owner.to_owned(),
    }
}

/// The data key of an owner with all of its generations, if it has one.
pub(super) async fn find(
    db: impl SqliteExecutor<'_>,
    ring: &KeyRing,
    owner: &str,
) -> Result<Option<DataKey>, StoreError> {
    // The MAC key comes first, then the newest generation.
    let rows = sqlx::query(
        "SELECT purpose, generation, wrapped_by, wrapped FROM data_key WHERE owner = ? \
         ORDER BY purpose, generation DESC",
    )
    .bind(owner.to_owned())
    .fetch_all(db)
    .await?;
    let mut rows = rows.iter();
    let Some(mac) = rows.next() else {
        return Ok(None);
    };
    let mac = MacKey::of(&*unwrap(ring, owner, mac)?);
    let newest = rows
        .next()
        .ok_or_else(|| StoreError::corrupt("a data key that seals nothing"))?;
    let bytes = unwrap(ring, owner, newest)?;
    let mut key = DataKey::new(mac, newest.try_get("generation")?, &bytes)?;
    for row in rows {
        key = key.opening(row.try_get("generation")?, &*unwrap(ring, owner, row)?)?;
    }
    Ok(Some(key))
}

/// The data key of an owner; made where there is none.
pub(super) async fn find_or_make(
    db: &mut SqliteConnection,
    ring: &KeyRing,
    owner: &str,
) -> Result<DataKey, StoreError> {
    if let Some(key) = find(&mut *db, ring, owner).await? {
        return Ok(key);
    }
    let (mac, kept) = ring.new_key(&place(owner, MAC))?;
    insert_mac(db, owner, kept, None).await?;
    let (bytes, kept) = ring.new_key(&place(owner, SEAL))?;
    insert(db, (owner, SEAL, FIRST), kept, None, None).await?;
    Ok(DataKey::new(MacKey::of(&mac), FIRST, &bytes)?)
}

/// A MAC key of an owner that seals nothing, until its time is over.
pub(super) async fn insert_mac_alone(
    db: &mut SqliteConnection,
    ring: &KeyRing,
    owner: &str,
    bytes: &KeyBytes,
    until: Timestamp,
) -> Result<(), StoreError> {
    let kept = ring.wrap(&place(owner, MAC), bytes)?;
    insert_mac(db, owner, kept, Some(until.as_millis())).await
}

/// The MAC key of an owner that seals nothing.
pub(super) fn mac_alone(
    ring: &KeyRing,
    owner: &str,
    row: &SqliteRow,
) -> Result<MacKey, StoreError> {
    Ok(MacKey::of(&*unwrap(ring, owner, row)?))
}

/// Stores the MAC keys apart that until now followed from what seals. An owner that authenticates only keeps
/// nothing else.
pub(super) async fn part_mac_keys(
    db: &mut SqliteConnection,
    ring: &KeyRing,
    only: &str,
) -> Result<(), StoreError> {
    loop {
        let rows = sqlx::query(
            "SELECT owner, purpose, wrapped_by, wrapped, until FROM data_key d \
             WHERE purpose = 'seal' AND NOT EXISTS \
               (SELECT 1 FROM data_key m WHERE m.owner = d.owner AND m.purpose = 'mac') LIMIT ?",
        )
        .bind(AT_ONCE)
        .fetch_all(&mut *db)
        .await?;
        for row in &rows {
            let owner: &str = row.try_get("owner")?;
            let mac = MacKey::bytes_of(&*unwrap(ring, owner, row)?);
            let kept = ring.wrap(&place(owner, MAC), &mac)?;
            insert_mac(db, owner, kept, row.try_get("until")?).await?;
        }
        if rows.is_empty() {
            break;
        }
    }
    sqlx::query("DELETE FROM data_key WHERE owner = ? AND purpose = 'seal'")
        .bind(only.to_owned())
        .execute(db)
        .await?;
    Ok(())
}

async fn insert_mac(
    db: &mut SqliteConnection,
    owner: &str,
    wrapped: WrappedKey,
    until: Option<i64>,
) -> Result<(), StoreError> {
    insert(db, (owner, MAC, FIRST), wrapped, None, until).await
}

async fn insert(
    db: &mut SqliteConnection,
    (owner, purpose, generation): (&str, &'static str, i64),
    wrapped: WrappedKey,
    made_at: Option<Timestamp>,
    until: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO data_key (owner, purpose, generation, made_at, wrapped_by, wrapped, until) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(owner.to_owned())
    .bind(purpose)
    .bind(generation)
    .bind(made_at.map(Timestamp::as_millis))
    .bind(wrapped.by.as_str().to_owned())
    .bind(wrapped.bytes)
    .bind(until)
    .execute(db)
    .await?;
    Ok(())
}

fn unwrap(ring: &KeyRing, owner: &str, row: &SqliteRow) -> Result<KeyBytes, StoreError> {
    let purpose: &str = row.try_get("purpose")?;
    Ok(ring.unwrap(&place(owner, purpose), &wrapped(row)?)?)
}

fn wrapped(row: &SqliteRow) -> Result<WrappedKey, StoreError> {
    Ok(WrappedKey {
        by: KeyId::from_stored(row.try_get("wrapped_by")?),
        bytes: row.try_get("wrapped")?,
    })
}

/// Wraps some of the keys anew that an earlier sealing key wraps. Answers how many.
pub(super) async fn rewrap_some(
    db: &mut SqliteConnection,
    ring: &KeyRing,
) -> Result<usize, StoreError> {
    let rows = sqlx::query(
        "SELECT owner, purpose, generation, wrapped_by, wrapped FROM data_key \
         WHERE wrapped_by <> ? LIMIT ?",
    )
    .bind(ring.current().as_str().to_owned())
    .bind(AT_ONCE)
    .fetch_all(&mut *db)
    .await?;
    for row in &rows {
        let (owner, purpose): (&str, &str) = (row.try_get("owner")?, row.try_get("purpose")?);
        let anew = ring.rewrap(&place(owner, purpose), &wrapped(row)?)?;
        sqlx::query(
            "UPDATE data_key SET wrapped_by = ?, wrapped = ? \
             WHERE owner = ? AND purpose = ? AND generation = ?",
        )
        .bind(anew.by.as_str().to_owned())
        .bind(anew.bytes)
        .bind(owner.to_owned())
        .bind(purpose.to_owned())
        .bind(row.try_get::<i64, _>("generation")?)
        .execute(&mut *db)
        .await?;
    }
    Ok(rows.len())
}

/// Whether there is a key whose age is not counted yet.
pub(super) async fn undated(db: impl SqliteExecutor<'_>) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT 1 FROM data_key INDEXED BY data_key_undated \
         WHERE purpose = 'seal' AND made_at IS NULL)";
    Ok(sqlx::query_scalar(query).fetch_one(db).await?)
}

/// Counts the age of some keys from now on that have none yet.
pub(super) async fn date_some(db: &mut SqliteConnection, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE data_key SET made_at = ? WHERE purpose = 'seal' AND made_at IS NULL AND owner IN \
         (SELECT owner FROM data_key INDEXED BY data_key_undated \
          WHERE purpose = 'seal' AND made_at IS NULL LIMIT ?)",
    )
    .bind(now.as_millis())
    .bind(AT_ONCE)
    .execute(db)
    .await?;
    Ok(())
}

/// The newest generation of an owner's key: a new one, unless the newest was made after `latest`. None where the
/// owner has no key.
pub(super) async fn begin(
    db: &mut SqliteConnection,
    ring: &KeyRing,
    owner: &str,
    now: Timestamp,
    latest: i64,
) -> Result<Option<i64>, StoreError> {
    let newest: Option<(i64, Option<i64>)> = sqlx::query_as(
        "SELECT generation, made_at FROM data_key WHERE owner = ? AND purpose = 'seal' \
         ORDER BY generation DESC LIMIT 1",
    )
    .bind(owner.to_owned())
    .fetch_optional(&mut *db)
    .await?;
    let Some((generation, made_at)) = newest else {
        return Ok(None);
    };
    if made_at.is_none_or(|made_at| made_at > latest) {
        return Ok(Some(generation));
    }
    let (_, kept) = ring.new_key(&place(owner, SEAL))?;
    insert(db, (owner, SEAL, generation + 1), kept, Some(now), None).await?;
    Ok(Some(generation + 1))
}

/// Whether a generation is the one that seals for an owner.
pub(super) async fn stands(
    db: &mut SqliteConnection,
    owner: &str,
    generation: i64,
) -> Result<bool, StoreError> {
    let query = "SELECT max(generation) FROM data_key WHERE owner = ? AND purpose = 'seal'";
    let newest: Option<i64> = sqlx::query_scalar(query)
        .bind(owner.to_owned())
        .fetch_one(db)
        .await?;
    Ok(newest == Some(generation))
}

/// Deletes the generations before the one that seals.
pub(super) async fn drop_earlier(
    db: &mut SqliteConnection,
    owner: &str,
    generation: i64,
) -> Result<(), StoreError> {
    if !stands(db, owner, generation).await? {
        return Ok(());
    }
    sqlx::query("DELETE FROM data_key WHERE owner = ? AND purpose = 'seal' AND generation < ?")
        .bind(owner.to_owned())
        .bind(generation)
        .execute(db)
        .await?;
    Ok(())
}
