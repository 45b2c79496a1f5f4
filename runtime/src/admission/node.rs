//! What is left of the machine: disk and memory.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::OverLimit;
use crate::limits::{Limit, NodeLimits, group_memory};

/// The machine as it was when somebody last looked.
pub(super) struct Node {
    folder: PathBuf,
    free_disk_least: u64,
    memory_most: Option<u64>,
    free_disk: AtomicU64,
    memory: AtomicU64,
    full: AtomicBool,
}

impl Node {
    /// The node with its data in `folder`, already looked at.
    pub(super) fn new(folder: PathBuf, limits: &NodeLimits) -> Self {
        let node = Self {
            folder,
            free_disk_least: limits.free_disk_bytes,
            memory_most: limits
                .memory_bytes
                .or_else(|| Some(group_memory()? / 4 * 3)),
            free_disk: AtomicU64::new(u64::MAX),
            memory: AtomicU64::new(0),
            full: AtomicBool::new(false),
        };
        node.look();
        node
    }

    /// Reads free disk and resident memory. What cannot be read counts as enough.
    pub(super) fn look(&self) {
        let disk = rustix::fs::statvfs(&self.folder);
        let free = disk.map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        self.free_disk.store(free, Ordering::Relaxed);
        self.memory
            .store(resident().unwrap_or(0), Ordering::Relaxed);
        self.tell();
    }

    /// Says when the node becomes full, and when it no longer is.
    fn tell(&self) {
        let full = self.check();
        match (&full, self.full.swap(full.is_err(), Ordering::Relaxed)) {
            (Err(over), false) => {
                tracing::warn!(
                    limit = over.limit.code(),
                    "no message is taken: {}",
                    over.detail
                );
            }
            (Ok(()), true) => tracing::info!("messages are taken again"),
            _ => {}
        }
    }

    /// Whether one more message may be taken.
    pub(super) fn check(&self) -> Result<(), OverLimit> {
        let least = self.free_disk_least;
        if self.free_disk.load(Ordering::Relaxed) < least {
            return Err(OverLimit {
                limit: Limit::FreeDisk,
                detail: format!(
                    "the server's disk has less than {least} bytes left (node_limits.free_disk_bytes)"
                ),
                wait: None,
            });
        }
        match self.memory_most {
            Some(most) if self.memory.load(Ordering::Relaxed) > most => Err(OverLimit {
                limit: Limit::NodeMemory,
                detail: format!(
                    "the server uses more than {most} bytes of memory (node_limits.memory_bytes)"
                ),
                wait: None,
            }),
            _ => Ok(()),
        }
    }
}

/// Bytes of this process that are in memory (proc(5)).
fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}
