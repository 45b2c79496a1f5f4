//! What has ended for good, written down where no backup of the database overwrites it: beside the sealing keys.
//!
//! One line for each thing, `NUMBER WORD NAME`, numbers growing. A line is on disk before the change
//! of the database is committed that it tells of, and the database remembers the last number that it knows: one
//! that knows less than the file is an older one.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::id::TenantId;
use crate::secret::write_private;
use crate::time::Timestamp;

/// Something that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// An API key was revoked: its id, and when.
    Key(String, Timestamp),
    /// A tenant was deleted.
    Tenant(TenantId),
    /// The entry of that number tells of a change that failed.
    Undone(u64),
    /// Nothing: time passed.
    Mark,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id, at) => write!(f, "key {id} {}", at.as_millis()),
            Self::Tenant(id) => write!(f, "tenant {id}"),
            Self::Undone(number) => write!(f, "undone {number}"),
            Self::Mark => f.write_str("mark -"),
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// What it tells.
    pub ended: Ended,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let number = words.next()?.parse().ok()?;
        let (word, name) = (words.next()?, words.next()?);
        let ended = match word {
            "key" => {
                let at = words.next()?.parse().ok()?;
                Ended::Key(name.to_owned(), Timestamp::from_millis(at))
            }
            "tenant" => Ended::Tenant(name.parse().ok()?),
            "undone" => Ended::Undone(name.parse().ok()?),
            "mark" => Ended::Mark,
            _ => return None,
        };
        words.next().is_none().then_some(Self { number, ended })
    }

    fn line(&self) -> String {
        format!("{} {}\n", self.number, self.ended)
    }
}

/// Why the record of what ended cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written.
    #[error("{path}: {error}: set store.ended_file to a file that this server may write, outside of what backups of the database restore", path = path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// A line is none of this program's.
    #[error("{path}: line {line} is not understood: restore the file, or remove that line", path = path.display())]
    Malformed {
        /// Where it is.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
}

/// The record of what ended.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    last: u64,
}

impl Ledger {
    /// Opens the record, and makes the file (mode 0600) where there is none. Answers its entries too. A last line
    /// that a power cut left unfinished tells of nothing that was committed, and goes.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>), LedgerError> {
        let failed = |error| LedgerError::File {
            path: path.to_owned(),
            error,
        };
        let entries = read(path)?;
        let last = entries.iter().map(|entry| entry.number).max().unwrap_or(0);
        let kept = compacted(&entries);
        let text: String = kept.iter().map(Entry::line).collect();
        write_private(path, text.as_bytes()).map_err(failed)?;
        let options = OpenOptions::new().write(true).mode(0o600).clone();
        let mut file = options.open(path).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let path = path.to_owned();
        Ok((Self { path, file, last }, kept))
    }

    /// The number of the last entry.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Goes on after `number`, which the database knows and this record does not.
    pub fn skip_to(&mut self, number: u64) {
        self.last = self.last.max(number);
    }

    /// Writes down that something ended; on disk when this returns. Answers the entry's number.
    ///
    /// # Errors
    /// [`LedgerError::File`]: then it is not to be committed.
    pub fn append(&mut self, ended: Ended) -> Result<u64, LedgerError> {
        let number = self.last + 1;
        let line = Entry { number, ended }.line();
        let start = self.file.stream_position();
        let written = start.and_then(|start| {
            let written = self.file.write_all(line.as_bytes());
            let synced = written.and_then(|()| self.file.sync_data());
            // A line in part would make the next one unreadable.
            synced.inspect_err(|_| {
                let _ = self.file.set_len(start);
                let _ = self.file.seek(SeekFrom::Start(start));
            })
        });
        written.map_err(|error| LedgerError::File {
            path: self.path.clone(),
            error,
        })?;
        self.last = number;
        Ok(number)
    }
}

fn read(path: &Path) -> Result<Vec<Entry>, LedgerError> {
    let mut text = String::new();
    let file = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    match file {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let path = path.to_owned();
            return Err(LedgerError::File { path, error });
        }
    }
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let lines = text.get(..whole).unwrap_or_default().lines().enumerate();
    lines
        .map(|(index, line)| {
            Entry::parse(line).ok_or_else(|| LedgerError::Malformed {
                path: path.to_owned(),
                line: index + 1,
            })
        })
        .collect()
}

/// Without the marks before the last entry: each tells no more than what comes after it.
fn compacted(entries: &[Entry]) -> Vec<Entry> {
    let last = entries.len().saturating_sub(1);
    let kept = entries.iter().enumerate();
    kept.filter(|(index, entry)| *index == last || entry.ended != Ended::Mark)
        .map(|(_, entry)| entry.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn what_was_written_is_read_and_numbers_go_on() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.ended");
        let (mut ledger, entries) = Ledger::open(&path).unwrap();
        assert_eq!((ledger.last(), entries), (0, Vec::new()));
        let tenant = Ended::Tenant("acme".parse().unwrap());
        for ended in [
            Ended::Mark,
            Ended::Key("k1".into(), NOW),
            Ended::Mark,
            tenant,
            Ended::Undone(2),
        ] {
            ledger.append(ended).unwrap();
        }
        let (mut again, entries) = Ledger::open(&path).unwrap();
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.number, entry.ended.to_string()))
            .collect();
        let expected = [
            (2, "key k1 1800000000000"),
            (4, "tenant acme"),
            (5, "undone 2"),
        ];
        assert_eq!(
            seen,
            expected.map(|(number, text)| (number, text.to_owned()))
        );
        assert_eq!(again.append(Ended::Mark).unwrap(), 6);
        again.skip_to(9);
        assert_eq!(again.append(Ended::Mark).unwrap(), 10);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_was_cut_goes_and_one_that_is_not_understood_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.ended");
        std::fs::write(&path, "1 key a 5\n2 ke").unwrap();
        let (mut ledger, entries) = Ledger::open(&path).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(ledger.append(Ended::Key("b".into(), NOW)).unwrap(), 2);
        assert_eq!(Ledger::open(&path).unwrap().1.len(), 2);
        for wrong in [
            "x",
            "2 key",
            "2 key a",
            "2 key a b",
            "2 key a 5 5",
            "2 vault a",
            "-2 key a 5",
        ] {
            std::fs::write(&path, format!("1 key a 5\n{wrong}\n")).unwrap();
            let error = Ledger::open(&path).unwrap_err();
            assert!(
                matches!(error, LedgerError::Malformed { line: 2, .. }),
                "{wrong}: {error}"
            );
        }
    }
}
