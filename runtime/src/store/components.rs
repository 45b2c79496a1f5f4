//! The bytes of components, part by part: each is a change of its own, so that messages are accepted between two parts
//! of a large one.

use sqlx::SqliteConnection;

use super::{Store, StoreError};
use crate::id::Digest;

/// Bytes of a part: what one change writes in some milliseconds.
const PART: usize = 256 << 10;

/// Writes a component. A part that is there is the same already.
pub(super) async fn write(store: &Store, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
    for (part, bytes) in (0_i64..).zip(bytes.chunks(PART)) {
        let bytes = bytes.to_vec();
        store
            .writer()
            .write(move |db| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO component_part (digest, part, bytes) VALUES (?, ?, ?) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(digest.as_bytes().to_vec())
                    .bind(part)
                    .bind(bytes)
                    .execute(db)
                    .await?;
                    Ok(())
                })
            })
            .await?;
    }
    Ok(())
}

/// Whether every part of a component is there, now that its version is about to be.
///
/// # Errors
/// [`StoreError::Changed`] where a deletion of the same component took some meanwhile.
pub(super) async fn check(
    db: &mut SqliteConnection,
    digest: &[u8],
    bytes: usize,
) -> Result<(), StoreError> {
    let query = "SELECT total(length(bytes)) = ? FROM component_part WHERE digest = ?";
    let whole: bool = sqlx::query_scalar(query)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(digest.to_vec())
        .fetch_one(db)
        .await?;
    match whole {
        true => Ok(()),
        false => Err(StoreError::Changed("component".to_owned())),
    }
}

/// The bytes of a component, if there are any.
pub(super) async fn read(store: &Store, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let query = "SELECT bytes FROM component_part WHERE digest = ? ORDER BY part";
    let parts: Vec<Vec<u8>> = sqlx::query_scalar(query)
        .bind(digest.as_bytes().to_vec())
        .fetch_all(store.readers())
        .await?;
    Ok((!parts.is_empty()).then(|| parts.concat()))
}

/// Deletes a component whose version is gone; one that is uploaded again meanwhile stays.
pub(super) async fn delete(store: &Store, digest: Digest) -> Result<(), StoreError> {
    while delete_part(store, Some(digest)).await? {}
    Ok(())
}

/// Deletes every component without a version.
pub(super) async fn delete_strays(store: &Store) -> Result<(), StoreError> {
    while delete_part(store, None).await? {}
    Ok(())
}

/// Deletes one part without a version, the last one first: what is left of a component begins at its beginning.
async fn delete_part(store: &Store, digest: Option<Digest>) -> Result<bool, StoreError> {
    store
        .writer()
        .write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "DELETE FROM component_part WHERE rowid = (SELECT rowid FROM component_part \
                     WHERE (?1 IS NULL OR digest = ?1) \
                     AND digest NOT IN (SELECT digest FROM connector_version) \
                     ORDER BY digest DESC, part DESC LIMIT 1)",
                )
                .bind(digest.map(|digest| digest.as_bytes().to_vec()))
                .execute(db)
                .await?;
                Ok(done.rows_affected() == 1)
            })
        })
        .await
}
