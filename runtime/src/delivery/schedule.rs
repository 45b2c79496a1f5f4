//! What happens to a message after an attempt: all of retrying, on one page, without I/O. docs/reliability.md has it
//! as a table.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::route::{Onward, Standing};
use crate::attempt::{Outcome, Transition};
use crate::message::Channel;
use crate::outcome::{Failure, FailureKind};
use crate::time::Timestamp;

/// Pause after refused secrets while others are being put in their place: long enough not to lock an account.
const UNAUTHORIZED_PAUSE: Duration = Duration::from_secs(60);
/// How often one integration repeats at most what it may have sent already.
const REPEATS: usize = 2;
/// The second of these repeats waits so many times as long as the first.
const REPEAT_GROWTH: u32 = 3;
/// What is left of a life for the last attempt, at most and as a part of it.
const LAST: (Duration, u32) = (Duration::from_secs(15), 40);

/// What to do when nobody can tell whether the provider accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnknown {
    /// Stop in state `unknown`: at most once.
    Stop,
    /// Move on once to another integration of the route, marked as a possible duplicate.
    Next,
    /// The same, and where there is no other integration repeat at most twice by the same one.
    Repeat,
}

/// The rules that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts a message, over all integrations, spread over its life.
    pub max_attempts: u32,
    /// Milliseconds before the second attempt; the pauses after it grow with the time that is left.
    pub pause_ms: u64,
    /// Milliseconds before an integration first repeats what it may have sent already.
    pub unknown_pause_ms: u64,
    /// For e-mail: a second copy of the same code harms nobody.
    pub unknown_email: OnUnknown,
    /// For SMS: each copy costs money, and a person who is locked out costs more.
    pub unknown_sms: OnUnknown,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 10,
            pause_ms: 1_000,
            unknown_pause_ms: 10_000,
            unknown_email: OnUnknown::Repeat,
            unknown_sms: OnUnknown::Next,
        }
    }
}

impl RetryPolicy {
    /// The least of each number.
    pub(super) const MINIMA: Self = Self {
        max_attempts: 1,
        pause_ms: 1,
        unknown_pause_ms: 1,
        unknown_email: OnUnknown::Stop,
        unknown_sms: OnUnknown::Stop,
    };

    /// The most of each number.
    pub(super) const MAXIMA: Self = Self {
        max_attempts: 100,
        pause_ms: 60 * 60 * 1_000,
        unknown_pause_ms: 60 * 60 * 1_000,
        unknown_email: OnUnknown::Stop,
        unknown_sms: OnUnknown::Stop,
    };

    fn on_unknown(&self, channel: Channel) -> OnUnknown {
        match channel {
            Channel::Email => self.unknown_email,
            Channel::Sms => self.unknown_sms,
        }
    }
}

/// Everything that the next state depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    /// What came of the attempt.
    pub outcome: &'a Outcome,
    /// Its number, from 1.
    pub attempt: u32,
    /// The message's channel.
    pub channel: Channel,
    /// Whether an attempt before this one may have been accepted.
    pub possible_duplicate: bool,
    /// Where the message stands in its route with this attempt's integration.
    pub standing: &'a Standing,
    /// The guest was ended by the host.
    pub trapped: bool,
    /// Whether the integration's secrets are being replaced.
    pub rotating: bool,
    /// When the message was accepted.
    pub created_at: Timestamp,
    /// When the attempt ended.
    pub now: Timestamp,
    /// When the message expires.
    pub expires_at: Timestamp,
    /// Whether there is no second attempt, whatever comes of this one.
    pub once: bool,
    /// A random number: the jitter.
    pub dice: u64,
}

/// The message's next state. A wait never ends after `expires_at`: what is due then has expired.
#[must_use]
pub(super) fn schedule(policy: &RetryPolicy, s: &Situation<'_>) -> Transition {
    let failure = match s.outcome {
        Outcome::Receipt(_) => return Transition::Sent,
        Outcome::Failure(failure) => failure,
    };
    let possible_duplicate = s.possible_duplicate || failure.kind == FailureKind::Unknown;
    if s.now >= s.expires_at && !possible_duplicate {
        return Transition::Expired;
    }
    let is_last = s.once || s.attempt >= policy.max_attempts || s.now >= s.expires_at;
    match pause(policy, s, failure).filter(|_| !is_last) {
        Some(pause) => Transition::Wait {
            until: s.now.after(pause).min(s.expires_at),
            possible_duplicate,
        },
        None if possible_duplicate => Transition::Unknown,
        None => Transition::Failed,
    }
}

/// How long until the next attempt, if there is one.
fn pause(policy: &RetryPolicy, s: &Situation<'_>, failure: &Failure) -> Option<Duration> {
    use FailureKind as Kind;
    match (failure.kind, s.standing.onward) {
        (Kind::Rejected, _) => None,
        (Kind::Unknown, _) => pause_in_doubt(policy, s, failure),
        (_, Onward::Untried) => Some(Duration::ZERO),
        (Kind::Throttled | Kind::Unavailable, onward) => {
            let is_broken = s.trapped && s.standing.tries > 1 && onward != Onward::Tried;
            let asked = failure.retry_after.unwrap_or_default();
            (!is_broken).then(|| asked.max(spread(policy, s)))
        }
        (_, Onward::Tried) => Some(spread(policy, s)),
        (Kind::Unauthorized, Onward::Nowhere) if s.rotating && s.standing.tries == 1 => {
            Some(UNAUTHORIZED_PAUSE)
        }
        // Back to the one that may have accepted.
        (_, Onward::Doubtful) => repeat(policy, s, s.standing.doubts.len()),
        (Kind::InvalidSettings | Kind::TemplateNotFound | Kind::Unauthorized, Onward::Nowhere) => {
            None
        }
    }
}

/// The same after an attempt that may have been accepted: one more by another integration, or a few by this one.
fn pause_in_doubt(policy: &RetryPolicy, s: &Situation<'_>, failure: &Failure) -> Option<Duration> {
    let before = &s.standing.doubts;
    if policy.on_unknown(s.channel) == OnUnknown::Stop {
        return None;
    }
    match s.standing.onward {
        Onward::Untried if before.is_empty() => return Some(Duration::ZERO),
        Onward::Tried if before.is_empty() => return Some(spread(policy, s)),
        _ => {}
    }
    // It moved on already, or learns nothing by another try.
    let is_same = |doubt: &super::route::Doubt| !doubt.here || doubt.code == failure.code;
    match before.iter().any(is_same) {
        true => None,
        false => repeat(policy, s, before.len() + 1),
    }
}

/// The pause before a repeat by an integration that may have sent already, if the policy has one.
fn repeat(policy: &RetryPolicy, s: &Situation<'_>, doubts: usize) -> Option<Duration> {
    let may = policy.on_unknown(s.channel) == OnUnknown::Repeat && doubts <= REPEATS;
    let first = Duration::from_millis(policy.unknown_pause_ms);
    let pause = if doubts > 1 {
        first.saturating_mul(REPEAT_GROWTH)
    } else {
        first
    };
    may.then(|| jittered(pause, pause, s.dice))
}

/// When the last attempt of a message is due at the latest.
pub(super) fn latest(created_at: Timestamp, expires_at: Timestamp) -> Timestamp {
    created_at.after(before_the_end(created_at.until(expires_at)))
}

/// A life without what is left for its last attempt.
fn before_the_end(life: Duration) -> Duration {
    let (most, part) = LAST;
    life.saturating_sub((life / part).min(most))
}

/// The pause of a message of which nothing was sent. The attempts that are left stand at ever longer distances, the
/// last of them shortly before the expiry, so that an outage shorter than the life loses nothing, and what waited is
/// sent soon after a short one.
fn spread(policy: &RetryPolicy, s: &Situation<'_>) -> Duration {
    let least = Duration::from_millis(policy.pause_ms.max(1));
    let life = s.created_at.until(s.expires_at);
    let end = before_the_end(life).as_secs_f64();
    let age = s.created_at.until(s.now).max(least).as_secs_f64();
    let left = policy.max_attempts.saturating_sub(s.attempt).max(1);
    let growth = (end / age).powf(f64::from(left).recip());
    let pause = Duration::try_from_secs_f64(age * (growth - 1.0)).unwrap_or_default();
    let apart = least.saturating_mul(10).min(life / 20);
    jittered(pause.max(least), apart, s.dice)
}

/// A pause that is shorter by up to its half, and by no more than `most`: callers that failed together come back apart,
/// and none at once.
fn jittered(pause: Duration, most: Duration, dice: u64) -> Duration {
    let span = (pause / 2).min(most);
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let less = dice % millis.saturating_add(1);
    pause.saturating_sub(Duration::from_millis(less))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::route::Doubt;
    use crate::outcome::Receipt;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const TTL: Duration = Duration::from_secs(600);

    fn failed(kind: FailureKind) -> Outcome {
        Outcome::Failure(Failure {
            kind,
            code: Some("x".to_owned()),
            message: String::new(),
            retry_after: None,
        })
    }

    fn standing(onward: Onward, tries: u32, doubts: &[(bool, &str)]) -> Standing {
        let doubts = doubts.iter().map(|(here, code)| Doubt {
            here: *here,
            code: Some((*code).to_owned()),
        });
        Standing {
            tries,
            onward,
            doubts: doubts.collect(),
        }
    }

    fn situation<'a>(outcome: &'a Outcome, standing: &'a Standing) -> Situation<'a> {
        Situation {
            outcome,
            attempt: 1,
            channel: Channel::Email,
            possible_duplicate: !standing.doubts.is_empty(),
            standing,
            once: false,
            trapped: false,
            rotating: false,
            created_at: NOW,
            now: NOW,
            expires_at: NOW.after(TTL),
            dice: 0,
        }
    }

    /// What a row of the table says comes next.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Next {
        /// Another integration, at once.
        On,
        /// After a pause of the spread.
        Later,
        /// After a pause of so many seconds.
        In(u64),
        /// No other attempt.
        End,
    }

    fn assert_next(next: Next, policy: &RetryPolicy, s: &Situation<'_>, row: &str) {
        let Outcome::Failure(failure) = s.outcome else {
            panic!("{row}");
        };
        let in_doubt = s.possible_duplicate || failure.kind == FailureKind::Unknown;
        let wait = |pause| Transition::Wait {
            until: NOW.after(pause),
            possible_duplicate: in_doubt,
        };
        let expected = match next {
            Next::On => wait(Duration::ZERO),
            Next::Later => wait(spread(policy, s)),
            Next::In(seconds) => wait(Duration::from_secs(seconds)),
            Next::End if in_doubt => Transition::Unknown,
            Next::End => Transition::Failed,
        };
        assert_eq!(schedule(policy, s), expected, "{row}");
    }

    /// The table in docs/reliability.md.
    const TABLE: &str = include_str!("../../../docs/reliability.md");

    /// Its rows: a failure, and what follows with an untried integration, with one that took nothing so far, and with
    /// none.
    fn documented() -> Vec<[String; 4]> {
        let table = TABLE.split("| after an attempt").nth(1).unwrap();
        let rows = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        rows.map(|row| {
            let cells = row.trim_matches('|').split('|');
            let cells: Vec<_> = cells.map(|cell| cell.trim().to_owned()).collect();
            cells.try_into().unwrap()
        })
        .collect()
    }

    fn next(word: &str) -> Next {
        match word {
            "moves on" => Next::On,
            "later" => Next::Later,
            "repeats after 10 s" => Next::In(10),
            "repeats after 30 s" => Next::In(30),
            "repeats after 60 s" => Next::In(60),
            "ends" => Next::End,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_documented_table_is_what_happens() {
        use FailureKind as K;
        use OnUnknown::{Next as Move, Repeat, Stop};
        type Doubts<'a> = &'a [(bool, &'a str)];
        // As documented, in the same order: kind, whether secrets are rotated, policy, doubts before, tries
        let rows: [(K, bool, OnUnknown, Doubts<'_>, u32); 13] = [
            (K::Rejected, false, Repeat, &[], 1),
            (K::Throttled, false, Repeat, &[], 1),
            (K::Unavailable, false, Repeat, &[], 1),
            (K::InvalidSettings, false, Repeat, &[], 1),
            (K::TemplateNotFound, false, Repeat, &[], 1),
            (K::Unauthorized, false, Repeat, &[], 1),
            (K::Unauthorized, true, Repeat, &[], 1),
            (K::Unknown, false, Stop, &[], 1),
            (K::Unknown, false, Move, &[], 1),
            (K::Unknown, false, Repeat, &[], 1),
            (K::Unknown, false, Repeat, &[(true, "other")], 2),
            (K::Unknown, false, Repeat, &[(true, "x")], 2),
            (K::Unknown, false, Repeat, &[(false, "other")], 1),
        ];
        let documented = documented();
        assert_eq!(documented.len(), rows.len());
        for (words, (kind, rotating, on_unknown, doubts, tries)) in documented.iter().zip(rows) {
            assert!(
                words[0].contains(&format!("`{}`", kind.as_str())),
                "{words:?}"
            );
            if kind == K::Unknown {
                let policy = serde_json::to_value(on_unknown).unwrap();
                let policy = format!("`{}`", policy.as_str().unwrap());
                assert!(words[0].contains(&policy), "{words:?}");
            }
            let policy = RetryPolicy {
                unknown_email: on_unknown,
                unknown_sms: on_unknown,
                ..RetryPolicy::default()
            };
            let onwards = [Onward::Untried, Onward::Tried, Onward::Nowhere];
            for (onward, word) in onwards.into_iter().zip(&words[1..]) {
                for channel in [Channel::Email, Channel::Sms] {
                    let (outcome, standing) = (failed(kind), standing(onward, tries, doubts));
                    let s = Situation {
                        channel,
                        rotating,
                        ..situation(&outcome, &standing)
                    };
                    let row = format!("{words:?} {onward:?} {channel:?}");
                    assert_next(next(word), &policy, &s, &row);
                }
            }
        }
        let sent = Outcome::Receipt(Receipt::default());
        let alone = Standing::default();
        let sent = schedule(&RetryPolicy::default(), &situation(&sent, &alone));
        assert_eq!(sent, Transition::Sent);
    }

    #[test]
    fn by_default_both_channels_move_on_and_only_mail_is_repeated_by_the_same() {
        let policy = RetryPolicy::default();
        let outcome = failed(FailureKind::Unknown);
        for (channel, onward, expected) in [
            (Channel::Email, Onward::Untried, Next::On),
            (Channel::Sms, Onward::Untried, Next::On),
            (Channel::Email, Onward::Nowhere, Next::In(10)),
            (Channel::Sms, Onward::Nowhere, Next::End),
        ] {
            let standing = standing(onward, 1, &[]);
            let s = Situation {
                channel,
                ..situation(&outcome, &standing)
            };
            assert_next(expected, &policy, &s, &format!("{channel:?} {onward:?}"));
        }
    }

    #[test]
    fn a_third_doubt_ends_and_so_does_whatever_leads_back_to_it() {
        use FailureKind::{Unauthorized, Unavailable, Unknown};
        let policy = RetryPolicy::default();
        let two = [(true, "a"), (true, "b")];
        let elsewhere = [(false, "a")];
        for (kind, onward, doubts, expected) in [
            (Unknown, Onward::Nowhere, &two[..], Next::End),
            // The other integration cannot send: back to the one that may have.
            (Unauthorized, Onward::Doubtful, &elsewhere[..], Next::In(10)),
            // It may still: a sure failure uses up no repeat.
            (Unavailable, Onward::Doubtful, &elsewhere[..], Next::Later),
            (Unavailable, Onward::Untried, &elsewhere[..], Next::On),
        ] {
            let (outcome, standing) = (failed(kind), standing(onward, 1, doubts));
            let s = situation(&outcome, &standing);
            assert_next(expected, &policy, &s, &format!("{kind:?} {doubts:?}"));
        }
    }

    #[test]
    fn the_providers_wish_counts_between_the_usual_pause_and_the_expiry() {
        let alone = Standing::default();
        for (asked, expected) in [(0, 1_029), (7_000, 7_000), (3_600_000, 600_000)] {
            let mut failure = Failure::host(FailureKind::Throttled, "429", "slow down");
            failure.retry_after = Some(Duration::from_millis(asked));
            let outcome = Outcome::Failure(failure);
            let next = schedule(&RetryPolicy::default(), &situation(&outcome, &alone));
            let Transition::Wait { until, .. } = next else {
                panic!("{next:?}");
            };
            assert_eq!(NOW.until(until).as_millis(), expected, "{asked}");
        }
    }

    /// When a message's attempts begin, each of which takes `lasts` and fails for sure.
    fn attempts(policy: &RetryPolicy, life: Duration, lasts: Duration, dice: u64) -> Vec<Duration> {
        let (outcome, alone) = (failed(FailureKind::Unavailable), Standing::default());
        let (mut at, mut starts) = (NOW, Vec::new());
        loop {
            starts.push(NOW.until(at));
            let s = Situation {
                attempt: u32::try_from(starts.len()).unwrap(),
                now: at.after(lasts),
                expires_at: NOW.after(life),
                dice,
                ..situation(&outcome, &alone)
            };
            match schedule(policy, &s) {
                Transition::Wait { until, .. } if until < NOW.after(life) => at = until,
                _ => return starts,
            }
        }
    }

    #[test]
    fn an_outage_that_is_shorter_than_the_life_loses_nothing() {
        for life in [1, 60, 600, 3_600, 86_400].map(Duration::from_secs) {
            for max_attempts in [2, 3, 5, 10, 20, 100] {
                for (lasts, dice) in [(0, 0), (0, u64::MAX), (0, 7_777), (300, 0), (15_000, 9_999)]
                {
                    let lasts = Duration::from_millis(lasts).min(life / 40);
                    let policy = RetryPolicy {
                        max_attempts,
                        pause_ms: 100,
                        ..RetryPolicy::default()
                    };
                    let starts = attempts(&policy, life, lasts, dice);
                    let last = *starts.last().unwrap();
                    let row = format!("{life:?} {max_attempts} {lasts:?} {dice}: {starts:?}");
                    assert!(last >= life.mul_f64(0.82), "{row}");
                    assert!(last < life, "{row}");
                }
            }
        }
    }

    #[test]
    fn pauses_grow_and_what_waited_is_sent_soon_after_a_short_outage() {
        for dice in [0, 1, 4_999, u64::MAX] {
            let starts = attempts(&RetryPolicy::default(), TTL, Duration::ZERO, dice);
            assert_eq!(starts.len(), 10, "{starts:?}");
            for (before, next) in starts.iter().zip(&starts[1..]) {
                // At most so much longer than the outage lasted, and no less than half the first pause.
                assert!(*next <= *before * 4 + Duration::from_secs(2), "{starts:?}");
                assert!(*next >= *before + Duration::from_millis(500), "{starts:?}");
            }
        }
    }

    #[test]
    fn attempts_end_at_the_limit_and_at_the_expiry() {
        let (outcome, alone) = (failed(FailureKind::Unavailable), Standing::default());
        let last = Situation {
            attempt: 10,
            ..situation(&outcome, &alone)
        };
        assert_eq!(schedule(&RetryPolicy::default(), &last), Transition::Failed);
        let late = Situation {
            now: NOW.after(TTL),
            ..situation(&outcome, &alone)
        };
        assert_eq!(
            schedule(&RetryPolicy::default(), &late),
            Transition::Expired
        );
    }

    #[test]
    fn a_message_that_may_have_been_sent_never_ends_as_merely_failed_or_expired() {
        for kind in [
            FailureKind::Rejected,
            FailureKind::InvalidSettings,
            FailureKind::Unavailable,
        ] {
            let (outcome, standing) = (failed(kind), standing(Onward::Nowhere, 1, &[(true, "x")]));
            for (attempt, now) in [(10, NOW), (1, NOW.after(TTL))] {
                let s = Situation {
                    attempt,
                    now,
                    ..situation(&outcome, &standing)
                };
                let next = schedule(&RetryPolicy::default(), &s);
                assert_eq!(next, Transition::Unknown, "{kind:?}");
            }
        }
    }

    #[test]
    fn a_guest_that_was_ended_gets_one_more_try() {
        let outcome = failed(FailureKind::Unavailable);
        for (tries, expected) in [(1, Next::Later), (2, Next::End)] {
            let standing = standing(Onward::Nowhere, tries, &[]);
            let s = Situation {
                trapped: true,
                attempt: tries,
                ..situation(&outcome, &standing)
            };
            assert_next(expected, &RetryPolicy::default(), &s, &tries.to_string());
        }
    }

    #[test]
    fn a_test_is_never_tried_again() {
        for kind in [
            FailureKind::Throttled,
            FailureKind::Unauthorized,
            FailureKind::Unavailable,
            FailureKind::Unknown,
        ] {
            let (outcome, standing) = (failed(kind), standing(Onward::Untried, 1, &[]));
            let s = Situation {
                once: true,
                rotating: true,
                ..situation(&outcome, &standing)
            };
            assert_next(Next::End, &RetryPolicy::default(), &s, kind.as_str());
        }
    }
}
