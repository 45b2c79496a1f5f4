//! The one writer: takes all that waits, commits it in one transaction, and answers only after that.

use std::pin::Pin;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::file::DatabaseFile;
use super::generations::{Generations, Scope};
use super::open::FileLock;
use crate::fault;

/// Changes that may wait.
const QUEUE: usize = 4096;
/// Places in the queue that new messages may not take: those that are under way end first.
const RESERVED: usize = 1024;
/// Changes in one transaction.
const BATCH: usize = 512;

/// A change at work on the write connection.
pub(super) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// How a change is kept apart from the others of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apart {
    /// It writes nothing before it can fail.
    ByItself,
    /// A savepoint takes back what it wrote before it failed.
    BySavepoint,
}

/// Gives changes to the writer task.
pub(super) struct Writer {
    queue: mpsc::Sender<Entry>,
    generations: Arc<Generations>,
}

enum Entry {
    Change(Box<dyn Change>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the writer on its connection. The lock is let go after the connection is closed.
    pub(super) fn start(
        db: SqliteConnection,
        options: SqliteConnectOptions,
        lock: FileLock,
    ) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let line = Line {
            file: DatabaseFile::of(options.get_filename()),
            db,
            options,
        };
        tokio::spawn(run(line, entries, lock));
        Self {
            queue,
            generations: Arc::default(),
        }
    }

    /// A change that is one statement, or that fails only before its first.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        self.submit(work, Apart::ByItself, Vec::new()).await
    }

    /// As [`Writer::write`], but refused at once while the queue is nearly full.
    pub(super) async fn write_or_shed<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        if self.queue.capacity() < RESERVED && !self.queue.is_closed() {
            return Err(StoreError::unavailable("too many writes wait"));
        }
        self.submit(work, Apart::ByItself, Vec::new()).await
    }

    /// A change of records, which may fail between its statements. The generations of `scopes` grow if it changed
    /// a row, before who asked for it is answered.
    pub(super) async fn change<T, F>(
        &self,
        scopes: impl Into<Vec<Scope>>,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        self.submit(work, Apart::BySavepoint, scopes.into()).await
    }

    async fn submit<T, F>(&self, work: F, apart: Apart, scopes: Vec<Scope>) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task {
            work: Some(work),
            apart,
            scopes,
            changed: false,
            generations: self.generations.clone(),
            result: Err(closed()),
            reply,
        };
        self.queue
            .send(Entry::Change(Box::new(task)))
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    pub(super) fn generations(&self) -> &Generations {
        &self.generations
    }

    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Ends the writer after everything that waits is committed.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.queue.send(Entry::Close(reply)).await.is_ok() {
            answer.await.ok();
        }
    }
}

fn closed() -> StoreError {
    StoreError::unavailable("closed")
}

/// A change whose result type the writer need not know.
trait Change: Send {
    /// Works inside the transaction. An error here is the end of the whole transaction.
    fn work<'c>(&'c mut self, db: &'c mut SqliteConnection) -> Work<'c, ()>;
    /// Answers who waits, once the transaction has ended.
    fn answer(self: Box<Self>, commit: &Result<(), StoreError>);
}

struct Task<F, T> {
    work: Option<F>,
    apart: Apart,
    scopes: Vec<Scope>,
    /// Whether it changed a row that somebody may keep a copy of.
    changed: bool,
    generations: Arc<Generations>,
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Change for Task<F, T>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
{
    fn work<'c>(&'c mut self, db: &'c mut SqliteConnection) -> Work<'c, ()> {
        Box::pin(async move {
            let Some(work) = self.work.take() else {
                return Ok(());
            };
            if self.apart == Apart::ByItself {
                self.result = work(db).await;
                return match &self.result {
                    Err(error @ StoreError::Unavailable(_)) => Err(error.clone()),
                    _ => Ok(()),
                };
            }
            execute(db, "SAVEPOINT change").await?;
            let before = changes(db).await?;
            self.result = work(db).await;
            match &self.result {
                Err(error @ StoreError::Unavailable(_)) => return Err(error.clone()),
                Err(_) => execute(db, "ROLLBACK TO change").await?,
                Ok(_) => self.changed = changes(db).await? != before,
            }
            execute(db, "RELEASE change").await
        })
    }

    fn answer(self: Box<Self>, commit: &Result<(), StoreError>) {
        // Nobody can tell what a commit that failed has left.
        if self.changed || commit.is_err() {
            for scope in &self.scopes {
                self.generations.grow(scope);
            }
        }
        // Who asked may have gone; the change stands all the same.
        let _ = self.reply.send(commit.clone().and(self.result));
    }
}

/// The write connection, and the file that it writes to.
struct Line {
    db: SqliteConnection,
    options: SqliteConnectOptions,
    file: DatabaseFile,
}

async fn run(mut line: Line, mut entries: mpsc::Receiver<Entry>, lock: FileLock) {
    let mut waiting = Vec::with_capacity(BATCH);
    let mut closing = Vec::new();
    while entries.recv_many(&mut waiting, BATCH).await > 0 {
        let mut batch = Vec::with_capacity(waiting.len());
        for entry in waiting.drain(..) {
            match entry {
                Entry::Change(change) => batch.push(change),
                Entry::Close(reply) => {
                    entries.close();
                    closing.push(reply);
                }
            }
        }
        if batch.is_empty() {
            continue;
        }
        let commit = line.commit(&mut batch).await;
        if let Err(error) = &commit {
            tracing::error!(%error, changes = batch.len(), "store: nothing of a batch was written");
        }
        for change in batch {
            change.answer(&commit);
        }
    }
    if let Err(error) = line.db.close().await {
        tracing::warn!(%error, "store: the write connection did not close cleanly");
    }
    drop(lock);
    for reply in closing {
        let _ = reply.send(());
    }
}

impl Line {
    /// One transaction for all of `batch`: after an error nothing of it was written, as far as anybody can tell.
    async fn commit(&mut self, batch: &mut [Box<dyn Change>]) -> Result<(), StoreError> {
        // Into a log that was cut nothing must be written: a later checkpoint would copy the gap.
        self.file.check(&mut self.db).await?;
        self.begin().await?;
        let mut result = Ok(());
        for change in batch {
            result = change.work(&mut self.db).await;
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            fault::pass("commit");
            result = execute(&mut self.db, "COMMIT").await;
        }
        if result.is_err() {
            // SQLite may have rolled back by itself, and then this fails.
            execute(&mut self.db, "ROLLBACK").await.ok();
            return result;
        }
        self.file.check(&mut self.db).await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
        let Err(error) = sqlx::query(BEGIN).execute(&mut self.db).await else {
            return Ok(());
        };
        if is_locked(&error) {
            // Somebody else writes, and was waited for: a new connection would wait as long again.
            return Err(error.into());
        }
        // The last transaction left the connection in a bad way: take a new one.
        self.db = self.options.connect().await?;
        execute(&mut self.db, BEGIN).await
    }
}

/// Whether somebody else has the lock (`SQLITE_BUSY`, of which the lower byte tells).
fn is_locked(error: &sqlx::Error) -> bool {
    const BUSY: i64 = 5;
    let code = error.as_database_error().and_then(|cause| cause.code());
    let code = code.and_then(|code| code.parse::<i64>().ok());
    code.is_some_and(|code| code & 0xff == BUSY)
}

/// Rows that were changed since the connection was opened.
async fn changes(db: &mut SqliteConnection) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar("SELECT total_changes()");
    Ok(count.fetch_one(db).await?)
}

async fn execute(db: &mut SqliteConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(db).await?;
    Ok(())
}
