//! So many in a time, by the generic cell rate algorithm (ITU-T I.371): one number for each rate, no list of
//! what came.

use std::time::Duration;

use super::OverLimit;
use crate::limits::Limit;
use crate::time::Timestamp;

/// A bucket that is full at first and fills evenly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    limit: Limit,
    count: u64,
    time: Duration,
    key: &'static str,
    /// Microseconds in which one comes back.
    interval: i64,
    /// What the bucket holds.
    burst: i64,
}

/// When the bucket is full again, in microseconds since the Unix epoch.
pub(super) type Spent = i64;

impl Rate {
    /// `count` in `time`, all at once if need be. `key` is its key in `[tenant_limits]`.
    pub(super) fn new(limit: Limit, count: u64, time: Duration, key: &'static str) -> Self {
        let count = count.max(1);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            limit,
            count,
            time,
            key,
            interval: i64::try_from(micros / count).unwrap_or(i64::MAX).max(1),
            burst: i64::try_from(count).unwrap_or(i64::MAX),
        }
    }

    /// The same with another size of the bucket.
    pub(super) fn with_burst(self, burst: u64) -> Self {
        Self {
            burst: i64::try_from(burst).unwrap_or(i64::MAX),
            ..self
        }
    }

    /// What is spent after one more at `now` microseconds; else how long to wait.
    fn after_one(&self, spent: Spent, now: i64) -> Result<Spent, Duration> {
        let full = spent.max(now).saturating_add(self.interval);
        let over = full
            .saturating_sub(now)
            .saturating_sub(self.interval.saturating_mul(self.burst));
        match u64::try_from(over) {
            Ok(over) if over > 0 => Err(Duration::from_micros(over)),
            _ => Ok(full),
        }
    }

    fn over(&self, wait: Duration) -> OverLimit {
        let (count, key) = (self.count, self.key);
        let time = humantime::format_duration(self.time);
        OverLimit {
            limit: self.limit,
            detail: format!("{count} in {time} are allowed (tenant_limits.{key})"),
            wait: Some(wait),
        }
    }
}

/// What is spent of all buckets after one more is taken from each.
pub(super) fn after_one<const N: usize>(
    rates: &[Option<Rate>; N],
    spent: &[Spent; N],
    now: Timestamp,
) -> Result<[Spent; N], OverLimit> {
    let now = now.as_millis().saturating_mul(1_000);
    let mut next = *spent;
    for (rate, spent) in rates.iter().zip(&mut next) {
        if let Some(rate) = rate {
            *spent = rate
                .after_one(*spent, now)
                .map_err(|wait| rate.over(wait))?;
        }
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend<const N: usize>(
        rates: &[Option<Rate>; N],
        spent: &mut [Spent; N],
        now: Timestamp,
    ) -> Result<(), OverLimit> {
        *spent = after_one(rates, spent, now)?;
        Ok(())
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn hourly(count: u64) -> Option<Rate> {
        let hour = Duration::from_hours(1);
        Some(Rate::new(
            Limit::Recipient,
            count,
            hour,
            "recipient_per_hour",
        ))
    }

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_as_much_as_comes_back() {
        let (rates, mut spent) = ([hourly(4)], [0]);
        for _ in 0..4 {
            spend(&rates, &mut spent, at(0)).unwrap();
        }
        let over = spend(&rates, &mut spent, at(0)).unwrap_err();
        assert_eq!(over.wait, Some(Duration::from_mins(15)));
        assert_eq!(
            over.detail,
            "4 in 1h are allowed (tenant_limits.recipient_per_hour)"
        );
        assert!(spend(&rates, &mut spent, at(15 * 60_000 - 1)).is_err());
        spend(&rates, &mut spent, at(15 * 60_000)).unwrap();
        assert!(spend(&rates, &mut spent, at(15 * 60_000)).is_err());
    }

    #[test]
    fn one_bucket_that_is_empty_is_enough_to_refuse() {
        let (rates, mut spent) = ([hourly(2), hourly(1)], [0, 0]);
        spend(&rates, &mut spent, at(0)).unwrap();
        assert!(spend(&rates, &mut spent, at(0)).is_err());
    }

    #[test]
    fn the_largest_rate_and_a_clock_at_its_end_do_not_overflow() {
        let rate = Rate::new(Limit::Calls, u64::MAX, Duration::from_secs(1), "x");
        let mut spent = [i64::MAX];
        let end = Timestamp::from_millis(i64::MAX);
        spend(&[Some(rate.with_burst(u64::MAX))], &mut spent, end).unwrap();
    }
}
