//! How much a new address may send: receivers distrust one that begins with many messages.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A growing allowance. Each list has one number for each day since the beginning and limits as long as it
/// lasts: after the end of both the source is warm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// When the first day begins. While it is unknown every moment is the first.
    #[serde(default)]
    pub began_at: Option<Timestamp>,
    /// Messages in the first, the second, … 24 hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_day: Vec<u32>,
    /// Messages in each hour of the first, the second, … 24 hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_hour: Vec<u32>,
}

/// For how long an allowance lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// 24 hours.
    Day,
    /// One hour.
    Hour,
}

impl Span {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    const fn length(self) -> Duration {
        match self {
            Self::Day => Duration::from_secs(24 * 60 * 60),
            Self::Hour => Duration::from_secs(60 * 60),
        }
    }
}

/// What may be sent now, and until when that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Allowance {
    /// The day or the hour.
    pub span: Span,
    /// When it began.
    pub starts_at: Timestamp,
    /// When the next begins.
    pub ends_at: Timestamp,
    /// Messages in it.
    pub most: u32,
}

/// How many messages left in the span that was counted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Which span.
    pub span: Span,
    /// When it began.
    pub starts_at: Timestamp,
    /// How many left in it.
    pub count: u32,
}

impl Allowance {
    /// How many of it are used up. A count of a later span than this one stands: a clock that was set back
    /// allows nothing twice.
    #[must_use]
    pub fn used(&self, uses: &[Use]) -> u32 {
        let mut same = uses.iter().filter(|counted| counted.span == self.span);
        let counted = same.find(|counted| counted.starts_at >= self.starts_at);
        counted.map_or(0, |counted| counted.count)
    }
}

impl WarmUp {
    /// What may be sent at `now`; empty once the source is warm.
    #[must_use]
    pub fn allowances(&self, now: Timestamp) -> Vec<Allowance> {
        let began = self.began_at.unwrap_or(now);
        let day = periods(began, now, Span::Day);
        let most = |list: &[u32]| {
            usize::try_from(day)
                .ok()
                .and_then(|day| list.get(day).copied())
        };
        let limits = [
            (Span::Day, most(&self.per_day)),
            (Span::Hour, most(&self.per_hour)),
        ];
        let allowance = |(span, most): (Span, Option<u32>)| {
            let millis = u64::try_from(span.length().as_millis()).ok()?;
            let passed = periods(began, now, span).saturating_mul(millis);
            let starts_at = began.after(Duration::from_millis(passed));
            Some(Allowance {
                span,
                starts_at,
                ends_at: starts_at.after(span.length()),
                most: most?,
            })
        };
        limits.into_iter().filter_map(allowance).collect()
    }

    /// Until when nothing more may be sent; none where something may be sent at `now`.
    #[must_use]
    pub fn spent_until(&self, now: Timestamp, uses: &[Use]) -> Option<Timestamp> {
        let allowances = self.allowances(now).into_iter();
        allowances
            .filter(|allowance| allowance.used(uses) >= allowance.most)
            .map(|allowance| allowance.ends_at)
            .max()
    }
}

/// Whole spans since the beginning; none before it.
fn periods(began: Timestamp, now: Timestamp, span: Span) -> u64 {
    let passed = began.until(now).as_millis();
    let spans = passed.checked_div(span.length().as_millis());
    spans.map_or(0, |spans| u64::try_from(spans).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + hours * HOUR)
    }

    fn warm_up() -> WarmUp {
        WarmUp {
            began_at: Some(at(0)),
            per_day: vec![50, 100, 500],
            per_hour: vec![10],
        }
    }

    fn used(span: Span, hours: i64, count: u32) -> Use {
        Use {
            span,
            starts_at: at(hours),
            count,
        }
    }

    #[test]
    fn each_day_has_its_allowance_and_after_the_last_there_is_none() {
        let most = |hours| -> Vec<_> {
            let allowances = warm_up().allowances(at(hours));
            let shown = allowances.iter().map(|a| (a.span, a.starts_at, a.most));
            shown.collect()
        };
        assert_eq!(most(5), [(Span::Day, at(0), 50), (Span::Hour, at(5), 10)]);
        assert_eq!(most(24), [(Span::Day, at(24), 100)]);
        assert_eq!(most(71), [(Span::Day, at(48), 500)]);
        assert_eq!(most(72), []);
        assert_eq!(most(-3), [(Span::Day, at(0), 50), (Span::Hour, at(0), 10)]);
    }

    #[test]
    fn a_spent_allowance_ends_with_its_span() {
        let spent = |hours, uses: &[Use]| warm_up().spent_until(at(hours), uses);
        assert_eq!(spent(1, &[]), None);
        assert_eq!(spent(1, &[used(Span::Hour, 1, 9)]), None);
        assert_eq!(spent(1, &[used(Span::Hour, 1, 10)]), Some(at(2)));
        assert_eq!(spent(2, &[used(Span::Hour, 1, 10)]), None);
        let both = [used(Span::Day, 0, 50), used(Span::Hour, 5, 10)];
        assert_eq!(spent(5, &both), Some(at(24)));
        assert_eq!(spent(24, &both), None);
        assert_eq!(spent(72, &both), None);
        // The clock was set back.
        assert_eq!(spent(1, &[used(Span::Hour, 3, 10)]), Some(at(2)));
    }

    #[test]
    fn a_first_number_of_zero_holds_a_source_back() {
        let held = WarmUp {
            per_day: vec![0, 10],
            per_hour: Vec::new(),
            ..warm_up()
        };
        assert_eq!(held.spent_until(at(1), &[]), Some(at(24)));
        assert_eq!(held.spent_until(at(25), &[]), None);
    }
}
