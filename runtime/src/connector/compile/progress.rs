//! Compilations that wait or are under way, for whoever waits for one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::id::Digest;

/// A compilation as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compilation {
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// What it does.
    pub state: CompilationState,
    /// Milliseconds since it was asked for.
    pub elapsed_ms: u64,
    /// Milliseconds of CPU so far; none while it waits, or where no process of its own compiles.
    pub cpu_ms: Option<u64>,
    /// Milliseconds of CPU that it may take; none where no process of its own compiles.
    pub cpu_most_ms: Option<u64>,
}

/// What a compilation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompilationState {
    /// Others are compiled first.
    Waiting,
    /// The compiler is at work.
    Compiling,
}

/// All compilations of a process, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Progress {
    entries: Mutex<BTreeMap<u64, Arc<Entry>>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    digest: Digest,
    size: u64,
    asked: Instant,
    compiling: std::sync::atomic::AtomicBool,
    process: AtomicU32,
    cpu_most: AtomicU64,
}

/// A compilation, until it is dropped.
pub(super) struct Underway {
    progress: Arc<Progress>,
    number: u64,
    entry: Arc<Entry>,
}

impl Progress {
    pub(super) fn ask(self: &Arc<Self>, digest: Digest, size: usize) -> Underway {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
            digest,
            size: size as u64,
            asked: Instant::now(),
            compiling: false.into(),
            process: AtomicU32::new(0),
            cpu_most: AtomicU64::new(0),
        });
        self.entries().insert(number, Arc::clone(&entry));
        Underway {
            progress: Arc::clone(self),
            number,
            entry,
        }
    }

    /// Those that wait or are under way, the first that was asked for first.
    pub(super) fn read(&self) -> Vec<Compilation> {
        self.entries().values().map(|entry| entry.read()).collect()
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn read(&self) -> Compilation {
        let some = |number: u64| (number > 0).then_some(number);
        let process = self.process.load(Ordering::Relaxed);
        Compilation {
            digest: self.digest,
            size: self.size,
            state: match self.compiling.load(Ordering::Relaxed) {
                true => CompilationState::Compiling,
                false => CompilationState::Waiting,
            },
            elapsed_ms: u64::try_from(self.asked.elapsed().as_millis()).unwrap_or(u64::MAX),
            cpu_ms: some(process.into()).and_then(|_| cpu_of(process)),
            cpu_most_ms: some(self.cpu_most.load(Ordering::Relaxed)),
        }
    }
}

impl Underway {
    /// The compiler begins.
    pub(super) fn begin(&self) {
        self.entry.compiling.store(true, Ordering::Relaxed);
    }

    /// A process compiles, with so many seconds of CPU.
    pub(super) fn by(&self, process: Option<u32>, cpu_seconds: u64) {
        let most = cpu_seconds.saturating_mul(1_000);
        self.entry.cpu_most.store(most, Ordering::Relaxed);
        let process = process.unwrap_or_default();
        self.entry.process.store(process, Ordering::Relaxed);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.progress.entries().remove(&self.number);
    }
}

/// Milliseconds of CPU that a process has used (proc(5): utime and stime).
fn cpu_of(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1))
}
