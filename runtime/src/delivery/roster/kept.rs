//! Copies of records, each good for the generation at which it was read.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

/// Copies before those that are out of date are looked for.
const SWEEP_AT_LEAST: usize = 64;

/// Copies by name.
pub(super) struct Kept<K, V>(RwLock<Copies<K, V>>);

struct Copies<K, V> {
    by_name: HashMap<K, (u64, V)>,
    sweep_at: usize,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(RwLock::new(Copies {
            by_name: HashMap::new(),
            sweep_at: SWEEP_AT_LEAST,
        }))
    }
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    /// The copy, if it was read at this generation.
    pub(super) fn get(&self, name: &K, generation: u64) -> Option<V> {
        let copies = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (made, copy) = copies.by_name.get(name)?;
        (*made == generation).then(|| copy.clone())
    }

    /// Keeps a copy that was read at `generation`. Whenever there are twice as many as were good the last time,
    /// those that are not of the `current` generation of their name go.
    pub(super) fn keep(&self, name: K, generation: u64, copy: V, current: impl Fn(&K) -> u64) {
        let mut copies = self.0.write().unwrap_or_else(PoisonError::into_inner);
        copies.by_name.insert(name, (generation, copy));
        if copies.by_name.len() >= copies.sweep_at {
            copies
                .by_name
                .retain(|name, (made, _)| *made == current(name));
            copies.sweep_at = SWEEP_AT_LEAST.max(2 * copies.by_name.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_good_for_one_generation_and_old_ones_go_in_time() {
        let kept = Kept::default();
        kept.keep("a", 3, "first", |_| 3);
        assert_eq!(kept.get(&"a", 3), Some("first"));
        assert_eq!(kept.get(&"a", 4), None);
        let many = Kept::default();
        for number in 0..1_000_u64 {
            // Only the last ten are of the current generation.
            many.keep(number, 7, (), |name| if name + 10 > number { 7 } else { 8 });
        }
        assert!(many.0.read().unwrap().by_name.len() < 2 * SWEEP_AT_LEAST);
        assert_eq!(many.get(&999, 7), Some(()));
    }
}
