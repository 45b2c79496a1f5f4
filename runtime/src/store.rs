//! The store: the outbox and the records, in one `SQLite` file that one server has open.
//!
//! Every change goes through one writer that commits what waits together and answers after the commit
//! (`writer`). Payloads, whole recipients and secrets are sealed; a message's leave the file's rows
//! when its state is final.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::SqlitePool;

use crate::secret::KeyRing;

mod accept;
mod api_keys;
mod before;
mod bound;
mod claim;
mod components;
mod connectors;
mod data_keys;
mod email_service;
mod ended;
mod error;
mod file;
mod forget;
mod generations;
mod history;
mod holds;
mod integrations;
mod keys;
mod lapse;
mod migrations;
mod open;
mod pools;
mod purge;
mod queues;
mod renew;
mod routes;
mod row;
mod settle;
mod source_use;
mod spent;
mod templates;
mod tenants;
mod writer;

#[cfg(test)]
mod tests;

pub use accept::{Accepted, KEY_LIFE};
pub use claim::{Claim, Claimed, Hold, Interrupted, Lease};
pub use ended::Restored;
pub use error::StoreError;
pub use history::{MessageFilter, Page, StoredMessage};
pub use keys::SealingKeyState;
pub use lapse::{Cancelled, INTERRUPTED, Settled};
pub use queues::{Queue, Room};
pub use renew::{DataKeyState, Renewed};
pub use spent::{RecipientName, Spending};
pub use templates::{TEMPLATES_BYTES_MAX, TEMPLATES_MAX};

use api_keys::ApiKeys;
use ended::Record;
use file::DatabaseFile;
use keys::Keys;
use open::Lanes;
use writer::Writer;

/// How long a statement of who looks things up may take.
pub const BROWSE_TIME: Duration = Duration::from_secs(2);

/// How long it is known whether messages can be accepted.
const READY_LIFE: Duration = Duration::from_secs(1);

/// The open store. Clones are handles to the same file.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    browses: bool,
}

struct Inner {
    path: PathBuf,
    keys: Keys,
    record: Record,
    restored: Option<Restored>,
    writer: Writer,
    readers: Lanes,
    api_keys: ApiKeys,
    /// When a commit was tried to see whether messages can be accepted, and what came of it.
    checked: tokio::sync::Mutex<Option<(Instant, Result<(), StoreError>)>>,
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
        Self::open_for(path, ring, None, BROWSE_TIME).await
    }

    /// The same with the record of what ended in a file of its own choice.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::Record`] where the record cannot be read or written.
    pub async fn open_with(path: &Path, ring: KeyRing, record: &Path) -> Result<Self, StoreError> {
        Self::open_for(path, ring, Some(record), BROWSE_TIME).await
    }

    /// The same with the time that a statement of [`Store::browsing`] may take.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub async fn open_for(
        path: &Path,
        ring: KeyRing,
        record: Option<&Path>,
        browse_time: Duration,
    ) -> Result<Self, StoreError> {
        let mut beside = ring.file().unwrap_or(path).as_os_str().to_owned();
        beside.push(".ended");
        let record = record.unwrap_or(Path::new(&beside));
        let opened = open::open(path, ring, record, browse_time).await?;
        let inner = Inner {
            path: path.to_owned(),
            keys: opened.keys,
            record: opened.record,
            restored: opened.restored,
            writer: Writer::start(opened.db, opened.options, opened.lock),
            readers: opened.readers,
            api_keys: ApiKeys::default(),
            checked: tokio::sync::Mutex::default(),
            turn: Arc::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            browses: false,
        })
    }

    /// The same store for whoever looks things up: its reads keep out of the way of accepting and delivering, and
    /// one that takes too long ends as [`StoreError::TooLong`].
    #[must_use]
    pub fn browsing(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            browses: true,
        }
    }

    /// Commits what waits and closes the file; later calls are answered with [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
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

    /// Whether messages can be accepted: what [`Store::check`] said within the last second, else what it says now.
    /// However many ask, there is one commit a second.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        let mut checked = self.inner.checked.lock().await;
        let known = checked.as_ref().filter(|(at, _)| at.elapsed() < READY_LIFE);
        if let Some((_, result)) = known
            && !self.writer().is_closed()
        {
            return result.clone();
        }
        let result = self.check().await;
        *checked = Some((Instant::now(), result.clone()));
        result
    }

    /// Bytes of the log beside the database. It grows while a reader of somebody else's holds up its checkpoint.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        DatabaseFile::log_bytes(&self.inner.path)
    }

    fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    fn readers(&self) -> &SqlitePool {
        match self.browses {
            true => &self.inner.readers.browse,
            false => &self.inner.readers.work,
        }
    }
}
