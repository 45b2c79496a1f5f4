//! What a guest takes for time and chance: the machine's, or a recorded case's.

use std::convert::Infallible;
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
                .monotonic_clock(FrozenMonotonic)
                .secure_random(Recorded::new(random))
                .insecure_random(Recorded::new(Bytes::new()))
                .insecure_random_seed(0);
        }
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
        u64::try_from(coarse(self.0.elapsed()).as_nanos()).unwrap_or(u64::MAX)
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

struct FrozenMonotonic;

impl HostMonotonicClock for FrozenMonotonic {
    fn resolution(&self) -> u64 {
        step_nanos()
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Recorded bytes, then the numbers of `SplitMix64` from zero. wasi:random draws each byte of a
/// list by one call of `next_u32`, so that such a call takes a single recorded byte.
struct Recorded {
    bytes: Bytes,
    state: u64,
}

impl Recorded {
    fn new(bytes: Bytes) -> Self {
        Self { bytes, state: 0 }
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
        let mut first = Recorded::new(Bytes::from_static(&[1, 2, 3, 4, 5, 6, 7, 8, 9]));
        assert_eq!(first.try_next_u32(), Ok(1));
        assert_eq!(
            first.try_next_u64(),
            Ok(u64::from_le_bytes([2, 3, 4, 5, 6, 7, 8, 9]))
        );
        let mut second = Recorded::new(Bytes::new());
        let (mut a, mut b) = ([0; 32], [0; 32]);
        first.try_fill_bytes(&mut a).unwrap();
        second.try_fill_bytes(&mut b).unwrap();
        assert_eq!(a, b);
        assert_ne!(a, [a[0]; 32]);
    }
}
