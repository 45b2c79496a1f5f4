//! Records of connector versions, with their components.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::generations::Scope;
use super::pools::free;
use super::{Store, StoreError, bound, components, row};
use crate::id::{ConnectorId, Digest};
use crate::tenant::ConnectorVersion;

impl Store {
    /// Stores a version with its component. The same component again changes nothing. Answers whether
    /// it was new.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_connector(
        &self,
        version: &ConnectorVersion,
        component: &[u8],
    ) -> Result<bool, StoreError> {
        let record = serde_json::to_string(version)?;
        let (id, digest) = (
            version.info.id.to_string(),
            version.digest.as_bytes().to_vec(),
        );
        if self.connector(version.digest).await?.is_some() {
            return Ok(false);
        }
        components::write(self, version.digest, component).await?;
        let bytes = component.len();
        let uploaded_at = version.uploaded_at.as_millis();
        self.writer()
            .change([Scope::Shared], move |db| {
                Box::pin(async move {
                    components::check(db, &digest, bytes).await?;
                    let done = sqlx::query(
                        "INSERT INTO connector_version (digest, id, uploaded_at, record) \
                         VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    )
                    .bind(digest)
                    .bind(id)
                    .bind(uploaded_at)
                    .bind(record)
                    .execute(&mut *db)
                    .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    /// The version of a component.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn connector(&self, digest: Digest) -> Result<Option<ConnectorVersion>, StoreError> {
        let row = sqlx::query("SELECT record FROM connector_version WHERE digest = ?")
            .bind(digest.as_bytes().to_vec())
            .fetch_optional(self.readers())
            .await?;
        row.map_or(Ok(None), |row| row::json(&row, "record"))
    }

    /// The bytes of a component.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where they are not what was uploaded.
    pub async fn component(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = components::read(self, digest).await?;
        match bytes {
            Some(bytes) if Digest::of(&bytes) != digest => {
                Err(StoreError::corrupt(format!("component {digest}")))
            }
            bytes => Ok(bytes),
        }
    }

    /// At most `limit` versions of all connectors by name, the latest upload first, from the one after the version
    /// with the digest `cursor` on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn connectors(
        &self,
        cursor: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<ConnectorVersion>, StoreError> {
        let rows = sqlx::query(
            "SELECT record FROM connector_version WHERE ?1 IS NULL OR (id, -uploaded_at, digest) > \
               (SELECT id, -uploaded_at, digest FROM connector_version WHERE digest = ?1) \
             ORDER BY id, uploaded_at DESC, digest LIMIT ?2",
        )
        .bind(cursor.map(|digest| digest.as_bytes().to_vec()))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.readers())
        .await?;
        row::records(&rows)
    }

    /// All versions of a connector, the latest upload first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn connector_versions(
        &self,
        id: &ConnectorId,
    ) -> Result<Vec<ConnectorVersion>, StoreError> {
        let rows = sqlx::query(
            "SELECT record FROM connector_version WHERE id = ? ORDER BY uploaded_at DESC, digest",
        )
        .bind(id.to_string())
        .fetch_all(self.readers())
        .await?;
        row::records(&rows)
    }

    /// Deletes a version, and then its component. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while an integration has it.
    pub async fn delete_connector(&self, digest: Digest) -> Result<bool, StoreError> {
        let deleted = self
            .writer()
            .change([Scope::Shared], move |db| Box::pin(delete(db, digest)))
            .await?;
        if deleted {
            components::delete(self, digest).await?;
        }
        Ok(deleted)
    }

    /// The digests of all versions, and nothing left of components of which there is none: an upload or a deletion
    /// that a crash has interrupted. For a start, before anything is uploaded.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tidy_components(&self) -> Result<BTreeSet<Digest>, StoreError> {
        components::delete_strays(self).await?;
        let rows = sqlx::query("SELECT digest FROM connector_version")
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(bound::digest).collect()
    }
}

async fn delete(db: &mut SqliteConnection, digest: Digest) -> Result<bool, StoreError> {
    let bytes = digest.as_bytes().to_vec();
    let user: Option<String> = sqlx::query_scalar(
        "SELECT 'integration ' || tenant || '/' || id FROM integration WHERE digest = ? LIMIT 1",
    )
    .bind(bytes.clone())
    .fetch_optional(&mut *db)
    .await?;
    free("connector version", &digest.to_string(), user)?;
    let done = sqlx::query("DELETE FROM connector_version WHERE digest = ?")
        .bind(bytes)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
