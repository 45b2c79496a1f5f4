//! Records of egress sources and pools.

use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::generations::Scope;
use super::{Store, StoreError, row};
use crate::id::{PoolName, SourceName};
use crate::secret::{DataKey, Secret};
use crate::source::{EgressPool, EgressSource, Proxy};

impl Store {
    /// Makes or replaces an egress source; its proxy's password is sealed. `seen` is the revision that was read, 0
    /// for a source that is new.
    ///
    /// # Errors
    /// [`StoreError::Changed`] where it has another revision by now.
    pub async fn put_source(&self, source: &EgressSource, seen: i64) -> Result<(), StoreError> {
        let (waiting, inner) = (source.clone(), Arc::clone(&self.inner));
        self.writer()
            .change([Scope::Shared], move |db| {
                // The key as it stands in this turn: it may have been renewed while this waited.
                Box::pin(async move { put_source(db, &waiting, seen, &inner.keys.host()).await })
            })
            .await
    }

    /// An egress source with its revision.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where its proxy's password does not open.
    pub async fn source_with_revision(
        &self,
        name: &SourceName,
    ) -> Result<Option<(EgressSource, i64)>, StoreError> {
        sqlx::query("SELECT * FROM egress_source WHERE name = ?")
            .bind(name.to_string())
            .fetch_optional(self.readers())
            .await?
            .map(|row| Ok((source(&self.host_key(), &row)?, row.try_get("revision")?)))
            .transpose()
    }

    /// An egress source.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where its proxy's password does not open.
    pub async fn source(&self, name: &SourceName) -> Result<Option<EgressSource>, StoreError> {
        sqlx::query("SELECT * FROM egress_source WHERE name = ?")
            .bind(name.to_string())
            .fetch_optional(self.readers())
            .await?
            .map(|row| source(&self.host_key(), &row))
            .transpose()
    }

    /// All egress sources by name.
    ///
    /// # Errors
    /// As for [`Store::source`].
    pub async fn sources(&self) -> Result<Vec<EgressSource>, StoreError> {
        sqlx::query("SELECT * FROM egress_source ORDER BY name")
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(|row| source(&self.host_key(), row))
            .collect()
    }

    /// Deletes an egress source. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while a pool has it.
    pub async fn delete_source(&self, name: &SourceName) -> Result<bool, StoreError> {
        let name = name.to_string();
        self.writer()
            .change([Scope::Shared], move |db| {
                Box::pin(async move {
                    let user: Option<String> = sqlx::query_scalar(
                        "SELECT 'egress pool ' || name FROM egress_pool, json_each(sources) \
                         WHERE value ->> 'source' = ? LIMIT 1",
                    )
                    .bind(name.clone())
                    .fetch_optional(&mut *db)
                    .await?;
                    free("egress source", &name, user)?;
                    let done = sqlx::query("DELETE FROM egress_source WHERE name = ?")
                        .bind(name)
                        .execute(db)
                        .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    /// Makes or replaces an egress pool.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where one of its sources does not exist.
    pub async fn put_pool(&self, pool: &EgressPool) -> Result<(), StoreError> {
        let (name, sources) = (pool.name.to_string(), serde_json::to_string(&pool.sources)?);
        self.writer()
            .change([Scope::Shared], move |db| {
                Box::pin(async move {
                    let missing: Option<String> = sqlx::query_scalar(
                        "SELECT 'egress source ' || (value ->> 'source') FROM json_each(?) \
                         WHERE value ->> 'source' NOT IN (SELECT name FROM egress_source) LIMIT 1",
                    )
                    .bind(sources.clone())
                    .fetch_optional(&mut *db)
                    .await?;
                    if let Some(missing) = missing {
                        return Err(StoreError::Missing(missing));
                    }
                    sqlx::query(
                        "INSERT INTO egress_pool (name, sources) VALUES (?1, ?2) \
                         ON CONFLICT (name) DO UPDATE SET sources = ?2",
                    )
                    .bind(name)
                    .bind(sources)
                    .execute(db)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// An egress pool.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn pool(&self, name: &PoolName) -> Result<Option<EgressPool>, StoreError> {
        sqlx::query("SELECT * FROM egress_pool WHERE name = ?")
            .bind(name.to_string())
            .fetch_optional(self.readers())
            .await?
            .map(|row| pool(&row))
            .transpose()
    }

    /// All egress pools by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn pools(&self) -> Result<Vec<EgressPool>, StoreError> {
        sqlx::query("SELECT * FROM egress_pool ORDER BY name")
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(pool)
            .collect()
    }

    /// Deletes an egress pool. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while a tenant or an integration has it.
    pub async fn delete_pool(&self, name: &PoolName) -> Result<bool, StoreError> {
        let name = name.to_string();
        self.writer()
            .change([Scope::Shared], move |db| {
                Box::pin(async move {
                    let user: Option<String> = sqlx::query_scalar(
                        "SELECT 'tenant ' || id FROM tenant WHERE egress_pool = ?1 UNION ALL \
                         SELECT 'integration ' || tenant || '/' || id FROM integration \
                         WHERE egress_pool = ?1 LIMIT 1",
                    )
                    .bind(name.clone())
                    .fetch_optional(&mut *db)
                    .await?;
                    free("egress pool", &name, user)?;
                    let done = sqlx::query("DELETE FROM egress_pool WHERE name = ?")
                        .bind(name)
                        .execute(db)
                        .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }
}

pub(super) async fn require_pool(
    db: &mut SqliteConnection,
    name: Option<&PoolName>,
) -> Result<(), StoreError> {
    let Some(name) = name else { return Ok(()) };
    let found: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM egress_pool WHERE name = ?)")
            .bind(name.to_string())
            .fetch_one(db)
            .await?;
    if found {
        Ok(())
    } else {
        Err(StoreError::Missing(format!("egress pool {name}")))
    }
}

/// Refuses to delete what has a user.
pub(super) fn free(kind: &str, name: &str, user: Option<String>) -> Result<(), StoreError> {
    user.map_or(Ok(()), |by| {
        Err(StoreError::InUse {
            what: format!("{kind} {name}"),
            by,
        })
    })
}

fn pool(row: &SqliteRow) -> Result<EgressPool, StoreError> {
    let sources: &str = row.try_get("sources")?;
    Ok(EgressPool {
        name: row::parsed(row, "name")?,
        sources: serde_json::from_str(sources)?,
    })
}

/// Where the layout before bound secrets said that a proxy's password belongs.
fn unbound_password_place(name: &SourceName) -> String {
    format!("egress-source/{name}/proxy-password")
}

/// Where a proxy's password belongs: it opens for that proxy and that user alone.
fn password_place(name: &SourceName, proxy: &Proxy) -> Result<String, StoreError> {
    // The record has no password.
    let proxy = serde_json::to_string(proxy)?;
    Ok(format!("{}/{proxy}", unbound_password_place(name)))
}

/// Where the password of a source's row belongs, if it has a proxy.
fn place_of(source: &EgressSource, row: &SqliteRow) -> Result<Option<String>, StoreError> {
    let Some(proxy) = &source.proxy else {
        return Ok(None);
    };
    match row.try_get("bound")? {
        true => password_place(&source.name, proxy).map(Some),
        false => Ok(Some(unbound_password_place(&source.name))),
    }
}

async fn put_source(
    db: &mut SqliteConnection,
    source: &EgressSource,
    seen: i64,
    key: &DataKey,
) -> Result<(), StoreError> {
    let name = source.name.to_string();
    let found: Option<i64> =
        sqlx::query_scalar("SELECT revision FROM egress_source WHERE name = ?")
            .bind(name.clone())
            .fetch_optional(&mut *db)
            .await?;
    if found.unwrap_or_default() != seen {
        return Err(StoreError::Changed(format!("egress source {name}")));
    }
    let record = serde_json::to_string(source)?;
    let sealed = match &source.proxy {
        Some(proxy) => proxy
            .password
            .as_ref()
            .map(|password| {
                let place = password_place(&source.name, proxy)?;
                Ok::<_, StoreError>(key.seal(&place, password.expose().as_bytes())?)
            })
            .transpose()?,
        None => None,
    };
    sqlx::query("UPDATE meta SET value = value + 1 WHERE name = 'revision'")
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "INSERT INTO egress_source (name, record, proxy_password, bound, key_generation, revision) \
         VALUES (?1, ?2, ?3, 1, ?4, (SELECT value FROM meta WHERE name = 'revision')) \
         ON CONFLICT (name) DO UPDATE SET record = excluded.record, \
         proxy_password = excluded.proxy_password, bound = 1, \
         key_generation = excluded.key_generation, revision = excluded.revision",
    )
    .bind(name)
    .bind(record)
    .bind(sealed)
    .bind(key.generation())
    .execute(db)
    .await?;
    Ok(())
}

/// Seals passwords anew that an older version sealed for any proxy of the source.
pub(super) async fn bind_passwords(
    db: &mut SqliteConnection,
    key: &DataKey,
) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT * FROM egress_source WHERE bound = 0 OR revision = 0")
        .fetch_all(&mut *db)
        .await?;
    for row in &rows {
        put_source(db, &source(key, row)?, row.try_get("revision")?, key).await?;
    }
    Ok(())
}

/// Seals the password of a source's proxy anew that an earlier generation of `key` sealed. Answers whether the
/// source had been written with one.
pub(super) async fn seal_anew(
    db: &mut SqliteConnection,
    key: &DataKey,
    name: &str,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT * FROM egress_source WHERE name = ? AND key_generation < ?")
        .bind(name.to_owned())
        .bind(key.generation())
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = row else { return Ok(false) };
    let source: EgressSource = serde_json::from_str(row.try_get("record")?)?;
    let sealed: Option<&[u8]> = row.try_get("proxy_password")?;
    let place = place_of(&source, &row)?.unwrap_or_default();
    let anew = sealed.map(|sealed| key.seal_anew(&place, sealed));
    sqlx::query("UPDATE egress_source SET proxy_password = ?, key_generation = ? WHERE name = ?")
        .bind(anew.transpose()?)
        .bind(key.generation())
        .bind(name.to_owned())
        .execute(db)
        .await?;
    Ok(true)
}

fn source(key: &DataKey, row: &SqliteRow) -> Result<EgressSource, StoreError> {
    let record: &str = row.try_get("record")?;
    let mut source: EgressSource = serde_json::from_str(record)?;
    let sealed: Option<&[u8]> = row.try_get("proxy_password")?;
    let place = place_of(&source, row)?;
    if let (Some(proxy), Some(sealed), Some(place)) = (&mut source.proxy, sealed, place) {
        let plain = key.open(&place, sealed)?;
        let text = std::str::from_utf8(&plain).map_err(StoreError::corrupt)?;
        proxy.password = Some(Secret::new(text.to_owned()));
    }
    Ok(source)
}
