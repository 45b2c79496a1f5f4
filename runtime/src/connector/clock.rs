//! What a guest takes for time and chance: the machine's, or a recorded case's.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use rand_core::TryRng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// Guests see time in steps of a millisecond: a fine clock is an instrument of side channels.
const STEP: Duration = Duration::from_millis(1);

/// Where a guest's time and random bytes come from.
#[derive(Clone, Debug, Default)]
pub enum GuestClock {
    /// The machine's clock in steps of 1 ms, and its random source.
    #[default]
    System,
    /// A clock that stands still, and random bytes that are given: for recorded cases.
    Frozen {
        /// Milliseconds since the Unix epoch.
        now_ms: u64,
        /// The first random bytes; after them comes a fixed sequence.
        random: Bytes,
    },
    /// The same with a sequence of its own, and with a note of who asks.
    Probe(Probe),
}

/// A clock that stands still and a chance that is given, to be told apart from those of another run: what a
/// guest makes of them shows whether it asks for them anew in each send.
#[derive(Clone, Debug)]
pub struct Probe {
    now_ms: u64,
    random: Bytes,
    seed: u64,
    asked: Arc<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    time: AtomicU64,
    chance: AtomicU64,
}

impl Probe {
    /// At `now_ms` milliseconds since the Unix epoch: first the bytes of `random`, then the sequence of `seed`.
    #[must_use]
    pub fn new(now_ms: u64, random: Bytes, seed: u64) -> Self {
        Self {
            now_ms,
            random,
            seed,
            asked: Arc::default(),
        }
    }

    /// How often the guest asked for the time.
    #[must_use]
    pub fn asked_for_time(&self) -> u64 {
        self.asked.time.load(Ordering::Relaxed)
    }

    /// How often the guest asked for random bytes. A seed for hash tables is none.
    #[must_use]
    pub fn asked_for_chance(&self) -> u64 {
        self.asked.chance.load(Ordering::Relaxed)
    }

    fn set(self, wasi: &mut WasiCtxBuilder) {
        let now = Duration::from_millis(self.now_ms);
        let noted = |source| Noted {
            source,
            asked: Arc::clone(&self.asked),
        };
        wasi.wall_clock(Noted {
            source: FrozenWall(now),
            asked: Arc::clone(&self.asked),
        })
        .monotonic_clock(Noted {
            source: SteppedMonotonic::new(u64::try_from(now.as_nanos()).unwrap_or_default()),
            asked: Arc::clone(&self.asked),
        })
        .secure_random(noted(Recorded::new(self.random, self.seed)))
        .insecure_random(noted(Recorded::new(Bytes::new(), self.seed)))
        .insecure_random_seed(u128::from(self.seed));
    }
}

/// Gives `wasi` the time and chance of `clock`.
pub(super) fn set(wasi: &mut WasiCtxBuilder, clock: GuestClock) {
    match clock {
        GuestClock::System => {
            wasi.wall_clock(CoarseWall)
                .monotonic_clock(CoarseMonotonic(std::time::Instant::now()));
        }
        GuestClock::Frozen { now_ms, random } => {
            let now = Duration::from_millis(now_ms);
            wasi.wall_clock(FrozenWall(now))
                .monotonic_clock(SteppedMonotonic::new(0))
                .secure_random(Recorded::new(random, 0))
                .insecure_random(Recorded::new(Bytes::new(), 0))
                .insecure_random_seed(0);
        }
        GuestClock::Probe(probe) => probe.set(wasi),
    }
}

fn coarse(duration: Duration) -> Duration {
    Duration::new(
        duration.as_secs(),
        duration.subsec_millis().saturating_mul(1_000_000),
    )
}

fn step_nanos() -> u64 {
    u64::from(STEP.subsec_nanos())
}

struct CoarseWall;

impl HostWallClock for CoarseWall {
    fn resolution(&self) -> Duration {
        STEP
    }

    fn now(&self) -> Duration {
        coarse(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }
}

struct CoarseMonotonic(std::time::Instant);

impl HostMonotonicClock for CoarseMonotonic {
    fn resolution(&self) -> u64 {
        step_nanos()
    }

    fn now(&self) -> u64 {
        // Never zero, as that of `SteppedMonotonic`.
        let elapsed = coarse(self.0.elapsed() + STEP);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }
}

struct FrozenWall(Duration);

impl HostWallClock for FrozenWall {
    fn resolution(&self) -> Duration {
        STEP
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// One that moves by a step at each reading, so that who waits for it does not wait for ever.
struct SteppedMonotonic(AtomicU64);

impl SteppedMonotonic {
    /// Never zero: Go takes that for a broken clock.
    fn new(start: u64) -> Self {
        Self(AtomicU64::new(start.max(step_nanos())))
    }
}

impl HostMonotonicClock for SteppedMonotonic {
    fn resolution(&self) -> u64 {
        step_nanos()
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(step_nanos(), Ordering::Relaxed)
    }
}

/// A source that notes who asks it.
struct Noted<T> {
    source: T,
    asked: Arc<Asked>,
}

impl<T: HostWallClock> HostWallClock for Noted<T> {
    fn resolution(&self) -> Duration {
        self.source.resolution()
    }

    fn now(&self) -> Duration {
        self.asked.time.fetch_add(1, Ordering::Relaxed);
        self.source.now()
    }
}

impl<T: HostMonotonicClock> HostMonotonicClock for Noted<T> {
    fn resolution(&self) -> u64 {
        self.source.resolution()
    }

    fn now(&self) -> u64 {
        self.asked.time.fetch_add(1, Ordering::Relaxed);
        self.source.now()
    }
}

impl<T: TryRng> TryRng for Noted<T> {
    type Error = T::Error;

    fn try_next_u32(&mut self) -> Result<u32, T::Error> {
        self.asked.chance.fetch_add(1, Ordering::Relaxed);
        self.source.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, T::Error> {
        self.asked.chance.fetch_add(1, Ordering::Relaxed);
        self.source.try_next_u64()
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), T::Error> {
        self.asked.chance.fetch_add(1, Ordering::Relaxed);
        self.source.try_fill_bytes(out)
    }
}

/// Recorded bytes, then the numbers of `SplitMix64` from a seed. wasi:random draws each byte of a
/// list by one call of `next_u32`, so that such a call takes a single recorded byte.
struct Recorded {
    bytes: Bytes,
    state: u64,
}

impl Recorded {
    fn new(bytes: Bytes, state: u64) -> Self {
        Self { bytes, state }
    }

    fn byte(&mut self) -> u8 {
        if self.bytes.has_remaining() {
            return self.bytes.get_u8();
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [byte, ..] = (mixed ^ (mixed >> 31)).to_le_bytes();
        byte
    }
}

impl TryRng for Recorded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from(self.byte()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill_with(|| self.byte());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_bytes_come_first_and_in_order_and_then_a_fixed_sequence() {
        let mut first = Recorded::new(Bytes::from_static(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), 0);
        assert_eq!(first.try_next_u32(), Ok(1));
        assert_eq!(
            first.try_next_u64(),
            Ok(u64::from_le_bytes([2, 3, 4, 5, 6, 7, 8, 9]))
        );
        let mut second = Recorded::new(Bytes::new(), 0);
        let (mut a, mut b) = ([0; 32], [0; 32]);
        first.try_fill_bytes(&mut a).unwrap();
        second.try_fill_bytes(&mut b).unwrap();
        assert_eq!(a, b);
        assert_ne!(a, [a[0]; 32]);
    }
}
