//! A guest's memory and tables, bounded in sum.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use wasmtime::ResourceLimiter;

use super::engine::{CORE_INSTANCES, MEMORIES, TABLES};
use super::error::ConnectorError;
use crate::limits::{Limit, Limits};

/// What a guest has used of its limits when its call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Used {
    /// Bytes of linear memory, summed over all memories.
    pub memory: u64,
    /// Table elements, summed over all tables.
    pub table_elements: u64,
    /// Milliseconds of CPU, in whole ticks that it ran into.
    pub cpu_ms: u64,
}

/// The same while it runs, shared with whoever outlives the store.
#[derive(Debug, Default)]
pub(super) struct Meter {
    memory: AtomicU64,
    elements: AtomicU64,
    ticks: AtomicU64,
}

impl Meter {
    pub(super) fn set_ticks(&self, ticks: u64) {
        self.ticks.store(ticks, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> Used {
        Used {
            memory: self.memory.load(Ordering::Relaxed),
            table_elements: self.elements.load(Ordering::Relaxed),
            cpu_ms: self
                .ticks
                .load(Ordering::Relaxed)
                .saturating_mul(super::engine::TICK_MS),
        }
    }
}

/// Sums what a store's memories and tables grow to; wasmtime's own limiter bounds each alone.
#[derive(Debug)]
pub(super) struct SumLimiter {
    memory: Budget,
    elements: Budget,
    meter: Arc<Meter>,
}

#[derive(Debug)]
struct Budget {
    used: usize,
    allowed: usize,
}

impl Budget {
    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        let fits = used <= self.allowed;
        if fits {
            self.used = used;
        }
        fits
    }
}

impl SumLimiter {
    pub(super) fn new(limits: &Limits, meter: Arc<Meter>) -> Self {
        let budget = |allowed| Budget { used: 0, allowed };
        Self {
            memory: budget(limits.memory),
            elements: budget(limits.table_elements),
            meter,
        }
    }
}

impl ResourceLimiter for SumLimiter {
    // An error, not -1: a guest that is refused memory ends in an abort without words, and its
    // owner would never learn which limit it was.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if self.memory.grow(current, desired) {
            self.meter
                .memory
                .store(self.memory.used as u64, Ordering::Relaxed);
            return Ok(true);
        }
        let detail = format!(
            "the connector asked for more than {} bytes of memory",
            self.memory.allowed
        );
        Err(ConnectorError::Limit {
            limit: Limit::Memory,
            detail,
        }
        .into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if self.elements.grow(current, desired) {
            self.meter
                .elements
                .store(self.elements.used as u64, Ordering::Relaxed);
            return Ok(true);
        }
        let detail = format!(
            "the connector asked for more than {} table elements",
            self.elements.allowed
        );
        Err(ConnectorError::Limit {
            limit: Limit::TableElements,
            detail,
        }
        .into())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_summed_over_all_memories() {
        let limits = Limits {
            memory: 3 << 16,
            table_elements: 10,
            ..Limits::default()
        };
        let mut limiter = SumLimiter::new(&limits, Arc::default());
        assert!(limiter.memory_growing(0, 2 << 16, None).is_ok());
        assert!(limiter.memory_growing(0, 1 << 16, None).is_ok());
        let error = limiter.memory_growing(2 << 16, 3 << 16, None).unwrap_err();
        let error = error.downcast::<ConnectorError>().unwrap();
        assert_eq!(error.code(), "limit.memory");
        assert!(limiter.table_growing(0, 10, None).is_ok());
        assert!(limiter.table_growing(0, 1, None).is_err());
    }
}
