//! Points in time, and where they come from.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault;

/// A point in time: milliseconds since the Unix epoch. In JSON an RFC 3339 text in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point that lies `millis` after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This point and `duration` after it; saturates.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long it is from `self` to `later`; zero if `later` lies before.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The formatter knows years 1970 to 9999 only; a clock outside them must not panic a log line.
        let millis = u64::try_from(self.0).unwrap_or(0).min(253_402_300_799_999);
        let time = UNIX_EPOCH + Duration::from_millis(millis);
        write!(f, "{}", humantime::format_rfc3339_millis(time))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Self::from(time))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let millis = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        Self(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

/// Where the current time comes from: the machine, or a hand that tests move.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock, but that it never runs backwards: where that is set back, time goes on from
    /// where it was, until the process ends. Else what waits would wait, and live, longer by that step.
    #[default]
    System,
    /// Milliseconds since the Unix epoch, moved by its holder.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => machine(Timestamp::default()),
            Self::Manual(millis) => Timestamp(millis.load(Ordering::SeqCst)),
        }
    }

    /// From now on it is `time` or later: what is stored may come from before the clock was set back.
    pub fn not_before(&self, time: Timestamp) {
        match self {
            Self::System => drop(machine(time)),
            Self::Manual(millis) => drop(millis.fetch_max(time.0, Ordering::SeqCst)),
        }
    }
}

/// The machine's clock or `earliest`, and at least as much later than at any call before as time went by.
fn machine(earliest: Timestamp) -> Timestamp {
    /// By how many microseconds the machine's clock was at most ahead of the process's age.
    static LEAD: AtomicI64 = AtomicI64::new(i64::MIN);
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let age = micros(BEGUN.get_or_init(Instant::now).elapsed());
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let wall =
        micros(wall.unwrap_or_default()).saturating_add(fault::clock().saturating_mul(1_000));
    let lead = wall
        .max(earliest.0.saturating_mul(1_000))
        .saturating_sub(age);
    let lead = LEAD.fetch_max(lead, Ordering::SeqCst).max(lead);
    Timestamp(age.saturating_add(lead) / 1_000)
}
