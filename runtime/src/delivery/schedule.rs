//! What happens to a message after an attempt: all of retrying, on one page, without I/O.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attempt::{Outcome, Transition};
use crate::message::Channel;
use crate::outcome::FailureKind;
use crate::time::Timestamp;

/// Seconds before the attempts after the first; the last repeats.
const BACKOFF: [u64; 6] = [1, 2, 4, 8, 15, 30];
/// Pause after refused credentials: long enough not to lock an account.
const UNAUTHORIZED_PAUSE: Duration = Duration::from_secs(60);

/// What to do when nobody can tell whether the provider accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnknown {
    /// Stop in state `unknown`: at most once.
    Stop,
    /// Try again inside the time to live, marked as a possible duplicate: at least once.
    Repeat,
}

/// The rules that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts a message, over all integrations.
    pub max_attempts: u32,
    /// For e-mail: a second copy of the same code harms nobody.
    pub unknown_email: OnUnknown,
    /// For SMS: each copy costs money.
    pub unknown_sms: OnUnknown,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 10,
            unknown_email: OnUnknown::Repeat,
            unknown_sms: OnUnknown::Stop,
        }
    }
}

impl RetryPolicy {
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
    /// Whether the route has an integration that was not tried yet.
    pub fallback: bool,
    /// How often the integration of this attempt was tried, this time included.
    pub tries: u32,
    /// The guest was ended by the host.
    pub trapped: bool,
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
    let unknown = failure.kind == FailureKind::Unknown;
    let possible_duplicate = s.possible_duplicate || unknown;
    let give_up = if possible_duplicate {
        Transition::Unknown
    } else {
        Transition::Failed
    };
    if s.now >= s.expires_at {
        return if possible_duplicate {
            Transition::Unknown
        } else {
            Transition::Expired
        };
    }
    let wait = |delay: Duration| Transition::Wait {
        until: s.now.after(delay).min(s.expires_at),
        possible_duplicate,
    };
    if s.once || s.attempt >= policy.max_attempts {
        return give_up;
    }
    match failure.kind {
        FailureKind::Unknown if policy.on_unknown(s.channel) == OnUnknown::Stop => {
            Transition::Unknown
        }
        FailureKind::Unknown => wait(backoff(s.attempt, s.dice)),
        FailureKind::Rejected => give_up,
        _ if s.fallback => wait(Duration::ZERO),
        FailureKind::InvalidSettings | FailureKind::TemplateNotFound => give_up,
        FailureKind::Unauthorized if s.tries > 1 => give_up,
        FailureKind::Unauthorized => wait(UNAUTHORIZED_PAUSE),
        FailureKind::Throttled | FailureKind::Unavailable if s.trapped && s.tries > 1 => give_up,
        FailureKind::Throttled | FailureKind::Unavailable => wait(failure.retry_after.map_or_else(
            || backoff(s.attempt, s.dice),
            |asked| asked.max(Duration::from_secs(1)),
        )),
    }
}

/// Exponential, with jitter over its upper half: callers that failed together come back apart, and
/// none at once.
fn backoff(attempt: u32, dice: u64) -> Duration {
    let step = usize::try_from(attempt.saturating_sub(1))
        .unwrap_or(usize::MAX)
        .min(BACKOFF.len() - 1);
    let millis = BACKOFF.get(step).copied().unwrap_or(30) * 1_000;
    Duration::from_millis(millis / 2 + dice % (millis / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Failure, Receipt};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const TTL: Duration = Duration::from_secs(600);

    fn failed(kind: FailureKind) -> Outcome {
        Outcome::Failure(Failure {
            kind,
            code: None,
            message: String::new(),
            retry_after: None,
        })
    }

    fn situation(outcome: &Outcome) -> Situation<'_> {
        Situation {
            outcome,
            attempt: 1,
            channel: Channel::Email,
            possible_duplicate: false,
            fallback: false,
            tries: 1,
            once: false,
            trapped: false,
            now: NOW,
            expires_at: NOW.after(TTL),
            dice: 500,
        }
    }

    fn wait(millis: u64, possible_duplicate: bool) -> Transition {
        Transition::Wait {
            until: NOW.after(Duration::from_millis(millis)),
            possible_duplicate,
        }
    }

    #[test]
    fn the_table_of_first_attempts_holds() {
        use FailureKind as K;
        // (kind, channel, is there a fallback, next state)
        let table = [
            (K::Unavailable, Channel::Email, false, wait(1_000, false)),
            (K::Unavailable, Channel::Sms, true, wait(0, false)),
            (K::Throttled, Channel::Sms, false, wait(1_000, false)),
            (K::Unauthorized, Channel::Email, false, wait(60_000, false)),
            (K::Unauthorized, Channel::Email, true, wait(0, false)),
            (
                K::InvalidSettings,
                Channel::Email,
                false,
                Transition::Failed,
            ),
            (K::InvalidSettings, Channel::Email, true, wait(0, false)),
            (K::TemplateNotFound, Channel::Sms, false, Transition::Failed),
            (K::Rejected, Channel::Email, true, Transition::Failed),
            (K::Unknown, Channel::Email, true, wait(1_000, true)),
            (K::Unknown, Channel::Sms, true, Transition::Unknown),
        ];
        for (kind, channel, fallback, expected) in table {
            let outcome = failed(kind);
            let s = Situation {
                channel,
                fallback,
                ..situation(&outcome)
            };
            assert_eq!(
                schedule(&RetryPolicy::default(), &s),
                expected,
                "{kind:?} {channel:?} {fallback}"
            );
        }
        let sent = Outcome::Receipt(Receipt::default());
        assert_eq!(
            schedule(&RetryPolicy::default(), &situation(&sent)),
            Transition::Sent
        );
    }

    #[test]
    fn the_providers_wish_counts_between_a_second_and_the_expiry() {
        for (asked, expected) in [(0, 1_000), (7_000, 7_000), (3_600_000, 600_000)] {
            let mut failure = Failure::host(FailureKind::Throttled, "429", "slow down");
            failure.retry_after = Some(Duration::from_millis(asked));
            let outcome = Outcome::Failure(failure);
            assert_eq!(
                schedule(&RetryPolicy::default(), &situation(&outcome)),
                wait(expected, false)
            );
        }
    }

    #[test]
    fn backoff_grows_and_stays_within_its_bounds() {
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (6, 30), (60, 30)] {
            for dice in [0, 1, u64::MAX] {
                let delay = backoff(attempt, dice).as_millis();
                assert!(
                    (seconds * 500..=seconds * 1_000).contains(&delay),
                    "{attempt} {dice}: {delay}"
                );
            }
        }
    }

    #[test]
    fn attempts_end_at_the_limit_and_at_the_expiry() {
        let outcome = failed(FailureKind::Unavailable);
        let last = Situation {
            attempt: 10,
            ..situation(&outcome)
        };
        assert_eq!(schedule(&RetryPolicy::default(), &last), Transition::Failed);
        let late = Situation {
            now: NOW.after(TTL),
            ..situation(&outcome)
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
            let outcome = failed(kind);
            let s = Situation {
                possible_duplicate: true,
                attempt: 10,
                ..situation(&outcome)
            };
            assert_eq!(
                schedule(&RetryPolicy::default(), &s),
                Transition::Unknown,
                "{kind:?}"
            );
            let late = Situation {
                possible_duplicate: true,
                now: NOW.after(TTL),
                ..situation(&outcome)
            };
            assert_eq!(
                schedule(&RetryPolicy::default(), &late),
                Transition::Unknown,
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_guest_that_was_ended_gets_one_more_try() {
        let outcome = failed(FailureKind::Unavailable);
        let once = Situation {
            trapped: true,
            ..situation(&outcome)
        };
        assert_eq!(schedule(&RetryPolicy::default(), &once), wait(1_000, false));
        let twice = Situation {
            trapped: true,
            tries: 2,
            attempt: 2,
            ..situation(&outcome)
        };
        assert_eq!(
            schedule(&RetryPolicy::default(), &twice),
            Transition::Failed
        );
    }

    #[test]
    fn a_test_is_never_tried_again() {
        for (kind, expected) in [
            (FailureKind::Throttled, Transition::Failed),
            (FailureKind::Unauthorized, Transition::Failed),
            (FailureKind::Unavailable, Transition::Failed),
            (FailureKind::Unknown, Transition::Unknown),
        ] {
            let outcome = failed(kind);
            let s = Situation {
                once: true,
                fallback: true,
                ..situation(&outcome)
            };
            assert_eq!(schedule(&RetryPolicy::default(), &s), expected, "{kind:?}");
        }
    }
}
