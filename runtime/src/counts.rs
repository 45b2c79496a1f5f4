//! Counters of what happened since the process started. Their labels are words of this program: nothing
//! that a caller, a connector or a provider wrote can become one.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of this process's log that were dropped.
pub static LOG_LINES_DROPPED: AtomicU64 = AtomicU64::new(0);

/// Something that would be said too often: it is once a minute at most.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    const PAUSE: Duration = Duration::from_secs(60);

    /// Nothing was said yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether to say it now.
    pub fn now(&self) -> bool {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = said.is_none_or(|said| now.saturating_duration_since(said) >= Self::PAUSE);
        if due {
            *said = Some(now);
        }
        due
    }
}

/// A counter for each combination of `N` labels.
#[derive(Debug)]
pub struct Tally<const N: usize>(Mutex<BTreeMap<[&'static str; N], u64>>);

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<const N: usize> Tally<N> {
    /// Counts one.
    pub fn add(&self, labels: [&'static str; N]) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(labels).or_default() += 1;
    }

    /// Every combination that was counted, in order.
    #[must_use]
    pub fn read(&self) -> Vec<([&'static str; N], u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|(labels, count)| (*labels, *count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_seldom_is_said_once_a_minute() {
        let (seldom, now) = (Seldom::new(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(
            [0, 1, 59, 60, 61, 120].map(|s| seldom.at(after(s))),
            [true, false, false, true, false, true]
        );
    }

    #[test]
    fn each_combination_is_counted_for_itself() {
        let tally = Tally::default();
        for labels in [["b", "x"], ["a", "x"], ["b", "x"]] {
            tally.add(labels);
        }
        assert_eq!(tally.read(), [(["a", "x"], 1), (["b", "x"], 2)]);
    }
}
