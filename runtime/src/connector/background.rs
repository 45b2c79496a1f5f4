//! Where guests go on that compute for long, or whose tenant takes more than its share: on threads of their
//! own that every other thread goes before, so that no number of them takes the time of a neighbour's send.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::error::ConnectorError;
use super::meter::Meter;
use super::shares::Shares;
use crate::id::TenantId;

/// How much later than others these threads come (setpriority(2)): a tenth of their weight.
const NICE: i32 = 10;

/// The threads, half as many as the machine has cores: a tenant that has the machine for itself is not here.
#[derive(Debug)]
pub(super) struct Background {
    /// Gone only while it is dropped.
    runtime: Option<Runtime>,
    shares: Shares,
}

/// Set when a guest has computed for long; its call moves at its next pause.
pub(super) type Moved = Arc<AtomicBool>;

/// Counts a call's computing, however it ends.
struct Charge<'a> {
    shares: &'a Shares,
    tenant: &'a TenantId,
    meter: Arc<Meter>,
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.shares
            .charge(self.tenant, self.meter.spent(), Instant::now());
    }
}

impl Background {
    pub(super) fn start() -> Result<Self, ConnectorError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads((cores / 2).max(1))
            .thread_name("sandbox-background")
            .on_thread_start(|| {
                // Where it is not possible they take turns with everybody.
                let _ = rustix::process::nice(NICE);
            })
            // Each turn lasts up to a tick: who waits for the network is asked after every one.
            .event_interval(1)
            .enable_all()
            .build()
            .map_err(|error| ConnectorError::Engine(error.to_string()))?;
        Ok(Self {
            runtime: Some(runtime),
            shares: Shares::new(Instant::now()),
        })
    }

    /// Runs a call of `tenant` here until `moved` is set, and from then on in the background; there from
    /// the start where the tenant is over its share. What it takes is counted in `meter`. None: it panicked there.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        tenant: Option<&TenantId>,
        moved: &AtomicBool,
        meter: &Arc<Meter>,
        call: impl Future<Output = T> + Unpin + Send + 'static,
    ) -> Option<T> {
        let mut call = Arc::clone(meter).timed(call);
        let _charge = tenant.map(|tenant| Charge {
            shares: &self.shares,
            tenant,
            meter: Arc::clone(meter),
        });
        if !tenant.is_some_and(|tenant| self.shares.is_over(tenant, Instant::now())) {
            let here = std::future::poll_fn(|context| match Pin::new(&mut call).poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if moved.load(Ordering::Relaxed) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(output) = here.await {
                return Some(output);
            }
        }
        let background = self.runtime.as_ref()?.spawn(call);
        AbortOnDropHandle::new(background).await.ok()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // An async thread, which may be the one that drops this, must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
