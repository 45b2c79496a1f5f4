//! The database of a data folder: there, or made on the very first start alone; and its log.

use std::env::VarError;
use std::path::PathBuf;
use std::time::Duration;

use super::{StartError, failed};
use crate::config::Config;
use crate::secret::KeyRing;
use crate::store::Store;

/// Environment variable of the sealing keys, in place of their file.
const SEALING_KEYS: &str = "SENDBOX_SEALING_KEY";
/// What a server leaves in its folder beside the database.
const TRACES: [&str; 3] = ["operator.key", "sealing.key", "sealing.key.ended"];
/// From how many bytes on the log is said to grow, and again at each doubling.
const LOG_LARGE: u64 = 64 << 20;

fn path(config: &Config) -> PathBuf {
    config.store.folder.join("sendbox.db")
}

/// Whether there is a database. One without a byte is one that was cut.
fn is_there(config: &Config) -> bool {
    std::fs::metadata(path(config)).is_ok_and(|found| found.len() > 0)
}

/// Refuses to begin a new database where there was one: a folder that was not mounted, or a restore that forgot it, would
/// silently accept messages for tenants that it does not know.
///
/// # Errors
/// Names what says that there was one, and what to do.
pub(super) fn expect(config: &Config) -> Result<(), StartError> {
    if is_there(config) || config.new_database {
        return Ok(());
    }
    let folder = &config.store.folder;
    let trace = TRACES.iter().find(|name| folder.join(name).exists());
    trace.map_or(Ok(()), |trace| {
        let what = format!("the database {}", path(config).display());
        Err(failed(what)(format!(
            "it is not there, though {trace} is: restore it, or begin an empty one with --new-database"
        )))
    })
}

/// Opens it.
///
/// # Errors
/// Those of its keys, and of the store.
pub(super) async fn open(config: &Config) -> Result<Store, StartError> {
    let path = path(config);
    let what = format!("the database {}", path.display());
    let (keys, record) = (sealing_keys(config)?, config.store.ended_file.as_deref());
    let browse_time = Duration::from_millis(config.node_limits.read_ms);
    let store = Store::open_for(&path, keys, record, browse_time).await;
    store.map_err(failed(what))
}

fn sealing_keys(config: &Config) -> Result<KeyRing, StartError> {
    match std::env::var(SEALING_KEYS) {
        Ok(text) => return KeyRing::from_hex(&text).map_err(failed(SEALING_KEYS)),
        Err(VarError::NotPresent) => {}
        // Never a key of our own in place of one that cannot be read.
        Err(error @ VarError::NotUnicode(_)) => return Err(failed(SEALING_KEYS)(error)),
    }
    let own = || config.store.folder.join("sealing.key");
    let path = config.store.sealing_key_file.clone().unwrap_or_else(own);
    let what = format!("the sealing keys {}", path.display());
    if is_there(config) {
        // A new key would open nothing of it, and stand where the right one is to be put back.
        return KeyRing::load(&path).map_err(|error| {
            failed(what)(format!(
                "{error}; the database is sealed with them: put the file back"
            ))
        });
    }
    KeyRing::load_or_create(&path).map_err(failed(what))
}

/// Says when the database's log grows, because somebody reads for long and holds up its checkpoint.
#[derive(Debug, Default)]
pub(super) struct LogWatch {
    /// Bytes from which on it is said next.
    next: u64,
}

impl LogWatch {
    pub(super) fn look(&mut self, bytes: u64) {
        if self.is_news(bytes) {
            tracing::warn!(
                bytes,
                "the database's log grows: another program reads the database for long, so that the log cannot be taken into it"
            );
        }
    }

    fn is_news(&mut self, bytes: u64) -> bool {
        let due = bytes >= self.next.max(LOG_LARGE);
        if due {
            self.next = bytes.saturating_mul(2);
        } else if bytes < LOG_LARGE {
            self.next = LOG_LARGE;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_grows_is_said_at_each_doubling_and_anew_once_it_shrank() {
        let mut watch = LogWatch::default();
        let mebibytes = [1, 64, 65, 127, 128, 4, 70];
        let said = mebibytes.map(|count: u64| watch.is_news(count << 20));
        assert_eq!(said, [false, true, false, false, true, false, true]);
    }
}
