//! Records of tenants.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::data_keys::owner;
use super::generations::Scope;
use super::pools::require_pool;
use super::{Store, StoreError, row};
use crate::id::TenantId;
use crate::secret::Ended;
use crate::tenant::Tenant;

impl Store {
    /// Makes or replaces a tenant.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where its pool does not exist.
    pub async fn put_tenant(&self, tenant: &Tenant) -> Result<(), StoreError> {
        let record = serde_json::to_string(tenant)?;
        let scope = Scope::Tenant(tenant.id.clone());
        let tenant = tenant.clone();
        self.writer()
            .change([scope], move |db| {
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

    /// At most `limit` tenants by name, from the one after `cursor` on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tenants(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Tenant>, StoreError> {
        let rows = sqlx::query("SELECT record FROM tenant WHERE id > ? ORDER BY id LIMIT ?")
            .bind(cursor.unwrap_or_default().to_owned())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.readers())
            .await?;
        row::records(&rows)
    }

    /// Deletes a tenant with its keys, routes, templates and finished messages. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while it has an integration or a message that is not finished.
    pub async fn delete_tenant(&self, id: &TenantId) -> Result<bool, StoreError> {
        let scopes = [Scope::Tenant(id.clone()), Scope::ApiKeys];
        let (inner, tenant) = (Arc::clone(&self.inner), id.clone());
        let deleted = self
            .end(scopes, Ended::Tenant(id.clone()), move |db| {
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
        "DELETE FROM tenant_spent WHERE tenant = ?",
        "DELETE FROM recipient_spent WHERE tenant = ?",
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
