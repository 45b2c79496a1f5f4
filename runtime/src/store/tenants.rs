//! Records of tenants and API keys.

use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::keys::owner;
use super::pools::require_pool;
use super::{Store, StoreError, row};
use crate::id::TenantId;
use crate::secret::Ended;
use crate::tenant::{ApiKey, Tenant};
use crate::time::Timestamp;

impl Store {
    /// Makes or replaces a tenant.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where its pool does not exist.
    pub async fn put_tenant(&self, tenant: &Tenant) -> Result<(), StoreError> {
        let record = serde_json::to_string(tenant)?;
        let tenant = tenant.clone();
        self.writer()
            .change(move |db| {
                Box::pin(async move {
                    require_pool(db, tenant.egress_pool.as_ref()).await?;
                    sqlx::query(
                        "INSERT INTO tenant (id, egress_pool, record) VALUES (?1, ?2, ?3) \
                         ON CONFLICT (id) DO UPDATE SET egress_pool = ?2, record = ?3",
                    )
                    .bind(tenant.id.as_str().to_owned())
                    .bind(tenant.egress_pool.as_ref().map(ToString::to_string))
                    .bind(record)
                    .execute(db)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// A tenant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let row = sqlx::query("SELECT record FROM tenant WHERE id = ?")
            .bind(id.as_str().to_owned())
            .fetch_optional(self.readers())
            .await?;
        row.map_or(Ok(None), |row| row::json(&row, "record"))
    }

    /// All tenants by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let rows = sqlx::query("SELECT record FROM tenant ORDER BY id")
            .fetch_all(self.readers())
            .await?;
        row::records(&rows)
    }

    /// Deletes a tenant with its keys, routes, templates and finished messages. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while it has an integration or a message that is not finished.
    pub async fn delete_tenant(&self, id: &TenantId) -> Result<bool, StoreError> {
        let (inner, tenant) = (Arc::clone(&self.inner), id.clone());
        let deleted = self
            .end(Ended::Tenant(id.clone()), move |db| {
                Box::pin(async move {
                    let deleted = delete_tenant(db, tenant.as_str()).await?;
                    // Who is about to accept with its key learns of it in the order of the writes.
                    inner.keys.forget(&tenant);
                    Ok(deleted)
                })
            })
            .await;
        if deleted.is_ok() {
            // What was read before the commit may have been kept since.
            self.inner.keys.forget(id);
        }
        deleted
    }

    /// Stores a new API key.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where its tenant does not exist.
    pub async fn put_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.writer()
            .change(move |db| {
                Box::pin(async move {
                    if let Some(tenant) = &key.tenant {
                        require_tenant(db, tenant).await?;
                    }
                    sqlx::query(
                        "INSERT INTO api_key (id, tenant, title, hash, created_at, revoked_at) \
                         VALUES (?, ?, ?, ?, ?, ?)",
                    )
                    .bind(key.id)
                    .bind(key.tenant.map(String::from))
                    .bind(key.title)
                    .bind(key.hash.to_vec())
                    .bind(key.created_at.as_millis())
                    .bind(key.revoked_at.map(Timestamp::as_millis))
                    .execute(db)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// A key by its public part, revoked or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        sqlx::query("SELECT * FROM api_key WHERE id = ?")
            .bind(id.to_owned())
            .fetch_optional(self.readers())
            .await?
            .map(|row| api_key(&row))
            .transpose()
    }

    /// Whether any operator's key works.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn has_operator_key(&self) -> Result<bool, StoreError> {
        let query = "SELECT 1 FROM api_key WHERE tenant IS NULL AND revoked_at IS NULL LIMIT 1";
        Ok(sqlx::query(query)
            .fetch_optional(self.readers())
            .await?
            .is_some())
    }

    /// The keys of a tenant, the oldest first, with the revoked ones.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn api_keys(&self, tenant: &TenantId) -> Result<Vec<ApiKey>, StoreError> {
        sqlx::query("SELECT * FROM api_key WHERE tenant = ? ORDER BY created_at, id")
            .bind(tenant.to_string())
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(api_key)
            .collect()
    }

    /// Ends a tenant's key. Answers whether it was there and worked until now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn revoke_api_key(
        &self,
        tenant: &TenantId,
        id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (tenant, id) = (tenant.to_string(), id.to_owned());
        let ended = Ended::Key(id.clone(), now);
        self.end(ended, move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE api_key SET revoked_at = ? \
                         WHERE tenant = ? AND id = ? AND revoked_at IS NULL",
                )
                .bind(now.as_millis())
                .bind(tenant)
                .bind(id)
                .execute(db)
                .await?;
                Ok(done.rows_affected() == 1)
            })
        })
        .await
    }
}

pub(super) async fn require_tenant(
    db: &mut SqliteConnection,
    id: &TenantId,
) -> Result<(), StoreError> {
    let found: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM tenant WHERE id = ?)")
        .bind(id.as_str().to_owned())
        .fetch_one(db)
        .await?;
    if found {
        Ok(())
    } else {
        Err(StoreError::Missing(format!("tenant {id}")))
    }
}

async fn delete_tenant(db: &mut SqliteConnection, id: &str) -> Result<bool, StoreError> {
    let user: Option<String> = sqlx::query_scalar(
        "SELECT 'integration ' || id FROM integration WHERE tenant = ?1 \
         UNION ALL \
         SELECT 'a message that is not finished' FROM message INDEXED BY message_due \
           WHERE tenant = ?1 AND due_at IS NOT NULL \
         LIMIT 1",
    )
    .bind(id.to_owned())
    .fetch_optional(&mut *db)
    .await?;
    if let Some(by) = user {
        let what = format!("tenant {id}");
        return Err(StoreError::InUse { what, by });
    }
    delete_all_of(db, id).await
}

/// Deletes a tenant with all that is its own, in use or not. Answers whether it was there.
pub(super) async fn delete_all_of(db: &mut SqliteConnection, id: &str) -> Result<bool, StoreError> {
    for table in [
        "DELETE FROM email_service WHERE tenant = ?",
        "DELETE FROM integration WHERE tenant = ?",
        "DELETE FROM attempt WHERE message IN (SELECT id FROM message WHERE tenant = ?)",
        "DELETE FROM message WHERE tenant = ?",
        "DELETE FROM route WHERE tenant = ?",
        "DELETE FROM template WHERE tenant = ?",
        "DELETE FROM api_key WHERE tenant = ?",
        "DELETE FROM email_use WHERE tenant = ?",
    ] {
        sqlx::query(table)
            .bind(id.to_owned())
            .execute(&mut *db)
            .await?;
    }
    // Without its key nothing that was the tenant's opens again in this file. A backup has the key.
    sqlx::query("DELETE FROM data_key WHERE owner = ?")
        .bind(owner(id))
        .execute(&mut *db)
        .await?;
    let done = sqlx::query("DELETE FROM tenant WHERE id = ?")
        .bind(id.to_owned())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn api_key(row: &SqliteRow) -> Result<ApiKey, StoreError> {
    let tenant: Option<String> = row.try_get("tenant")?;
    let hash: &[u8] = row.try_get("hash")?;
    let revoked_at: Option<i64> = row.try_get("revoked_at")?;
    Ok(ApiKey {
        id: row.try_get("id")?,
        tenant: tenant
            .map(TenantId::try_from)
            .transpose()
            .map_err(StoreError::corrupt)?,
        title: row.try_get("title")?,
        hash: hash.try_into().map_err(StoreError::corrupt)?,
        created_at: row::time(row, "created_at")?,
        revoked_at: revoked_at.map(Timestamp::from_millis),
    })
}
