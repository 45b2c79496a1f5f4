//! A guest's memory and tables, bounded in sum.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::engine::{CORE_INSTANCES, MEMORIES, TABLES};
use super::error::ConnectorError;
use super::memory::{Lease, used_up};
use super::meter::Meter;
use crate::limits::{Limit, Limits};

/// Sums what a store's memories and tables grow to; wasmtime's own limiter bounds each alone.
#[derive(Debug)]
pub(super) struct SumLimiter {
    memory: Budget,
    elements: Budget,
    meter: Arc<Meter>,
    lease: Lease,
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
    pub(super) fn new(limits: &Limits, meter: Arc<Meter>, lease: Lease) -> Self {
        let budget = |allowed| Budget { used: 0, allowed };
        Self {
            memory: budget(limits.memory),
            elements: budget(limits.table_elements),
            meter,
            lease,
        }
    }
}

fn over(limit: Limit, detail: String) -> wasmtime::Error {
    ConnectorError::Limit { limit, detail }.into()
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
        if !self.memory.grow(current, desired) {
            let allowed = self.memory.allowed;
            let detail = format!("the connector asked for more than {allowed} bytes of memory");
            return Err(over(Limit::Memory, detail));
        }
        if !self.lease.grow(desired.saturating_sub(current)) {
            return Err(used_up().into());
        }
        self.meter.set_memory(self.memory.used);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if !self.elements.grow(current, desired) {
            let allowed = self.elements.allowed;
            let detail = format!("the connector asked for more than {allowed} table elements");
            return Err(over(Limit::TableElements, detail));
        }
        if !self.lease.grow_table(desired.saturating_sub(current)) {
            return Err(used_up().into());
        }
        self.meter.set_elements(self.elements.used);
        Ok(true)
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
    use crate::connector::EngineConfig;
    use crate::connector::class::ConnectorClass;
    use crate::connector::memory::{Memory, Need};

    /// The limiter of a send of tenant `a`, where guests share half of `budget`.
    async fn limiter(memory: &Memory, limits: &Limits) -> SumLimiter {
        let tenant = "a".parse().unwrap();
        let (class, until) = (ConnectorClass::Small, tokio::time::Instant::now());
        let need = Need::default();
        let lease = memory.lease(Some(&tenant), class, &need, until);
        SumLimiter::new(limits, Arc::default(), lease.await.unwrap())
    }

    fn memory(budget: u64) -> Memory {
        Memory::new(&EngineConfig {
            guest_memory: Some(budget),
            ..EngineConfig::default()
        })
    }

    fn code(error: wasmtime::Error) -> &'static str {
        error.downcast::<ConnectorError>().unwrap().code()
    }

    #[tokio::test]
    async fn growth_is_summed_over_all_memories() {
        let limits = Limits {
            memory: 3 << 16,
            table_elements: 10,
            ..Limits::default()
        };
        let mut limiter = limiter(&memory(1 << 30), &limits).await;
        assert!(limiter.memory_growing(0, 2 << 16, None).is_ok());
        assert!(limiter.memory_growing(0, 1 << 16, None).is_ok());
        let error = limiter.memory_growing(2 << 16, 3 << 16, None).unwrap_err();
        assert_eq!(code(error), "limit.memory");
        assert!(limiter.table_growing(0, 10, None).is_ok());
        assert!(limiter.table_growing(0, 1, None).is_err());
    }

    #[tokio::test]
    async fn growth_ends_where_others_need_what_is_left() {
        let (memory, limits) = (memory(64 << 20), Limits::default());
        let mut first = limiter(&memory, &limits).await;
        let mut second = limiter(&memory, &limits).await;
        assert!(first.memory_growing(0, 20 << 20, None).is_ok());
        // Three quarters of 32 MiB are the tenant's, for all of its sends.
        let error = second.memory_growing(0, 4 << 20, None).unwrap_err();
        assert_eq!(code(error), "limit.guest-memory");
        let error = first.table_growing(0, 1 << 20, None).unwrap_err();
        assert_eq!(code(error), "limit.table-elements");
        drop(first);
        assert!(second.memory_growing(0, 4 << 20, None).is_ok());
    }
}
