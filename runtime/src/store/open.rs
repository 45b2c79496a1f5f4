//! Opening the file: one server at a time, its keys, one schema.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::migrate::Migrate;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::ended::{self, Record, Restored};
use super::keys::{self, Keys};
use super::migrations::MIGRATIONS;
use super::{StoreError, before};
use crate::secret::{KeyRing, Ledger};

/// How long a read waits for a connection.
const READ_WAIT: Duration = Duration::from_secs(2);
/// How long a statement waits for somebody else's lock: what is under way then, and what came meanwhile, are answered
/// before a front door's caller has waited long enough.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Bytes to which the log shrinks again, once those who held it up are gone.
const LOG_BYTES: &str = "16777216";
/// Connections of each lane.
const READERS: u32 = 4;
/// Steps of `SQLite`'s machine between two looks at the clock: less than a millisecond.
const STEPS: i32 = 1_000;

/// Held while the file is open. The operating system lets it go with the process.
pub(super) struct FileLock {
    _file: File,
}

/// A file that is ready: its write connection, its keys, the way to make another, its readers and its lock.
pub(super) struct Opened {
    pub(super) db: SqliteConnection,
    pub(super) keys: Keys,
    pub(super) record: Record,
    pub(super) restored: Option<Restored>,
    pub(super) options: SqliteConnectOptions,
    pub(super) readers: Lanes,
    pub(super) lock: FileLock,
}

/// Readers apart, so that none of one lane waits for those of the other.
pub(super) struct Lanes {
    /// For what is accepted and sent.
    pub(super) work: SqlitePool,
    /// For whoever looks things up: each statement has so much time and no more.
    pub(super) browse: SqlitePool,
}

impl Lanes {
    async fn open(options: &SqliteConnectOptions, time: Duration) -> Result<Self, StoreError> {
        let pool = || {
            SqlitePoolOptions::new()
                .max_connections(READERS)
                .acquire_timeout(READ_WAIT)
        };
        let read_only = options.clone().read_only(true);
        let browse = pool()
            .after_connect(move |db, _| Box::pin(limit(db, time)))
            .before_acquire(move |db, _| {
                Box::pin(async move { limit(db, time).await.map(|()| true) })
            });
        Ok(Self {
            work: pool().connect_with(read_only.clone()).await?,
            browse: browse.connect_with(read_only).await?,
        })
    }

    pub(super) async fn close(&self) {
        self.browse.close().await;
        self.work.close().await;
    }
}

/// Interrupts what the connection does once `time` is over.
async fn limit(db: &mut SqliteConnection, time: Duration) -> Result<(), sqlx::Error> {
    let end = Instant::now() + time;
    let mut handle = db.lock_handle().await?;
    handle.set_progress_handler(STEPS, move || Instant::now() < end);
    Ok(())
}

pub(super) async fn open(
    path: &Path,
    ring: KeyRing,
    record: &Path,
    browse_time: Duration,
) -> Result<Opened, StoreError> {
    let lock = lock(path)?;
    // SQLite gives its log files the mode of the database.
    private(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(LOCK_WAIT)
        // What is deleted is gone from the file, not merely from its rows.
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", LOG_BYTES)
        .disable_statement_logging();
    let mut db = options.connect().await?;
    before::check(&mut db, &ring).await?;
    migrate(&mut db).await?;
    let keys = keys::open(&mut db, ring).await?;
    let (mut ledger, entries) = Ledger::open(record)?;
    let mut transaction = db.begin().await?;
    let restored = ended::catch_up(&mut transaction, &mut ledger, &entries).await?;
    transaction.commit().await?;
    end_leases(&mut db).await?;
    let readers = Lanes::open(&options, browse_time).await?;
    Ok(Opened {
        db,
        keys,
        record: Record::new(ledger),
        restored,
        options,
        readers,
        lock,
    })
}

/// A file of its own beside the database: closing a second handle of the database itself would take
/// away the locks that `SQLite` has on it.
fn lock(path: &Path) -> Result<FileLock, StoreError> {
    let mut name = OsString::from(path);
    name.push("-lock");
    let file = private(&PathBuf::from(name))?;
    match file.try_lock() {
        Ok(()) => Ok(FileLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn private(path: &Path) -> Result<File, StoreError> {
    Ok(OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?)
}

async fn migrate(db: &mut SqliteConnection) -> Result<(), StoreError> {
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    db.ensure_migrations_table(&MIGRATIONS.table_name).await?;
    let applied = db.list_applied_migrations(&MIGRATIONS.table_name).await?;
    if let Some(found) = applied.iter().map(|m| m.version).max()
        && found > known
    {
        return Err(StoreError::NewerSchema { found, known });
    }
    Ok(MIGRATIONS.run(db).await?)
}

/// Whoever held a lease is gone: the lock says so.
async fn end_leases(db: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE message SET due_at = created_at WHERE due_at IS NOT NULL AND state = 'sending'",
    )
    .execute(db)
    .await?;
    Ok(())
}
