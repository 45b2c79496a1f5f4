//! Counters of what happened since the process started. Their labels are words of this program: nothing
//! that a caller, a connector or a provider wrote can become one.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

/// Lines of this process's log that were dropped.
pub static LOG_LINES_DROPPED: AtomicU64 = AtomicU64::new(0);

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
    fn each_combination_is_counted_for_itself() {
        let tally = Tally::default();
        for labels in [["b", "x"], ["a", "x"], ["b", "x"]] {
            tally.add(labels);
        }
        assert_eq!(tally.read(), [(["a", "x"], 1), (["b", "x"], 2)]);
    }
}
