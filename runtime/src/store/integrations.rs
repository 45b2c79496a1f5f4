//! Records of integrations and routes.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use zeroize::Zeroizing;

use super::pools::{free, require_pool};
use super::tenants::require_tenant;
use super::{Store, StoreError, row};
use crate::id::{Digest, IntegrationId, TenantId};
use crate::message::Channel;
use crate::secret::{DataKey, Secret};
use crate::tenant::{Integration, IntegrationState, Route};

impl Store {
    /// Makes or replaces an integration; its secrets are sealed. Answers it with its new revision, which
    /// is higher than that of any integration before.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where tenant, component or pool does not exist.
    pub async fn put_integration(
        &self,
        integration: &Integration,
    ) -> Result<Integration, StoreError> {
        let place = place(&integration.tenant, &integration.id);
        let key = self.data_key(&integration.tenant).await?;
        let sealed = Sealed {
            secrets: seal(&key, &place, &integration.secrets)?,
            earlier: match integration.earlier_secrets.is_empty() {
                true => None,
                false => Some(seal(&key, &earlier(&place), &integration.earlier_secrets)?),
            },
        };
        let settings = serde_json::to_string(&integration.settings)?;
        // The secrets are sealed: the copy that waits for the writer must not hold them.
        let waiting = Integration {
            secrets: BTreeMap::new(),
            earlier_secrets: BTreeMap::new(),
            settings: serde_json::Value::Null,
            ..integration.clone()
        };
        let revision = self
            .writer()
            .change(move |db| Box::pin(put(db, waiting, settings, sealed)))
            .await?;
        Ok(Integration {
            revision,
            ..integration.clone()
        })
    }

    /// A tenant's integration with its secrets.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the secrets do not open.
    pub async fn integration(
        &self,
        tenant: &TenantId,
        id: &IntegrationId,
    ) -> Result<Option<Integration>, StoreError> {
        let row = sqlx::query("SELECT * FROM integration WHERE tenant = ? AND id = ?")
            .bind(tenant.to_string())
            .bind(id.to_string())
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else { return Ok(None) };
        integration(&*self.key_of(tenant).await?, &row).map(Some)
    }

    /// A tenant's integrations by name.
    ///
    /// # Errors
    /// As for [`Store::integration`].
    pub async fn integrations(&self, tenant: &TenantId) -> Result<Vec<Integration>, StoreError> {
        let rows = sqlx::query("SELECT * FROM integration WHERE tenant = ? ORDER BY id")
            .bind(tenant.to_string())
            .fetch_all(self.readers())
            .await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.key_of(tenant).await?;
        rows.iter().map(|row| integration(&key, row)).collect()
    }

    /// Deletes an integration. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while a route has it.
    pub async fn delete_integration(
        &self,
        tenant: &TenantId,
        id: &IntegrationId,
    ) -> Result<bool, StoreError> {
        let (tenant, id) = (tenant.to_string(), id.to_string());
        self.writer()
            .change(move |db| {
                Box::pin(async move {
                    let user: Option<String> = sqlx::query_scalar(
                        "SELECT 'the route for ' || channel FROM route, json_each(integrations) \
                         WHERE tenant = ?1 AND value = ?2 \
                         UNION ALL SELECT 'the e-mail service' FROM email_service \
                         WHERE tenant = ?1 AND integration = ?2 LIMIT 1",
                    )
                    .bind(tenant.clone())
                    .bind(id.clone())
                    .fetch_optional(&mut *db)
                    .await?;
                    free("integration", &id, user)?;
                    let done = sqlx::query("DELETE FROM integration WHERE tenant = ? AND id = ?")
                        .bind(tenant)
                        .bind(id)
                        .execute(db)
                        .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    /// Makes or replaces the route of a channel.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where the tenant or one of the integrations does not exist.
    pub async fn put_route(&self, tenant: &TenantId, route: &Route) -> Result<(), StoreError> {
        let (tenant, channel) = (tenant.clone(), route.channel);
        let integrations = serde_json::to_string(&route.integrations)?;
        self.writer()
            .change(move |db| Box::pin(put_route(db, tenant, channel, integrations)))
            .await
    }

    /// A tenant's route for a channel.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn route(
        &self,
        tenant: &TenantId,
        channel: Channel,
    ) -> Result<Option<Route>, StoreError> {
        sqlx::query("SELECT channel, integrations FROM route WHERE tenant = ? AND channel = ?")
            .bind(tenant.to_string())
            .bind(channel.as_str())
            .fetch_optional(self.readers())
            .await?
            .map(|row| route(&row))
            .transpose()
    }

    /// A tenant's routes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn routes(&self, tenant: &TenantId) -> Result<Vec<Route>, StoreError> {
        sqlx::query("SELECT channel, integrations FROM route WHERE tenant = ? ORDER BY channel")
            .bind(tenant.to_string())
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(route)
            .collect()
    }

    /// Deletes the route of a channel. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_route(
        &self,
        tenant: &TenantId,
        channel: Channel,
    ) -> Result<bool, StoreError> {
        let tenant = tenant.to_string();
        self.writer()
            .change(move |db| {
                Box::pin(async move {
                    let done = sqlx::query("DELETE FROM route WHERE tenant = ? AND channel = ?")
                        .bind(tenant)
                        .bind(channel.as_str())
                        .execute(db)
                        .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }
}

/// Where an integration's secrets belong.
pub(super) fn place(tenant: &TenantId, id: &IntegrationId) -> String {
    format!("tenant/{tenant}/integration/{id}")
}

fn earlier(place: &str) -> String {
    format!("{place}/earlier")
}

/// An integration's secrets as their row holds them.
struct Sealed {
    secrets: Vec<u8>,
    earlier: Option<Vec<u8>>,
}

fn seal(
    key: &DataKey,
    place: &str,
    secrets: &BTreeMap<String, Secret>,
) -> Result<Vec<u8>, StoreError> {
    let plain: BTreeMap<&str, &str> = secrets
        .iter()
        .map(|(pointer, secret)| (pointer.as_str(), secret.expose()))
        .collect();
    let plain = Zeroizing::new(serde_json::to_vec(&plain)?);
    Ok(key.seal(place, &plain)?)
}

fn open(key: &DataKey, place: &str, sealed: &[u8]) -> Result<BTreeMap<String, Secret>, StoreError> {
    let plain = key.open(place, sealed)?;
    let secrets: BTreeMap<String, String> = serde_json::from_slice(&plain)?;
    let secret = |(pointer, text)| (pointer, Secret::new(text));
    Ok(secrets.into_iter().map(secret).collect())
}

const fn state_word(state: IntegrationState) -> &'static str {
    match state {
        IntegrationState::Draft => "draft",
        IntegrationState::Active => "active",
    }
}

async fn put(
    db: &mut SqliteConnection,
    integration: Integration,
    settings: String,
    sealed: Sealed,
) -> Result<i64, StoreError> {
    require_tenant(db, &integration.tenant).await?;
    require_pool(db, integration.egress_pool.as_ref()).await?;
    let digest = integration.digest.as_bytes().to_vec();
    let known: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM connector_version WHERE digest = ?)")
            .bind(digest.clone())
            .fetch_one(&mut *db)
            .await?;
    if !known {
        let missing = format!("connector version {}", integration.digest);
        return Err(StoreError::Missing(missing));
    }
    // One counter for all: an integration that is deleted and made again must not come back with a
    // revision that caches know.
    let revision: i64 = sqlx::query_scalar(
        "UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value",
    )
    .fetch_one(&mut *db)
    .await?;
    sqlx::query(
        "INSERT OR REPLACE INTO integration (tenant, id, connector, digest, state, settings, secrets, \
         earlier_secrets, egress_pool, revision, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(integration.tenant.to_string())
    .bind(integration.id.to_string())
    .bind(integration.connector.to_string())
    .bind(digest)
    .bind(state_word(integration.state))
    .bind(settings)
    .bind(sealed.secrets)
    .bind(sealed.earlier)
    .bind(integration.egress_pool.as_ref().map(ToString::to_string))
    .bind(revision)
    .bind(integration.updated_at.as_millis())
    .execute(db)
    .await?;
    Ok(revision)
}

async fn put_route(
    db: &mut SqliteConnection,
    tenant: TenantId,
    channel: Channel,
    integrations: String,
) -> Result<(), StoreError> {
    require_tenant(db, &tenant).await?;
    let missing: Option<String> = sqlx::query_scalar(
        "SELECT 'integration ' || value FROM json_each(?1) WHERE value NOT IN (\
           SELECT id FROM integration WHERE tenant = ?2) LIMIT 1",
    )
    .bind(integrations.clone())
    .bind(tenant.to_string())
    .fetch_optional(&mut *db)
    .await?;
    if let Some(missing) = missing {
        return Err(StoreError::Missing(missing));
    }
    sqlx::query("INSERT OR REPLACE INTO route (tenant, channel, integrations) VALUES (?, ?, ?)")
        .bind(tenant.to_string())
        .bind(channel.as_str())
        .bind(integrations)
        .execute(db)
        .await?;
    Ok(())
}

fn route(row: &SqliteRow) -> Result<Route, StoreError> {
    let integrations: &str = row.try_get("integrations")?;
    Ok(Route {
        channel: row::channel(row)?,
        integrations: serde_json::from_str(integrations)?,
    })
}

fn integration(key: &DataKey, row: &SqliteRow) -> Result<Integration, StoreError> {
    let tenant: TenantId = row::parsed(row, "tenant")?;
    let id: IntegrationId = row::parsed(row, "id")?;
    let place = place(&tenant, &id);
    let replaced: Option<&[u8]> = row.try_get("earlier_secrets")?;
    let replaced = replaced.map(|sealed| open(key, &earlier(&place), sealed));
    let digest: &[u8] = row.try_get("digest")?;
    let settings: &str = row.try_get("settings")?;
    let state: &str = row.try_get("state")?;
    let pool: Option<String> = row.try_get("egress_pool")?;
    Ok(Integration {
        connector: row::parsed(row, "connector")?,
        digest: Digest::from_bytes(digest.try_into().map_err(StoreError::corrupt)?),
        state: match state {
            "draft" => IntegrationState::Draft,
            "active" => IntegrationState::Active,
            _ => return Err(StoreError::corrupt("integration state")),
        },
        settings: serde_json::from_str(settings)?,
        secrets: open(key, &place, row.try_get("secrets")?)?,
        earlier_secrets: replaced.transpose()?.unwrap_or_default(),
        egress_pool: pool
            .map(TryInto::try_into)
            .transpose()
            .map_err(StoreError::corrupt)?,
        revision: row.try_get("revision")?,
        updated_at: row::time(row, "updated_at")?,
        tenant,
        id,
    })
}
