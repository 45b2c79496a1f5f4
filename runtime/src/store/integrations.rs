//! Records of integrations.

use std::sync::Arc;

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::bound::{Row, digest, earlier, open, open_unbound, place_of, seal};
use super::generations::Scope;
use super::pools::{free, require_pool};
use super::tenants::require_tenant;
use super::{Store, StoreError, row};
use crate::id::{ConnectorId, Digest, IntegrationId, PoolName, TenantId};
use crate::secret::DataKey;
use crate::tenant::{Integration, IntegrationState};

impl Store {
    /// Makes or replaces an integration; its secrets are sealed. Its `revision` is the one that was read, 0 for
    /// one that is new. Answers it with its new revision, which is higher than that of any integration before.
    ///
    /// # Errors
    /// [`StoreError::Changed`] where it has another revision by now, [`StoreError::Missing`] where tenant,
    /// component or pool does not exist.
    pub async fn put_integration(
        &self,
        integration: &Integration,
    ) -> Result<Integration, StoreError> {
        let key = self.data_key(&integration.tenant).await?;
        let scope = Scope::Tenant(integration.tenant.clone());
        let (inner, waiting) = (Arc::clone(&self.inner), integration.clone());
        let revision = self
            .writer()
            .change([scope], move |db| {
                Box::pin(async move {
                    let key = inner.keys.in_turn(db, &waiting.tenant, &key).await?;
                    put(db, &waiting, &key).await
                })
            })
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

    /// The integrations whose secrets are sealed without what they were given for, as older versions did.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn unbound_integrations(&self) -> Result<Vec<(TenantId, IntegrationId)>, StoreError> {
        sqlx::query("SELECT tenant, id FROM integration WHERE bound = 0 ORDER BY tenant, id")
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(|row| Ok((row::parsed(row, "tenant")?, row::parsed(row, "id")?)))
            .collect()
    }

    /// Some integrations of all tenants after `after`, each with its component and its settings without secrets.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn settings_after(
        &self,
        after: Option<&(TenantId, IntegrationId)>,
    ) -> Result<Vec<((TenantId, IntegrationId), Digest, Value)>, StoreError> {
        let (tenant, id) = after
            .map(|(tenant, id)| (tenant.to_string(), id.to_string()))
            .unwrap_or_default();
        let rows = sqlx::query(
            "SELECT tenant, id, digest, settings FROM integration WHERE (tenant, id) > (?, ?) \
             ORDER BY tenant, id LIMIT 100",
        )
        .bind(tenant)
        .bind(id)
        .fetch_all(self.readers())
        .await?;
        let read = |row: &SqliteRow| {
            let name = (row::parsed(row, "tenant")?, row::parsed(row, "id")?);
            let settings = serde_json::from_str(row.try_get("settings")?)?;
            Ok((name, digest(row)?, settings))
        };
        rows.iter().map(read).collect()
    }

    /// The names of at most `limit` of a tenant's integrations, from the one after `cursor` on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn integration_names(
        &self,
        tenant: &TenantId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Vec<IntegrationId>, StoreError> {
        let query = "SELECT id FROM integration WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?";
        sqlx::query(query)
            .bind(tenant.to_string())
            .bind(cursor.unwrap_or_default().to_owned())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(|row| row::parsed(row, "id"))
            .collect()
    }

    /// How many integrations a tenant has.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn integration_count(&self, tenant: &TenantId) -> Result<u64, StoreError> {
        let query = "SELECT count(*) FROM integration WHERE tenant = ?";
        self.number(query, tenant, None).await
    }

    /// Bytes that the settings of a tenant's integrations have, but for those of one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn settings_bytes(
        &self,
        tenant: &TenantId,
        except: &IntegrationId,
    ) -> Result<u64, StoreError> {
        let query = "SELECT coalesce(sum(octet_length(settings) + octet_length(secrets)), 0) \
             FROM integration WHERE tenant = ? AND id <> ?";
        self.number(query, tenant, Some(except)).await
    }

    async fn number(
        &self,
        query: &'static str,
        tenant: &TenantId,
        except: Option<&IntegrationId>,
    ) -> Result<u64, StoreError> {
        let mut query = sqlx::query_scalar(query).bind(tenant.to_string());
        if let Some(except) = except {
            query = query.bind(except.to_string());
        }
        let number: i64 = query.fetch_one(self.readers()).await?;
        Ok(u64::try_from(number).unwrap_or_default())
    }

    /// What a tenant's integrations leave by, or all tenants': each component with a pool, or without one by the
    /// machine's default address. A tenant without integrations has its own pool and no component.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ways_out(
        &self,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<(Option<Digest>, Option<PoolName>)>, StoreError> {
        sqlx::query(
            "SELECT DISTINCT i.digest, coalesce(i.egress_pool, t.egress_pool) AS pool FROM tenant t \
             LEFT JOIN integration i INDEXED BY integration_way ON i.tenant = t.id \
             WHERE ?1 IS NULL OR t.id = ?1",
        )
        .bind(tenant.map(ToString::to_string))
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| {
            let digest: Option<&[u8]> = row.try_get("digest")?;
            let digest = digest.map(|bytes| bytes.try_into().map(Digest::from_bytes));
            let pool: Option<String> = row.try_get("pool")?;
            let pool = pool.map(TryInto::try_into).transpose();
            Ok((
                digest.transpose().map_err(StoreError::corrupt)?,
                pool.map_err(StoreError::corrupt)?,
            ))
        })
        .collect()
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
        let scope = Scope::Tenant(tenant.clone());
        let (tenant, id) = (tenant.to_string(), id.to_string());
        self.writer()
            .change([scope], move |db| {
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
}

const fn state_word(state: IntegrationState) -> &'static str {
    match state {
        IntegrationState::Draft => "draft",
        IntegrationState::Active => "active",
    }
}

async fn put(
    db: &mut SqliteConnection,
    integration: &Integration,
    key: &DataKey,
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
    require_revision(db, integration).await?;
    // One counter for all: an integration that is deleted and made again must not come back with a
    // revision that caches know.
    let revision: i64 = sqlx::query_scalar(
        "UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value",
    )
    .fetch_one(&mut *db)
    .await?;
    let settings = serde_json::to_string(&integration.settings)?;
    let row = Row {
        tenant: &integration.tenant,
        id: &integration.id,
        digest: integration.digest,
        settings: &settings,
        revision,
    };
    let place = row.place();
    let replaced = match integration.earlier_secrets.is_empty() {
        true => None,
        false => Some(seal(key, &earlier(&place), &integration.earlier_secrets)?),
    };
    sqlx::query(
        "INSERT OR REPLACE INTO integration (tenant, id, connector, digest, state, settings, secrets, \
         earlier_secrets, egress_pool, revision, updated_at, bound, key_generation) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)",
    )
    .bind(integration.tenant.to_string())
    .bind(integration.id.to_string())
    .bind(integration.connector.to_string())
    .bind(digest)
    .bind(state_word(integration.state))
    .bind(settings)
    .bind(seal(key, &place, &integration.secrets)?)
    .bind(replaced)
    .bind(integration.egress_pool.as_ref().map(ToString::to_string))
    .bind(revision)
    .bind(integration.updated_at.as_millis())
    .bind(key.generation())
    .execute(db)
    .await?;
    Ok(revision)
}

/// Refuses a change of what somebody else has changed, made or deleted since it was read.
async fn require_revision(
    db: &mut SqliteConnection,
    integration: &Integration,
) -> Result<(), StoreError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT revision FROM integration WHERE tenant = ? AND id = ?")
            .bind(integration.tenant.to_string())
            .bind(integration.id.to_string())
            .fetch_optional(db)
            .await?;
    match found.unwrap_or_default() == integration.revision {
        true => Ok(()),
        false => Err(StoreError::Changed(format!(
            "integration {}",
            integration.id
        ))),
    }
}

fn integration(key: &DataKey, row: &SqliteRow) -> Result<Integration, StoreError> {
    let tenant: TenantId = row::parsed(row, "tenant")?;
    let id: IntegrationId = row::parsed(row, "id")?;
    let connector: ConnectorId = row::parsed(row, "connector")?;
    let settings: &str = row.try_get("settings")?;
    let sealed: &[u8] = row.try_get("secrets")?;
    let replaced: Option<&[u8]> = row.try_get("earlier_secrets")?;
    let is_bound: bool = row.try_get("bound")?;
    let open = |place: &str, sealed: &[u8]| match is_bound {
        true => open(key, place, sealed),
        false => open_unbound(key, place, sealed, &connector),
    };
    let place = place_of(row)?;
    let replaced = replaced.map(|sealed| open(&earlier(&place), sealed));
    let state: &str = row.try_get("state")?;
    let pool: Option<String> = row.try_get("egress_pool")?;
    Ok(Integration {
        secrets: open(&place, sealed)?,
        earlier_secrets: replaced.transpose()?.unwrap_or_default(),
        connector,
        digest: digest(row)?,
        state: match state {
            "draft" => IntegrationState::Draft,
            "active" => IntegrationState::Active,
            _ => return Err(StoreError::corrupt("integration state")),
        },
        settings: serde_json::from_str(settings)?,
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
