//! What stays ended when an older database comes back: revoked keys and deleted tenants.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::SqliteConnection;

use super::generations::Scope;
use super::tenants::delete_all_of;
use super::writer::Work;
use super::{Store, StoreError};
use crate::id::TenantId;
use crate::secret::{Ended, Entry, Ledger};
use crate::time::Timestamp;

/// The name under which the database remembers the last entry that it knows.
const KNOWN: &str = "ended";

/// The record beside the sealing keys, as the writer uses it.
#[derive(Debug)]
pub(super) struct Record(Mutex<Ledger>);

impl Record {
    pub(super) const fn new(ledger: Ledger) -> Self {
        Self(Mutex::new(ledger))
    }

    /// Writes down that something ends, as a part of the transaction that ends it. Answers the entry's number,
    /// for [`Record::undo`] where the transaction fails.
    pub(super) async fn note(
        &self,
        db: &mut SqliteConnection,
        ended: Ended,
    ) -> Result<u64, StoreError> {
        // Rare, and as short as the commit that follows it.
        let number = self.ledger().append(ended)?;
        remember(db, number).await?;
        Ok(number)
    }

    /// The change of that entry was not committed.
    pub(super) fn undo(&self, number: u64) {
        if let Err(error) = self.ledger().append(Ended::Undone(number)) {
            tracing::error!(%error, number, "a change failed, and its entry in the record of what ended stays");
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// A change that ends something for good. `work` says whether it did.
    pub(super) async fn end<F>(
        &self,
        scopes: impl Into<Vec<Scope>>,
        ended: Ended,
        work: F,
    ) -> Result<bool, StoreError>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, bool> + Send + 'static,
    {
        let (inner, noted) = (Arc::clone(&self.inner), Arc::new(AtomicU64::new(0)));
        let number = Arc::clone(&noted);
        let done = self
            .writer()
            .change(scopes, move |db| {
                Box::pin(async move {
                    let done = work(&mut *db).await?;
                    if done {
                        let noted = inner.record.note(db, ended).await?;
                        number.store(noted, Ordering::SeqCst);
                    }
                    Ok(done)
                })
            })
            .await;
        let noted = noted.load(Ordering::SeqCst);
        if done.is_err() && noted > 0 {
            self.inner.record.undo(noted);
        }
        done
    }

    /// Lets database and record agree that time has passed: a database that was restored from a backup made
    /// before is noticed at the next start.
    ///
    /// # Errors
    /// [`StoreError::Record`] and [`StoreError::Unavailable`].
    pub async fn mark(&self) -> Result<(), StoreError> {
        let inner = Arc::clone(&self.inner);
        let mark = self.writer().write(move |db| {
            Box::pin(async move { inner.record.note(db, Ended::Mark).await.map(drop) })
        });
        mark.await
    }

    /// What the start found, where the database was older than the record of what ended.
    #[must_use]
    pub fn restored(&self) -> Option<&Restored> {
        self.inner.restored.as_ref()
    }
}

/// What a start found in an older database, and ended again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Entries that the database did not know.
    pub entries: u64,
    /// Ids of keys that were revoked again.
    pub keys: Vec<String>,
    /// Tenants that were deleted again.
    pub tenants: Vec<TenantId>,
}

/// Ends again what the database does not know to have ended, as one change. None where it knows all.
pub(super) async fn catch_up(
    db: &mut SqliteConnection,
    ledger: &mut Ledger,
    entries: &[Entry],
) -> Result<Option<Restored>, StoreError> {
    let known: Option<i64> = sqlx::query_scalar("SELECT value FROM meta WHERE name = ?")
        .bind(KNOWN)
        .fetch_optional(&mut *db)
        .await?;
    let fresh = known.is_none();
    let known = known
        .and_then(|known| u64::try_from(known).ok())
        .unwrap_or(0);
    let last = ledger.last();
    let mut restored = Restored {
        entries: last.saturating_sub(known),
        ..Restored::default()
    };
    if known > last {
        tracing::warn!(
            known,
            last,
            "the record of what ended is older than the database: restore the newest one, or a backup may bring back what was revoked or deleted"
        );
        ledger.skip_to(known);
    }
    for entry in unknown(entries, known) {
        match &entry.ended {
            Ended::Key(id, at) if revoke(db, id, *at).await? => restored.keys.push(id.clone()),
            Ended::Tenant(id) if delete_all_of(db, id.as_str()).await? => {
                restored.tenants.push(id.clone());
            }
            _ => {}
        }
    }
    let mark = ledger.append(Ended::Mark)?;
    remember(db, mark).await?;
    let new = fresh && restored.keys.is_empty() && restored.tenants.is_empty();
    Ok((restored.entries > 0 && !new).then_some(restored))
}

/// The entries after `known` whose changes stand.
fn unknown(entries: &[Entry], known: u64) -> impl Iterator<Item = &Entry> {
    let undone = |number: u64| {
        let mut entries = entries.iter();
        entries.any(|entry| entry.ended == Ended::Undone(number))
    };
    entries
        .iter()
        .filter(move |entry| entry.number > known && !undone(entry.number))
}

async fn revoke(db: &mut SqliteConnection, id: &str, at: Timestamp) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
        .bind(at.as_millis())
        .bind(id.to_owned())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

async fn remember(db: &mut SqliteConnection, number: u64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
    )
    .bind(KNOWN)
    .bind(i64::try_from(number).unwrap_or(i64::MAX))
    .execute(db)
    .await?;
    Ok(())
}
