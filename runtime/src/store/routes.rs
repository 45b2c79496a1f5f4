//! Records of routes.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::generations::Scope;
use super::tenants::require_tenant;
use super::{Store, StoreError, row};
use crate::id::TenantId;
use crate::message::Channel;
use crate::tenant::Route;

impl Store {
    /// Makes or replaces the route of a channel.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where the tenant or one of the integrations does not exist.
    pub async fn put_route(&self, tenant: &TenantId, route: &Route) -> Result<(), StoreError> {
        let scope = Scope::Tenant(tenant.clone());
        let (tenant, channel) = (tenant.clone(), route.channel);
        let integrations = serde_json::to_string(&route.integrations)?;
        self.writer()
            .change([scope], move |db| {
                Box::pin(put_route(db, tenant, channel, integrations))
            })
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
        let scope = Scope::Tenant(tenant.clone());
        let tenant = tenant.to_string();
        self.writer()
            .change([scope], move |db| {
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
