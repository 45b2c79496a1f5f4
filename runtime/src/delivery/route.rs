//! Which integration an attempt goes through, from the route and the attempts before. Pure.

use crate::attempt::{Attempt, Outcome};
use crate::id::IntegrationId;
use crate::outcome::{Failure, FailureKind};
use crate::time::Timestamp;

/// A choice from a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The integration to try.
    pub integration: IntegrationId,
    /// Where the message stands in its route with it.
    pub standing: Standing,
}

impl Choice {
    /// The first try of an integration that nothing stands in for.
    pub(super) fn only(integration: IntegrationId) -> Self {
        Self {
            integration,
            standing: Standing::default(),
        }
    }
}

/// Where a message stands in its route while one of its integrations is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// How often this integration was tried, the coming try included.
    pub tries: u32,
    /// What else the route has.
    pub onward: Onward,
    /// The attempts before this one that may have been accepted.
    pub doubts: Vec<Doubt>,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            tries: 1,
            onward: Onward::Nowhere,
            doubts: Vec::new(),
        }
    }
}

/// The best that a route has besides one integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Onward {
    /// One that was never tried.
    Untried,
    /// One that took nothing and may do so later.
    Tried,
    /// Only such as may have accepted already.
    Doubtful,
    /// None that could take the message.
    Nowhere,
}

/// An attempt that may have been accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// Whether the integration of now made it.
    pub here: bool,
    /// Its failure's code.
    pub code: Option<String>,
}

/// The integration for the next attempt: the first in order, from the one after the last attempt's on and around,
/// that was never tried; else one that took nothing and may do so later; else one that may have accepted. One that
/// cannot send comes last, and one whose circuit is `open` after its like. None for an empty route.
#[must_use]
pub(super) fn choose(
    route: &[IntegrationId],
    attempts: &[Attempt],
    open: &[IntegrationId],
) -> Option<Choice> {
    let last = attempts.last().and_then(integration);
    let at = last.and_then(|last| route.iter().position(|id| id == last));
    let start = at.map_or(0, |at| at + 1);
    let in_turn = route.iter().cycle().skip(start).take(route.len());
    // Of those that cannot send only the last may have something left to try: its earlier secrets.
    let best = in_turn.min_by_key(|id| match worth(id, attempts, open) {
        Onward::Nowhere => (Onward::Nowhere, Some(*id) != last),
        worth => (worth, open.contains(id)),
    });
    best.map(|id| Choice {
        integration: id.clone(),
        standing: standing(route, attempts, open, Some(id)),
    })
}

/// Where a message stands with one integration, after the attempts before this one.
#[must_use]
pub(super) fn standing(
    route: &[IntegrationId],
    attempts: &[Attempt],
    open: &[IntegrationId],
    now: Option<&IntegrationId>,
) -> Standing {
    let is_here = |attempt: &&Attempt| integration(attempt) == now;
    let tries = attempts.iter().filter(is_here).count();
    let others = route.iter().filter(|id| Some(*id) != now);
    let doubts = attempts.iter().filter_map(|attempt| {
        let failure = failure(attempt)?;
        (failure.kind == FailureKind::Unknown).then(|| Doubt {
            here: is_here(&attempt),
            code: failure.code.clone(),
        })
    });
    Standing {
        tries: u32::try_from(tries).unwrap_or(u32::MAX).saturating_add(1),
        onward: others
            .map(|id| worth(id, attempts, open))
            .min()
            .unwrap_or(Onward::Nowhere),
        doubts: doubts.collect(),
    }
}

/// What an integration is worth to a message after these attempts. One whose circuit is open is as one that was tried.
fn worth(id: &IntegrationId, attempts: &[Attempt], open: &[IntegrationId]) -> Onward {
    use FailureKind::{InvalidSettings, TemplateNotFound, Unauthorized, Unknown};
    let tried = attempts.iter().filter(|one| integration(one) == Some(id));
    let kinds: Vec<_> = tried.filter_map(failure).map(|it| it.kind).collect();
    match kinds.last() {
        None if open.contains(id) => Onward::Tried,
        None => Onward::Untried,
        Some(InvalidSettings | TemplateNotFound | Unauthorized) => Onward::Nowhere,
        Some(_) if kinds.contains(&Unknown) => Onward::Doubtful,
        Some(_) => Onward::Tried,
    }
}

/// Until when an integration's provider asked to be left alone, in its last answer to this message.
pub(super) fn asked_for(id: &IntegrationId, attempts: &[Attempt]) -> Option<Timestamp> {
    let mut of_it = attempts
        .iter()
        .rev()
        .filter(|one| integration(one) == Some(id));
    let last = of_it.next()?;
    Some(last.ended_at.after(failure(last)?.retry_after?))
}

fn integration(attempt: &Attempt) -> Option<&IntegrationId> {
    attempt.start.via.as_ref().map(|via| &via.integration)
}

fn failure(attempt: &Attempt) -> Option<&Failure> {
    match &attempt.outcome {
        Outcome::Receipt(_) => None,
        Outcome::Failure(failure) => Some(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::{AttemptStart, Via};
    use crate::id::Digest;
    use crate::outcome::WireRecord;

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
                passed_by: None,
            },
            ended_at: Timestamp::default(),
            outcome: Outcome::Failure(Failure::host(kind, "x", "")),
            earlier_secrets: false,
            exchanges: WireRecord::default(),
            log: Vec::new(),
        }
    }

    fn chosen(route: &str, attempts: &[(&str, FailureKind)]) -> Option<Choice> {
        chosen_around(route, attempts, "")
    }

    fn chosen_around(route: &str, attempts: &[(&str, FailureKind)], open: &str) -> Option<Choice> {
        let open: Vec<IntegrationId> = open
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect();
        let route: Vec<IntegrationId> = route
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect();
        let attempts: Vec<_> = attempts
            .iter()
            .map(|(id, kind)| attempt(id, *kind))
            .collect();
        choose(&route, &attempts, &open)
    }

    #[test]
    fn a_route_goes_on_in_order_and_around_to_what_may_still_take_the_message() {
        use FailureKind::{InvalidSettings, Throttled, Unauthorized, Unavailable, Unknown};
        use Onward::{Doubtful, Nowhere, Tried, Untried};
        assert_eq!(chosen("", &[]), None);
        // (route, attempts before, the next integration, how often it is tried then, what else there is)
        type Row<'a> = (&'a str, &'a [(&'a str, FailureKind)], &'a str, u32, Onward);
        let table: &[Row<'_>] = &[
            ("a", &[], "a", 1, Nowhere),
            ("a b", &[], "a", 1, Untried),
            ("a", &[("a", Unavailable)], "a", 2, Nowhere),
            ("a b", &[("a", Unavailable)], "b", 1, Tried),
            (
                "a b",
                &[("a", Unavailable), ("b", Throttled)],
                "a",
                2,
                Tried,
            ),
            ("a b", &[("a", Unknown)], "b", 1, Doubtful),
            ("a b c", &[("a", Unknown)], "b", 1, Untried),
            ("a", &[("a", Unknown)], "a", 2, Nowhere),
            // What may have accepted is left alone while another may take it.
            (
                "a b",
                &[("a", Unknown), ("b", Unavailable)],
                "b",
                2,
                Doubtful,
            ),
            (
                "a b",
                &[("a", Unknown), ("b", Unauthorized)],
                "a",
                2,
                Nowhere,
            ),
            // What cannot send is not tried again while another may be.
            (
                "a b",
                &[("a", Unauthorized), ("b", Unavailable)],
                "b",
                2,
                Nowhere,
            ),
            ("a b", &[("a", InvalidSettings)], "b", 1, Nowhere),
            (
                "a b c",
                &[("a", Unavailable), ("b", Unauthorized), ("c", Unavailable)],
                "a",
                2,
                Tried,
            ),
            // Nothing is left: once more the last one.
            (
                "a b",
                &[("a", InvalidSettings), ("b", Unauthorized)],
                "b",
                2,
                Nowhere,
            ),
            // One that has left the route since.
            ("b c", &[("gone", Unavailable)], "b", 1, Untried),
        ];
        for (route, attempts, next, tries, onward) in table {
            let choice = chosen(route, attempts).unwrap();
            let standing = &choice.standing;
            assert_eq!(
                (choice.integration.as_str(), standing.tries, standing.onward),
                (*next, *tries, *onward),
                "{route} {attempts:?}"
            );
        }
    }

    #[test]
    fn an_open_circuit_is_passed_by_while_there_is_another_way() {
        use FailureKind::{Unauthorized, Unavailable, Unknown};
        use Onward::{Nowhere, Tried, Untried};
        type Row<'a> = (
            &'a str,
            &'a [(&'a str, FailureKind)],
            &'a str,
            &'a str,
            Onward,
        );
        let table: &[Row<'_>] = &[
            ("a", &[], "a", "a", Nowhere),
            ("a b", &[], "a", "b", Tried),
            ("a b", &[], "a b", "a", Tried),
            ("a b c", &[], "a", "b", Untried),
            ("a b", &[("b", Unavailable)], "a", "b", Tried),
            ("a b", &[("b", Unauthorized)], "a", "a", Nowhere),
            // Rather the one that is down than the one that may have accepted.
            ("a b", &[("b", Unknown)], "a", "a", Onward::Doubtful),
        ];
        for (route, attempts, open, next, onward) in table {
            let choice = chosen_around(route, attempts, open).unwrap();
            let row = format!("{route} {attempts:?} {open}");
            assert_eq!(
                (choice.integration.as_str(), choice.standing.onward),
                (*next, *onward),
                "{row}"
            );
        }
    }

    #[test]
    fn doubts_are_known_by_who_made_them() {
        use FailureKind::{Unavailable, Unknown};
        let choice = chosen("a b", &[("a", Unknown), ("b", Unavailable), ("b", Unknown)]).unwrap();
        assert_eq!(choice.integration.as_str(), "a");
        let here: Vec<_> = choice.standing.doubts.iter().map(|it| it.here).collect();
        assert_eq!(here, [true, false]);
    }
}
