//! Records of templates, and of how a tenant's languages stand in for each other.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::generations::Scope;
use super::tenants::require_tenant;
use super::{Store, StoreError, row};
use crate::id::{TemplateId, TenantId};
use crate::message::{Channel, UsageType};
use crate::template::{Details, Languages, Template, TemplateFilter, TemplateKey};
use crate::time::Timestamp;

/// Templates of one tenant and channel.
pub const TEMPLATES_MAX: usize = 500;
/// Bytes of their texts in all.
pub const TEMPLATES_BYTES_MAX: usize = 8 << 20;

impl Store {
    /// Makes templates, or replaces the text of those that exist: all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Full`] beyond [`TEMPLATES_MAX`] or [`TEMPLATES_BYTES_MAX`], and
    /// [`StoreError::Missing`] where the tenant does not exist.
    pub async fn put_templates(
        &self,
        tenant: &TenantId,
        channel: Channel,
        texts: Vec<(TemplateKey, Details)>,
        now: Timestamp,
    ) -> Result<Vec<Template>, StoreError> {
        let scope = Scope::Tenant(tenant.clone());
        let tenant = tenant.clone();
        self.writer()
            .change([scope], move |db| {
                Box::pin(put(db, tenant, channel, texts, now))
            })
            .await
    }

    /// A tenant's templates of a channel by language tag and usage type.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn templates(
        &self,
        tenant: &TenantId,
        channel: Channel,
        filter: &TemplateFilter,
    ) -> Result<Vec<Template>, StoreError> {
        let (language_tag, usage_type) = columns(filter);
        sqlx::query(
            "SELECT * FROM template WHERE tenant = ?1 AND channel = ?2 \
             AND (?3 IS NULL OR language_tag = ?3) AND (?4 IS NULL OR usage_type = ?4) \
             ORDER BY language_tag, usage_type",
        )
        .bind(tenant.to_string())
        .bind(channel.as_str())
        .bind(language_tag)
        .bind(usage_type)
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(template)
        .collect()
    }

    /// A template.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn template(
        &self,
        tenant: &TenantId,
        channel: Channel,
        id: TemplateId,
    ) -> Result<Option<Template>, StoreError> {
        let query = "SELECT * FROM template WHERE id = ? AND tenant = ? AND channel = ?";
        sqlx::query(query)
            .bind(id.as_bytes().to_vec())
            .bind(tenant.to_string())
            .bind(channel.as_str())
            .fetch_optional(self.readers())
            .await?
            .map(|row| template(&row))
            .transpose()
    }

    /// What a tenant's templates of a channel are for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn template_keys(
        &self,
        tenant: &TenantId,
        channel: Channel,
    ) -> Result<Vec<TemplateKey>, StoreError> {
        let query = "SELECT language_tag, usage_type FROM template \
             WHERE tenant = ? AND channel = ? ORDER BY language_tag, usage_type";
        sqlx::query(query)
            .bind(tenant.to_string())
            .bind(channel.as_str())
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(key)
            .collect()
    }

    /// The text for one language tag and usage type.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn template_details(
        &self,
        tenant: &TenantId,
        channel: Channel,
        key: &TemplateKey,
    ) -> Result<Option<Details>, StoreError> {
        let query = "SELECT details FROM template \
             WHERE tenant = ? AND channel = ? AND language_tag = ? AND usage_type = ?";
        sqlx::query(query)
            .bind(tenant.to_string())
            .bind(channel.as_str())
            .bind(key.language_tag.to_string())
            .bind(key.usage_type.as_str())
            .fetch_optional(self.readers())
            .await?
            .map(|row| details(&row, channel))
            .transpose()
    }

    /// Changes a template's text by `edit`, which nothing comes between. None where there is no such
    /// template; an error of `edit` changes nothing.
    ///
    /// # Errors
    /// As [`Store::put_templates`].
    pub async fn edit_template<E: Send + 'static>(
        &self,
        tenant: &TenantId,
        channel: Channel,
        id: TemplateId,
        edit: impl FnOnce(&Details) -> Result<Details, E> + Send + 'static,
    ) -> Result<Option<Result<Template, E>>, StoreError> {
        let scope = Scope::Tenant(tenant.clone());
        let tenant = tenant.clone();
        self.writer()
            .change([scope], move |db| {
                Box::pin(change(db, tenant, channel, id, edit))
            })
            .await
    }

    /// Deletes a template. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_template(
        &self,
        tenant: &TenantId,
        channel: Channel,
        id: TemplateId,
    ) -> Result<bool, StoreError> {
        let scope = Scope::Tenant(tenant.clone());
        let tenant = tenant.to_string();
        self.writer()
            .change([scope], move |db| {
                Box::pin(async move {
                    let query = "DELETE FROM template WHERE id = ? AND tenant = ? AND channel = ?";
                    let done = sqlx::query(query)
                        .bind(id.as_bytes().to_vec())
                        .bind(tenant)
                        .bind(channel.as_str())
                        .execute(db)
                        .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    /// Deletes the templates that the filter takes. Answers how many they were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_templates(
        &self,
        tenant: &TenantId,
        channel: Channel,
        filter: &TemplateFilter,
    ) -> Result<u64, StoreError> {
        let scope = Scope::Tenant(tenant.clone());
        let (tenant, (language_tag, usage_type)) = (tenant.to_string(), columns(filter));
        self.writer()
            .change([scope], move |db| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "DELETE FROM template WHERE tenant = ?1 AND channel = ?2 \
                         AND (?3 IS NULL OR language_tag = ?3) AND (?4 IS NULL OR usage_type = ?4)",
                    )
                    .bind(tenant)
                    .bind(channel.as_str())
                    .bind(language_tag)
                    .bind(usage_type)
                    .execute(db)
                    .await?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }

    /// How a tenant's templates stand in for each other.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn languages(&self, tenant: &TenantId) -> Result<Languages, StoreError> {
        let row = sqlx::query("SELECT languages FROM tenant WHERE id = ?")
            .bind(tenant.to_string())
            .fetch_optional(self.readers())
            .await?;
        let languages = row.map_or(Ok(None), |row| row::json(&row, "languages"))?;
        Ok(languages.unwrap_or_default())
    }

    /// Says how a tenant's templates stand in for each other.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where the tenant does not exist.
    pub async fn put_languages(
        &self,
        tenant: &TenantId,
        languages: &Languages,
    ) -> Result<(), StoreError> {
        let scope = Scope::Tenant(tenant.clone());
        let (tenant, languages) = (tenant.clone(), serde_json::to_string(languages)?);
        self.writer()
            .change([scope], move |db| {
                Box::pin(async move {
                    require_tenant(db, &tenant).await?;
                    sqlx::query("UPDATE tenant SET languages = ? WHERE id = ?")
                        .bind(languages)
                        .bind(tenant.to_string())
                        .execute(db)
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn put(
    db: &mut SqliteConnection,
    tenant: TenantId,
    channel: Channel,
    texts: Vec<(TemplateKey, Details)>,
    now: Timestamp,
) -> Result<Vec<Template>, StoreError> {
    let mut templates = Vec::with_capacity(texts.len());
    for (key, details) in texts {
        let row = sqlx::query(
            "INSERT INTO template (id, tenant, channel, language_tag, usage_type, details, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (tenant, channel, language_tag, usage_type) \
             DO UPDATE SET details = excluded.details RETURNING *",
        )
        .bind(TemplateId::generate().as_bytes().to_vec())
        .bind(tenant.to_string())
        .bind(channel.as_str())
        .bind(key.language_tag.to_string())
        .bind(key.usage_type.as_str())
        .bind(serde_json::to_string(&details)?)
        .bind(now.as_millis())
        .fetch_one(&mut *db)
        .await?;
        templates.push(template(&row)?);
    }
    check_room(db, &tenant, channel).await?;
    Ok(templates)
}

async fn change<E>(
    db: &mut SqliteConnection,
    tenant: TenantId,
    channel: Channel,
    id: TemplateId,
    edit: impl FnOnce(&Details) -> Result<Details, E>,
) -> Result<Option<Result<Template, E>>, StoreError> {
    let row = sqlx::query("SELECT * FROM template WHERE id = ? AND tenant = ? AND channel = ?")
        .bind(id.as_bytes().to_vec())
        .bind(tenant.to_string())
        .bind(channel.as_str())
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let mut template = template(&row)?;
    template.details = match edit(&template.details) {
        Ok(details) => details,
        Err(error) => return Ok(Some(Err(error))),
    };
    sqlx::query("UPDATE template SET details = ? WHERE id = ?")
        .bind(serde_json::to_string(&template.details)?)
        .bind(id.as_bytes().to_vec())
        .execute(&mut *db)
        .await?;
    check_room(db, &tenant, channel).await?;
    Ok(Some(Ok(template)))
}

async fn check_room(
    db: &mut SqliteConnection,
    tenant: &TenantId,
    channel: Channel,
) -> Result<(), StoreError> {
    let query = "SELECT count(*), coalesce(sum(octet_length(details)), 0) FROM template \
         WHERE tenant = ? AND channel = ?";
    let (count, bytes): (i64, i64) = sqlx::query_as(query)
        .bind(tenant.to_string())
        .bind(channel.as_str())
        .fetch_one(db)
        .await?;
    let within = |found: i64, max: usize| usize::try_from(found).is_ok_and(|found| found <= max);
    if within(count, TEMPLATES_MAX) && within(bytes, TEMPLATES_BYTES_MAX) {
        return Ok(());
    }
    let (what, channel) = (TEMPLATES_BYTES_MAX >> 20, channel.as_str());
    Err(StoreError::Full(format!(
        "a tenant has at most {TEMPLATES_MAX} {channel} templates of {what} MiB in all"
    )))
}

/// A filter's columns, NULL for any.
fn columns(filter: &TemplateFilter) -> (Option<String>, Option<&'static str>) {
    let language_tag = filter.language_tag.as_ref().map(ToString::to_string);
    (language_tag, filter.usage_type.map(UsageType::as_str))
}

fn key(row: &SqliteRow) -> Result<TemplateKey, StoreError> {
    Ok(TemplateKey {
        language_tag: row::parsed(row, "language_tag")?,
        usage_type: row::usage_type(row)?,
    })
}

fn details(row: &SqliteRow, channel: Channel) -> Result<Details, StoreError> {
    Ok(Details::from_stored(channel, row.try_get("details")?)?)
}

fn template(row: &SqliteRow) -> Result<Template, StoreError> {
    let id: &[u8] = row.try_get("id")?;
    let channel = row::channel(row)?;
    Ok(Template {
        id: TemplateId::from_bytes(id.try_into().map_err(StoreError::corrupt)?),
        tenant: row::parsed(row, "tenant")?,
        channel,
        key: key(row)?,
        details: details(row, channel)?,
        created_at: row::time(row, "created_at")?,
    })
}
