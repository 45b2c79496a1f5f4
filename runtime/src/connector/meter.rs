//! What a call uses, counted while it runs: memory, table elements, and time of the processor, its host calls'
//! included.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use tokio::time::Instant;

use super::engine::{TICK, TICK_MS};

/// A poll that lasts as long makes the call watched: from then on its polls are timed by the processor's clock,
/// which costs a system call. Those of nearly every send are far shorter, and what they last is what they cost.
const WATCHED: Duration = Duration::from_millis(2);

/// What a guest has used of its limits when its call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Used {
    /// Bytes of linear memory, summed over all memories.
    pub memory: u64,
    /// Table elements, summed over all tables.
    pub table_elements: u64,
    /// Milliseconds of CPU in whole ticks: those that it ran into, or what it and its host calls took if that
    /// is more.
    pub cpu_ms: u64,
}

/// The same while it runs, shared with whoever outlives the store.
#[derive(Debug, Default)]
pub(super) struct Meter {
    memory: AtomicU64,
    elements: AtomicU64,
    ticks: AtomicU64,
    watched: AtomicBool,
    /// Nanoseconds of all polls that have ended.
    spent: AtomicU64,
    /// The thread's clock when the poll under way began; 0 where none is or the call is not watched.
    began: AtomicU64,
}

impl Meter {
    pub(super) fn set_memory(&self, bytes: usize) {
        self.memory.store(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn set_elements(&self, elements: usize) {
        self.elements.store(elements as u64, Ordering::Relaxed);
    }

    pub(super) fn set_ticks(&self, ticks: u64) {
        self.ticks.store(ticks, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> Used {
        let ticks = self.ticks.load(Ordering::Relaxed);
        let spent = u64::try_from(self.spent().as_millis()).unwrap_or(u64::MAX);
        Used {
            memory: self.memory.load(Ordering::Relaxed),
            table_elements: self.elements.load(Ordering::Relaxed),
            cpu_ms: ticks.max(spent / TICK_MS).saturating_mul(TICK_MS),
        }
    }

    /// The time of the processor that polls took.
    pub(super) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// The same with the poll under way, on its own thread.
    pub(super) fn spent_now(&self) -> Duration {
        let under_way = match self.began.load(Ordering::Relaxed) {
            0 => 0,
            began => thread_clock().saturating_sub(began),
        };
        self.spent() + Duration::from_nanos(under_way)
    }

    /// `call`, with the time that it takes of the processor counted here.
    pub(super) fn timed<T, C>(
        self: Arc<Self>,
        mut call: C,
    ) -> impl Future<Output = T> + Unpin + use<T, C>
    where
        C: Future<Output = T> + Unpin,
    {
        std::future::poll_fn(move |context| match self.watched.load(Ordering::Relaxed) {
            true => {
                let began = thread_clock();
                self.began.store(began, Ordering::Relaxed);
                let polled = Pin::new(&mut call).poll(context);
                self.began.store(0, Ordering::Relaxed);
                self.add(thread_clock().saturating_sub(began));
                polled
            }
            false => {
                let started = Instant::now();
                let polled: Poll<T> = Pin::new(&mut call).poll(context);
                let lasted = started.elapsed();
                if lasted >= WATCHED {
                    self.watched.store(true, Ordering::Relaxed);
                }
                // On a busy machine it may have lasted long and taken little. A guest pauses at each tick.
                let lasted = lasted.min(TICK).as_nanos();
                self.add(u64::try_from(lasted).unwrap_or(u64::MAX));
                polled
            }
        })
    }

    /// The same for what runs beside the call on its account, in a task of its own.
    pub(super) async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(move |context| {
            let began = thread_clock();
            let polled = work.as_mut().poll(context);
            self.add(thread_clock().saturating_sub(began));
            polled
        })
        .await
    }

    fn add(&self, nanos: u64) {
        self.spent.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// Nanoseconds that this thread has run.
fn thread_clock() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(time: Duration) {
        let until = thread_clock() + u64::try_from(time.as_nanos()).unwrap();
        while thread_clock() < until {
            std::hint::black_box(0);
        }
    }

    #[tokio::test]
    async fn polls_that_compute_are_counted() {
        let meter = Arc::new(Meter::default());
        let work = Arc::clone(&meter).timed(Box::pin(async {
            for _ in 0..4 {
                burn(Duration::from_millis(20));
                tokio::task::yield_now().await;
            }
            burn(Duration::from_millis(20));
            meter.spent_now()
        }));
        let inside = work.await;
        // The first long poll is what makes the call watched, and counts for a tick.
        let least = TICK + Duration::from_millis(4 * 20);
        assert!(inside >= least && meter.spent() >= inside, "{inside:?}");
        assert!(
            meter.spent() < least + Duration::from_millis(100),
            "{meter:?}"
        );
        assert!(meter.used().cpu_ms >= 80);
        let (before, ten) = (meter.spent(), Duration::from_millis(10));
        meter.beside(async { burn(ten) }).await;
        assert!(meter.spent() >= before + ten);
    }
}
