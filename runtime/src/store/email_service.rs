//! The lent integration, and how much of it each tenant has used.

use sqlx::Row;

use super::generations::Scope;
use super::{Store, StoreError, row};
use crate::email_service::{EmailService, Month};
use crate::fault;
use crate::id::TenantId;

impl Store {
    /// Lends an integration in place of the one before.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where the integration does not exist.
    pub async fn put_email_service(&self, service: &EmailService) -> Result<(), StoreError> {
        let record = serde_json::to_string(service)?;
        let (tenant, integration) = (service.tenant.to_string(), service.integration.to_string());
        self.writer()
            .change([Scope::Shared], move |db| {
                Box::pin(async move {
                    let known: Option<i64> =
                        sqlx::query_scalar("SELECT 1 FROM integration WHERE tenant = ? AND id = ?")
                            .bind(tenant.clone())
                            .bind(integration.clone())
                            .fetch_optional(&mut *db)
                            .await?;
                    if known.is_none() {
                        return Err(StoreError::Missing(format!("integration {integration}")));
                    }
                    sqlx::query(
                        "INSERT INTO email_service (one, tenant, integration, record) \
                         VALUES (1, ?1, ?2, ?3) ON CONFLICT (one) DO UPDATE \
                         SET tenant = ?1, integration = ?2, record = ?3",
                    )
                    .bind(tenant)
                    .bind(integration)
                    .bind(record)
                    .execute(db)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// What the operator lends.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn email_service(&self) -> Result<Option<EmailService>, StoreError> {
        let row = sqlx::query("SELECT record FROM email_service")
            .fetch_optional(self.readers())
            .await?;
        row.map_or(Ok(None), |row| row::json(&row, "record"))
    }

    /// Whether what is lent says to which components, as older versions did not. True where nothing is lent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn email_service_names_connectors(&self) -> Result<bool, StoreError> {
        let query = "SELECT NOT EXISTS (SELECT 1 FROM email_service \
             WHERE json_type(record, '$.connectors') IS NULL)";
        Ok(sqlx::query_scalar(query).fetch_one(self.readers()).await?)
    }

    /// Lends nothing any more. Answers whether anything was lent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_email_service(&self) -> Result<bool, StoreError> {
        self.writer()
            .change([Scope::Shared], move |db| {
                Box::pin(async move {
                    let done = sqlx::query("DELETE FROM email_service").execute(db).await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    /// How many messages the tenant has sent through the lent integration in that month.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn email_use(&self, tenant: &TenantId, month: &Month) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT count FROM email_use WHERE tenant = ? AND month = ?")
            .bind(tenant.as_str())
            .bind(month.to_string())
            .fetch_optional(self.readers())
            .await?;
        let count: i64 = row.map_or(Ok(0), |row| row.try_get("count"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Counts one more message before it is sent. Answers whether it is within `cap`; if not, it is
    /// not counted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_email(
        &self,
        tenant: &TenantId,
        month: &Month,
        cap: u64,
    ) -> Result<bool, StoreError> {
        const COUNT: &str = "INSERT INTO email_use (tenant, month, count) \
             SELECT ?1, ?2, 1 WHERE ?3 > 0 \
             ON CONFLICT (tenant, month) DO UPDATE SET count = count + 1 WHERE count < ?3";
        let (tenant, month) = (tenant.to_string(), month.to_string());
        let cap = i64::try_from(cap).unwrap_or(i64::MAX);
        self.writer()
            .write(move |db| {
                Box::pin(async move {
                    let done = sqlx::query(COUNT)
                        .bind(tenant)
                        .bind(month)
                        .bind(cap)
                        .execute(db)
                        .await?;
                    fault::pass("count.written");
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
            .inspect(|_| fault::pass("count.committed"))
    }

    /// Takes back one that was counted and surely not sent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn discount_email(&self, tenant: &TenantId, month: &Month) -> Result<(), StoreError> {
        let (tenant, month) = (tenant.to_string(), month.to_string());
        self.writer()
            .write(move |db| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE email_use SET count = count - 1 \
                         WHERE tenant = ? AND month = ? AND count > 0",
                    )
                    .bind(tenant)
                    .bind(month)
                    .execute(db)
                    .await?;
                    fault::pass("discount.written");
                    Ok(())
                })
            })
            .await
            .inspect(|()| fault::pass("discount.committed"))
    }
}
