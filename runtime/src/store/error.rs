//! Why the store did not do what it was asked.

use std::path::PathBuf;

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

use crate::secret::{LedgerError, SealError};

/// What `SQLite` calls a statement that was interrupted (`SQLITE_INTERRUPT`).
const INTERRUPTED: &str = "9";

/// Why the store did not do what it was asked. Holds no value of a record.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Disk full, I/O error, overload, or closed. Nothing was acknowledged; asking again may succeed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A look-up of [`Store::browsing`](super::Store::browsing) took longer than it may.
    #[error("reading took longer than it may")]
    TooLong,
    /// The claim's lease is over, or another claim has taken the message since.
    #[error("the claim on the message was lost")]
    Fenced,
    /// The message must not be sent any more.
    #[error("the message has expired")]
    Expired,
    /// Something else refers to what was to be deleted.
    #[error("{what} is in use by {by}")]
    InUse {
        /// Kind and name of what was to be deleted.
        what: String,
        /// Kind and name of one user.
        by: String,
    },
    /// Somebody else changed, made or deleted it after it was read: names it. Nothing was written.
    #[error("the {0} was changed meanwhile")]
    Changed(String),
    /// A record refers to another that does not exist.
    #[error("{0} does not exist")]
    Missing(String),
    /// No room for more of it: names the limit.
    #[error("{0}")]
    Full(String),
    /// A stored record cannot be read.
    #[error("a stored record cannot be read: {0}")]
    Corrupt(String),
    /// Another server has the file open.
    #[error("{} is in use by another server: stop it first", .0.display())]
    Locked(PathBuf),
    /// A newer version of the program made the file.
    #[error(
        "the database has schema {found}, but this version knows only up to {known}: use a newer version"
    )]
    NewerSchema {
        /// The file's schema.
        found: i64,
        /// The newest schema of this version.
        known: i64,
    },
    /// The file was sealed with another key.
    #[error("the database was sealed with another key: check the sealing key")]
    WrongKey,
    /// A key that the file needs is not among those given: its id.
    #[error(
        "the database needs the sealing key {0}, which is not among the given ones: check the sealing key"
    )]
    MissingKey(String),
    /// The record of what ended cannot be written, so that it does not end.
    #[error("the record of what ended: {0}")]
    Record(String),
    /// The sealing keys stay as they are.
    #[error("the sealing keys cannot be changed: {0}")]
    KeyFile(String),
}

impl StoreError {
    pub(super) fn unavailable(why: impl ToString) -> Self {
        Self::Unavailable(why.to_string())
    }

    pub(super) fn corrupt(what: impl ToString) -> Self {
        Self::Corrupt(what.to_string())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            // Only the statement failed; the transaction around it is whole.
            sqlx::Error::Database(cause) if cause.kind() == ErrorKind::ForeignKeyViolation => {
                Self::Missing("a record that this one refers to".into())
            }
            sqlx::Error::Database(cause) if cause.code().as_deref() == Some(INTERRUPTED) => {
                Self::TooLong
            }
            sqlx::Error::Database(cause) if cause.kind() != ErrorKind::Other => {
                Self::corrupt(cause)
            }
            sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => Self::corrupt(&error),
            _ => Self::unavailable(&error),
        }
    }
}

impl From<SealError> for StoreError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Random => Self::unavailable(error),
            SealError::Open => Self::corrupt(error),
            SealError::Key
            | SealError::File(_)
            | SealError::NoFile
            | SealError::FileChanged
            | SealError::FileGone => Self::KeyFile(error.to_string()),
        }
    }
}

impl From<LedgerError> for StoreError {
    fn from(error: LedgerError) -> Self {
        Self::Record(error.to_string())
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        // Its text may repeat what it could not read: keep the place only.
        Self::corrupt(format!(
            "JSON, line {} column {}",
            error.line(),
            error.column()
        ))
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::unavailable(error)
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            other => Self::corrupt(other),
        }
    }
}
