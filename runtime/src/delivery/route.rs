//! Which integration an attempt goes through, from the route and the attempts before. Pure.

use crate::attempt::{Attempt, Outcome};
use crate::id::IntegrationId;
use crate::outcome::FailureKind;

/// A choice from a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The integration to try.
    pub integration: IntegrationId,
    /// How often it was tried, the coming try included.
    pub tries: u32,
    /// Whether the route has another one that was never tried.
    pub fallback: bool,
}

impl Choice {
    /// The first try of an integration that nothing stands in for.
    pub(super) const fn only(integration: IntegrationId) -> Self {
        Self {
            integration,
            tries: 1,
            fallback: false,
        }
    }
}

/// The integration for the next attempt: the primary, and the next in order after each failure that
/// surely left the message unsent. After the last the primary is tried again. None for an empty route.
#[must_use]
pub(super) fn choose(route: &[IntegrationId], attempts: &[Attempt]) -> Option<Choice> {
    let mut at = 0;
    for attempt in attempts {
        let position = route.iter().position(|id| tried(attempt, id));
        // An integration that has left the route since counts as the one before the next.
        at = position.unwrap_or(at);
        if moves_on(&attempt.outcome) {
            at = (at + 1).checked_rem(route.len())?;
        }
    }
    let integration = route.get(at)?.clone();
    let tries = |id: &IntegrationId| attempts.iter().filter(|attempt| tried(attempt, id)).count();
    let fallback = route.iter().any(|id| *id != integration && tries(id) == 0);
    let tries = u32::try_from(tries(&integration))
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    Some(Choice {
        integration,
        tries,
        fallback,
    })
}

fn tried(attempt: &Attempt, id: &IntegrationId) -> bool {
    attempt
        .start
        .via
        .as_ref()
        .is_some_and(|via| via.integration == *id)
}

fn moves_on(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Receipt(_) => false,
        Outcome::Failure(failure) => {
            !matches!(failure.kind, FailureKind::Unknown | FailureKind::Rejected)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::{AttemptStart, Via};
    use crate::id::Digest;
    use crate::outcome::{Failure, WireRecord};
    use crate::time::Timestamp;

    fn attempt(integration: &str, kind: FailureKind) -> Attempt {
        Attempt {
            start: AttemptStart {
                number: 1,
                via: Some(Via {
                    integration: integration.parse().unwrap(),
                    connector: "c".parse().unwrap(),
                    digest: Digest::of(b""),
                }),
                source: None,
                started_at: Timestamp::default(),
                possible_duplicate: false,
            },
            ended_at: Timestamp::default(),
            outcome: Outcome::Failure(Failure::host(kind, "x", "")),
            earlier_secrets: false,
            exchanges: WireRecord::default(),
            log: Vec::new(),
        }
    }

    fn choice(route: &[&str], attempts: &[(&str, FailureKind)]) -> Option<(String, u32, bool)> {
        let route: Vec<IntegrationId> = route.iter().map(|id| id.parse().unwrap()).collect();
        let attempts: Vec<_> = attempts
            .iter()
            .map(|(id, kind)| attempt(id, *kind))
            .collect();
        choose(&route, &attempts).map(|c| (c.integration.as_str().to_owned(), c.tries, c.fallback))
    }

    #[test]
    fn failures_that_left_the_message_unsent_move_on_and_wrap_around() {
        use FailureKind::{Throttled, Unavailable, Unknown};
        assert_eq!(choice(&[], &[]), None);
        assert_eq!(choice(&["a", "b"], &[]), Some(("a".into(), 1, true)));
        assert_eq!(
            choice(&["a", "b"], &[("a", Unavailable)]),
            Some(("b".into(), 1, false))
        );
        assert_eq!(
            choice(&["a", "b"], &[("a", Unavailable), ("b", Throttled)]),
            Some(("a".into(), 2, false))
        );
        assert_eq!(
            choice(&["a", "b"], &[("a", Unknown)]),
            Some(("a".into(), 2, true))
        );
        assert_eq!(
            choice(&["a"], &[("a", Unavailable)]),
            Some(("a".into(), 2, false))
        );
    }

    #[test]
    fn an_integration_that_left_the_route_does_not_stop_it() {
        assert_eq!(
            choice(&["b", "c"], &[("gone", FailureKind::Unavailable)]),
            Some(("c".into(), 1, true))
        );
    }
}
