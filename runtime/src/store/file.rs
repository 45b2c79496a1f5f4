//! Whether what was opened is still what lies on the disk. `SQLite` writes on into a file that was deleted or replaced, and
//! into a log that was cut, and says that it is written.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;

use super::StoreError;

/// How a log begins, in the byte order of either machine (<https://www.sqlite.org/fileformat2.html#walformat>).
const LOG_MAGIC: [[u8; 4]; 2] = [[0x37, 0x7f, 0x06, 0x82], [0x37, 0x7f, 0x06, 0x83]];

/// The database and its log as they were last seen.
///
/// The database itself is never opened here: to close it would take away the locks that `SQLite` has on it.
pub(super) struct DatabaseFile {
    path: PathBuf,
    log_path: PathBuf,
    database: Option<Seen>,
    log: Option<(File, Seen)>,
    lost: Option<&'static str>,
}

/// A file's identity and length.
#[derive(Clone, Copy)]
struct Seen {
    device: u64,
    inode: u64,
    bytes: u64,
}

impl Seen {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
        }
    }

    const fn is_same(self, other: Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}

/// Which part of the file is at fault.
enum Fault {
    /// It is not the one that was opened: for good.
    Lost(&'static str),
    /// It is shorter than it was, which a checkpoint of somebody else can have done.
    Shorter,
    /// It could not be looked at.
    Unknown(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Unknown(error)
    }
}

impl DatabaseFile {
    /// The file at `path`, which is open.
    pub(super) fn of(path: &Path) -> Self {
        let mut log_path = path.as_os_str().to_owned();
        log_path.push("-wal");
        Self {
            path: path.to_owned(),
            log_path: log_path.into(),
            database: None,
            log: None,
            lost: None,
        }
    }

    /// Whether what is committed through `db` is written where the next start reads it. Once it is not, it stays so.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with what to do.
    pub(super) async fn check(&mut self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        if self.lost.is_none() {
            match self.look() {
                Ok(()) => return Ok(()),
                Err(Fault::Unknown(error)) => return Err(error.into()),
                Err(Fault::Lost(why)) => self.lost = Some(why),
                Err(Fault::Shorter) => match is_whole(db, &self.path).await {
                    Some(true) => {
                        self.forget_lengths();
                        return Ok(());
                    }
                    // A reader is in the way: the next change asks again.
                    None => return Ok(()),
                    Some(false) => self.lost = Some("was cut"),
                },
            }
            tracing::error!(
                database = %self.path.display(),
                "the database {} under the server: nothing more is accepted. Put the file back, or a backup, and start the server anew",
                self.lost.unwrap_or_default()
            );
        }
        match self.lost {
            None => Ok(()),
            Some(why) => Err(StoreError::unavailable(format!(
                "the database {why} under the server"
            ))),
        }
    }

    fn look(&mut self) -> Result<(), Fault> {
        let found = identity(&self.path, "was removed")?;
        if let Some(before) = self.database {
            if !before.is_same(found) {
                return Err(Fault::Lost("was replaced"));
            }
            if found.bytes < before.bytes {
                return Err(Fault::Shorter);
            }
        }
        self.database = Some(found);
        self.look_at_log()
    }

    fn look_at_log(&mut self) -> Result<(), Fault> {
        let found = match (&self.log, identity(&self.log_path, "lost its log")) {
            // Nothing was written yet.
            (None, Err(Fault::Lost(_))) => return Ok(()),
            (_, found) => found?,
        };
        match &mut self.log {
            None => self.log = Some((File::open(&self.log_path)?, found)),
            Some((_, before)) if !before.is_same(found) => {
                return Err(Fault::Lost("was given another log"));
            }
            Some((_, before)) if found.bytes < before.bytes => return Err(Fault::Shorter),
            Some((_, before)) => *before = found,
        }
        let mut magic = [0; 4];
        if let Some((log, _)) = &self.log
            && found.bytes > 0
            && (log.read_exact_at(&mut magic, 0).is_err() || !LOG_MAGIC.contains(&magic))
        {
            return Err(Fault::Lost("had its log cut"));
        }
        Ok(())
    }

    fn forget_lengths(&mut self) {
        for seen in self
            .database
            .iter_mut()
            .chain(self.log.iter_mut().map(|(_, seen)| seen))
        {
            seen.bytes = 0;
        }
    }

    /// Bytes of the log.
    pub(super) fn log_bytes(path: &Path) -> u64 {
        let log = Self::of(path).log_path;
        std::fs::metadata(log).map_or(0, |log| log.len())
    }
}

fn identity(path: &Path, missing: &'static str) -> Result<Seen, Fault> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Seen::of(&found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Fault::Lost(missing)),
        Err(error) => Err(error.into()),
    }
}

/// Whether nothing is missing though a file is shorter than before; nothing where nobody can tell yet. A log that was cut
/// cannot be copied into the database; one that somebody else's checkpoint has emptied has nothing left to copy.
async fn is_whole(db: &mut SqliteConnection, path: &Path) -> Option<bool> {
    let copied = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(PASSIVE)")
        .fetch_one(&mut *db)
        .await;
    let Ok((_, logged, copied)) = copied else {
        return Some(false);
    };
    if logged != copied {
        return None;
    }
    let pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    let bytes = sqlx::query_scalar::<_, i64>(pages).fetch_one(db).await;
    let (Ok(bytes), Ok(found)) = (bytes, std::fs::metadata(path)) else {
        return Some(false);
    };
    Some(u64::try_from(bytes).is_ok_and(|bytes| bytes <= found.len()))
}
