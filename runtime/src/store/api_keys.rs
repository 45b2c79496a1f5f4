//! Records of API keys.

use std::sync::Arc;

use moka::sync::Cache;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::generations::Scope;
use super::tenants::require_tenant;
use super::{Store, StoreError, row};
use crate::id::TenantId;
use crate::secret::Ended;
use crate::tenant::{ApiKey, Role};
use crate::time::Timestamp;

/// Keys that are remembered at once, each with some 300 bytes.
const REMEMBERED: u64 = 50_000;

/// Keys that called of late, each with the generation at which it was read: whoever calls waits for no reader, and a
/// key that is revoked is remembered no longer.
pub(super) struct ApiKeys(Cache<String, (u64, Arc<ApiKey>)>);

impl Default for ApiKeys {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Store {
    /// Stores a new API key.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where its tenant does not exist.
    pub async fn put_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.writer()
            .change([Scope::ApiKeys], move |db| Box::pin(insert(db, key)))
            .await
    }

    /// A key by its public part, revoked or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn api_key(&self, id: &str) -> Result<Option<Arc<ApiKey>>, StoreError> {
        let remembered = &self.inner.api_keys.0;
        let generation = self.writer().generations().api_keys();
        if let Some((made, key)) = remembered.get(id)
            && made == generation
        {
            return Ok(Some(key));
        }
        let row = sqlx::query("SELECT * FROM api_key WHERE id = ?")
            .bind(id.to_owned())
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let key = Arc::new(api_key(&row)?);
        remembered.insert(id.to_owned(), (generation, key.clone()));
        Ok(Some(key))
    }

    /// Whether any operator's key works.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn has_operator_key(&self) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS \
             (SELECT 1 FROM api_key WHERE role = 'operator' AND revoked_at IS NULL)";
        let found: bool = sqlx::query_scalar(query).fetch_one(self.readers()).await?;
        Ok(found)
    }

    /// The keys of a tenant, or the server's own, the oldest first, with the revoked ones.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn api_keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>, StoreError> {
        sqlx::query("SELECT * FROM api_key WHERE tenant IS ? ORDER BY created_at, id")
            .bind(tenant.map(ToString::to_string))
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(api_key)
            .collect()
    }

    /// Ends a key of a tenant, or of the server. Answers whether it was there and worked until now.
    ///
    /// # Errors
    /// [`StoreError::InUse`] for the last operator's key that works: nobody could make another.
    pub async fn revoke_api_key(
        &self,
        tenant: Option<&TenantId>,
        id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (tenant, id) = (tenant.map(ToString::to_string), id.to_owned());
        let ended = Ended::Key(id.clone(), now);
        self.end([Scope::ApiKeys], ended, move |db| {
            Box::pin(revoke(db, tenant, id, now))
        })
        .await
    }
}

async fn insert(db: &mut SqliteConnection, key: ApiKey) -> Result<(), StoreError> {
    if let Some(tenant) = &key.tenant {
        require_tenant(db, tenant).await?;
    }
    sqlx::query(
        "INSERT INTO api_key (id, tenant, role, title, hash, created_at, revoked_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(key.id)
    .bind(key.tenant.map(String::from))
    .bind(key.role.as_str())
    .bind(key.title)
    .bind(key.hash.to_vec())
    .bind(key.created_at.as_millis())
    .bind(key.revoked_at.map(Timestamp::as_millis))
    .execute(db)
    .await?;
    Ok(())
}

async fn revoke(
    db: &mut SqliteConnection,
    tenant: Option<String>,
    id: String,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE api_key SET revoked_at = ?1 WHERE tenant IS ?2 AND id = ?3 AND revoked_at IS NULL \
         AND (role <> 'operator' OR EXISTS (SELECT 1 FROM api_key \
           WHERE role = 'operator' AND revoked_at IS NULL AND id <> ?3))",
    )
    .bind(now.as_millis())
    .bind(tenant.clone())
    .bind(id.clone())
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(true);
    }
    let works: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM api_key WHERE tenant IS ? AND id = ? AND revoked_at IS NULL)",
    )
    .bind(tenant)
    .bind(id.clone())
    .fetch_one(db)
    .await?;
    match works {
        false => Ok(false),
        true => Err(StoreError::InUse {
            what: format!("operator's key {id}"),
            by: "this server, as the last one that works: make another first".to_owned(),
        }),
    }
}

fn api_key(row: &SqliteRow) -> Result<ApiKey, StoreError> {
    let tenant: Option<String> = row.try_get("tenant")?;
    let hash: &[u8] = row.try_get("hash")?;
    let role: &str = row.try_get("role")?;
    let revoked_at: Option<i64> = row.try_get("revoked_at")?;
    let role = Role::parse(role)
        .filter(|role| role.is_tenants() == tenant.is_some())
        .ok_or_else(|| StoreError::corrupt("the role of an API key"))?;
    Ok(ApiKey {
        id: row.try_get("id")?,
        role,
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
