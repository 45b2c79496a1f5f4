//! The store: the outbox and the records, in one `SQLite` file that one server has open.
//!
//! Every change goes through one writer that commits what waits together and answers after the commit
//! (`writer`). Payloads, whole recipients and secrets are sealed; a message's leave the file's rows
//! when its state is final.

use std::path::Path;
use std::sync::{Arc, Mutex};

use sqlx::SqlitePool;

use crate::secret::KeyRing;

mod accept;
mod before;
mod bound;
mod claim;
mod connectors;
mod email_service;
mod ended;
mod error;
mod history;
mod integrations;
mod keys;
mod open;
mod pools;
mod purge;
mod row;
mod settle;
mod source_use;
mod templates;
mod tenants;
mod writer;

#[cfg(test)]
mod tests;

pub use accept::{Accepted, KEY_LIFE};
pub use claim::{Claim, Claimed, Interrupted, Lease};
pub use ended::Restored;
pub use error::StoreError;
pub use history::{MessageFilter, Page, StoredMessage};
pub use keys::SealingKeyState;
pub use settle::{Cancelled, Settled};
pub use templates::{TEMPLATES_BYTES_MAX, TEMPLATES_MAX};

use ended::Record;
use keys::Keys;
use writer::Writer;

/// The open store. Clones are handles to the same file.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    keys: Keys,
    record: Record,
    restored: Option<Restored>,
    writer: Writer,
    readers: SqlitePool,
    /// The tenant that was served last: the next claim begins with its successor.
    turn: Arc<Mutex<String>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(…)")
    }
}

impl Store {
    /// Opens the file at `path`, and makes it (mode 0600) where there is none. Leases of an earlier
    /// process are over with this. The record of what ended lies beside the sealing keys, under their file's
    /// name and `.ended`; beside the database where they lie in no file.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another server has it open, [`StoreError::NewerSchema`],
    /// [`StoreError::WrongKey`] and [`StoreError::MissingKey`] before any record is written, and
    /// [`StoreError::Unavailable`].
    pub async fn open(path: &Path, ring: KeyRing) -> Result<Self, StoreError> {
        let mut record = ring.file().unwrap_or(path).as_os_str().to_owned();
        record.push(".ended");
        Self::open_with(path, ring, Path::new(&record)).await
    }

    /// The same with the record of what ended in a file of its own choice.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::Record`] where the record cannot be read or written.
    pub async fn open_with(path: &Path, ring: KeyRing, record: &Path) -> Result<Self, StoreError> {
        let opened = open::open(path, ring, record).await?;
        let inner = Inner {
            keys: opened.keys,
            record: opened.record,
            restored: opened.restored,
            writer: Writer::start(opened.db, opened.options, opened.lock),
            readers: opened.readers,
            turn: Arc::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Commits what waits and closes the file; later calls are answered with [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    /// A number that grows with each change of records: what was read at one generation may be kept
    /// until the next.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.writer().generation()
    }

    /// Commits a change of its own: messages can be accepted. One that changes no value would not reach
    /// the disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn check(&self) -> Result<(), StoreError> {
        const COUNT: &str = "INSERT INTO meta (name, value) VALUES ('checks', 1) \
             ON CONFLICT (name) DO UPDATE SET value = value + 1";
        self.writer()
            .write_or_shed(|db| {
                Box::pin(async move {
                    sqlx::query(COUNT).execute(db).await?;
                    Ok(())
                })
            })
            .await
    }

    fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }
}
