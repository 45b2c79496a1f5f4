//! A guest's memory and tables, bounded in sum.

use wasmtime::ResourceLimiter;

use super::engine::{CORE_INSTANCES, MEMORIES, TABLES};
use super::error::ConnectorError;
use crate::limits::{Limit, Limits};

/// Sums what a store's memories and tables grow to; wasmtime's own limiter bounds each alone.
#[derive(Debug)]
pub(super) struct SumLimiter {
    memory: Budget,
    elements: Budget,
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
    pub(super) fn new(limits: &Limits) -> Self {
        let budget = |allowed| Budget { used: 0, allowed };
        Self {
            memory: budget(limits.memory),
            elements: budget(limits.table_elements),
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
        let mut limiter = SumLimiter::new(&limits);
        assert!(limiter.memory_growing(0, 2 << 16, None).is_ok());
        assert!(limiter.memory_growing(0, 1 << 16, None).is_ok());
        let error = limiter.memory_growing(2 << 16, 3 << 16, None).unwrap_err();
        let error = error.downcast::<ConnectorError>().unwrap();
        assert_eq!(error.code(), "limit.memory");
        assert!(limiter.table_growing(0, 10, None).is_ok());
        assert!(limiter.table_growing(0, 1, None).is_err());
    }
}
