//! How many lists and look-ups of one caller are read at once: the rest wait, and not for long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Admission, OverLimit};
use crate::id::TenantId;
use crate::limits::Limit;

/// How long a caller waits for its turn.
const WAIT: Duration = Duration::from_secs(2);
/// Those of all operators together.
const OPERATORS: usize = 8;

/// A turn at reading, until it is dropped.
#[derive(Debug)]
pub struct ReadTurn {
    _permit: OwnedSemaphorePermit,
}

/// The turns that a caller has.
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    pub(super) fn of_tenant(most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self(Arc::new(Semaphore::new(
            most.clamp(1, Semaphore::MAX_PERMITS),
        )))
    }

    pub(super) fn of_operators() -> Self {
        Self(Arc::new(Semaphore::new(OPERATORS)))
    }
}

impl Admission {
    /// A turn at reading for a tenant, or for an operator.
    ///
    /// # Errors
    /// [`OverLimit`] where none came within two seconds.
    pub async fn read(&self, tenant: Option<&TenantId>) -> Result<ReadTurn, OverLimit> {
        let turns = match tenant {
            Some(tenant) => self.used(tenant).reads.0.clone(),
            None => self.operators.0.clone(),
        };
        let taken = tokio::time::timeout(WAIT, turns.acquire_owned()).await;
        if let Ok(Ok(permit)) = taken {
            return Ok(ReadTurn { _permit: permit });
        }
        let most = match tenant {
            Some(_) => format!(
                "{} at once (tenant_limits.concurrent_reads)",
                self.limits.concurrent_reads
            ),
            None => format!("{OPERATORS} at once of all operators"),
        };
        self.hits.add([Limit::Reads.code()]);
        Err(OverLimit {
            limit: Limit::Reads,
            detail: format!("others of your calls are still being read, {most}: nothing was read"),
            wait: Some(Duration::from_secs(1)),
        })
    }
}
