//! Whether a route asks an integration first: one whose provider is down is left to later while another may take the
//! message. Pure, but for the lock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::attempt::{Attempt, Outcome};
use crate::id::{IntegrationId, TenantId};
use crate::outcome::FailureKind;
use crate::time::Timestamp;

/// Failures one after another that open a circuit.
const IN_A_ROW: u32 = 5;
/// Or more than half of so many attempts.
const WINDOW: u32 = 20;
/// How long it is open at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Integrations that are known at once. Of those beyond nothing is known, and each is asked in its turn.
const MOST: usize = 10_000;

/// What an attempt says of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// It answers.
    Up,
    /// It does not, or not in a way that can be relied on.
    Down,
    /// Neither: nothing was asked, or it has something against the sender.
    Neither,
}

/// What the attempts of one integration say of its provider; closed at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Circuit {
    in_a_row: u32,
    /// The last attempts, the newest in the lowest bit: whether each failed.
    recent: u32,
    seen: u32,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    /// When one message may try.
    until: Timestamp,
    pause: Duration,
    /// When the last such message began: what began before it tells nothing new.
    tried_at: Timestamp,
}

impl Circuit {
    fn is_open(&self, now: Timestamp) -> bool {
        self.open.is_some_and(|open| now < open.until)
    }

    /// A message goes this way. After a pause it is the only one until it has ended, or another pause is over.
    fn enter(&mut self, now: Timestamp) {
        if let Some(open) = self.open.as_mut().filter(|open| now >= open.until) {
            open.tried_at = now;
            open.until = now.after(open.pause);
        }
    }

    fn note(&mut self, sign: Sign, started_at: Timestamp, now: Timestamp) {
        match sign {
            Sign::Neither => {}
            // What was before an outage, and in it, tells nothing of the time after it.
            Sign::Up if self.open.is_some() => *self = Self::default(),
            Sign::Up => {
                self.in_a_row = 0;
                self.count(0);
            }
            Sign::Down => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.count(1);
                self.down(started_at, now);
            }
        }
    }

    fn count(&mut self, failed: u32) {
        self.recent = (self.recent << 1 | failed) & ((1 << WINDOW) - 1);
        self.seen = self.seen.saturating_add(1).min(WINDOW);
    }

    fn down(&mut self, started_at: Timestamp, now: Timestamp) {
        let (first, most) = PAUSES;
        let half = self.seen == WINDOW && self.recent.count_ones() > WINDOW / 2;
        let pause = match self.open {
            Some(open) if started_at < open.tried_at => return,
            Some(open) => (open.pause * 2).min(most),
            None if self.in_a_row >= IN_A_ROW || half => first,
            None => return,
        };
        self.open = Some(Open {
            until: now.after(pause),
            pause,
            // Until somebody tries, whatever ends was begun before.
            tried_at: now.after(pause),
        });
    }
}

/// What an attempt says of its integration's provider, if anything reached for it.
fn sign(attempt: &Attempt) -> Sign {
    let Outcome::Failure(failure) = &attempt.outcome else {
        return Sign::Up;
    };
    match failure.kind {
        _ if attempt.exchanges.exchanges.is_empty() => Sign::Neither,
        FailureKind::Rejected => Sign::Up,
        FailureKind::Unavailable | FailureKind::Unknown => Sign::Down,
        _ => Sign::Neither,
    }
}

type Key = (TenantId, IntegrationId);

/// The circuits of all integrations whose last attempts failed.
#[derive(Default)]
pub(super) struct Circuits(Mutex<HashMap<Key, Circuit>>);

impl Circuits {
    /// Those of a route that are not to be asked now, while there is another.
    pub(super) fn open(
        &self,
        tenant: &TenantId,
        route: &[IntegrationId],
        now: Timestamp,
    ) -> Vec<IntegrationId> {
        let circuits = self.all();
        if circuits.is_empty() {
            return Vec::new();
        }
        let is_open = |id: &&IntegrationId| {
            let circuit = circuits.get(&(tenant.clone(), (*id).clone()));
            circuit.is_some_and(|circuit| circuit.is_open(now))
        };
        route.iter().filter(is_open).cloned().collect()
    }

    /// A message is about to go by an integration.
    pub(super) fn enter(&self, tenant: &TenantId, id: &IntegrationId, now: Timestamp) {
        if let Some(circuit) = self.all().get_mut(&(tenant.clone(), id.clone())) {
            circuit.enter(now);
        }
    }

    /// An attempt has ended.
    pub(super) fn note(&self, tenant: &TenantId, attempt: &Attempt) {
        if let Some(via) = &attempt.start.via {
            let key = (tenant.clone(), via.integration.clone());
            let (started_at, ended_at) = (attempt.start.started_at, attempt.ended_at);
            self.record(key, sign(attempt), started_at, ended_at);
        }
    }

    fn record(&self, key: Key, sign: Sign, started_at: Timestamp, now: Timestamp) {
        let mut circuits = self.all();
        if !circuits.contains_key(&key) {
            if sign != Sign::Down {
                return;
            }
            if circuits.len() >= MOST {
                circuits.retain(|_, circuit| circuit.open.is_some());
            }
            if circuits.len() >= MOST {
                return;
            }
        }
        let circuit = circuits.entry(key.clone()).or_default();
        let was_open = circuit.open.is_some();
        circuit.note(sign, started_at, now);
        if circuit.open.is_some() != was_open {
            tracing::warn!(
                tenant = %key.0, integration = %key.1, open = !was_open,
                "a circuit: routes with another integration leave this one to later while it is open"
            );
        }
        // All of the last attempts succeeded: as if there had been none.
        if circuit.recent == 0 {
            circuits.remove(&key);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Circuit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(seconds))
    }

    /// Plays attempts, each a letter that begins and ends in its second: `u`p, `d`own, `n`either; `.` is a second
    /// without one. Answers what stands open in each second before its attempt: `o`.
    fn played(attempts: &str) -> String {
        let mut circuit = Circuit::default();
        let seconds = attempts.chars().zip(1..);
        seconds
            .map(|(attempt, second)| {
                let now = at(second);
                let was_open = circuit.is_open(now);
                let sign = match attempt {
                    'u' => Sign::Up,
                    'd' => Sign::Down,
                    'n' => Sign::Neither,
                    _ => return if was_open { 'o' } else { '-' },
                };
                circuit.enter(now);
                circuit.note(sign, now, now);
                if was_open { 'o' } else { '-' }
            })
            .collect()
    }

    #[test]
    fn a_circuit_opens_by_failures_of_the_provider_and_closes_by_a_success() {
        for (attempts, open) in [
            // Five in a row open it for five seconds; neither a success between them nor anything else does.
            ("ddddd......", "-----oooo--"),
            ("dddduddddu.", "-----------"),
            ("dndndndnd..", "---------oo"),
            // The next doubles the pause, a success ends it.
            ("ddddd....d...........", "-----oooo-ooooooooo--"),
            ("ddddd....u...", "-----oooo----"),
            ("ddddd....n...", "-----oooo-ooo"),
            // What began before somebody tried changes nothing.
            ("dddddddd.....", "-----oooo----"),
            // More than half of twenty.
            ("ddduddduddduddduddudd.", "--------------------oo"),
        ] {
            assert_eq!(played(attempts), open, "{attempts}");
        }
    }

    #[test]
    fn one_failure_after_an_outage_is_no_new_one() {
        let mut circuit = Circuit::default();
        for second in 0..100 {
            circuit.note(Sign::Down, at(second), at(second));
        }
        circuit.note(Sign::Up, at(200), at(200));
        assert_eq!(circuit, Circuit::default());
        circuit.note(Sign::Down, at(201), at(201));
        assert!(!circuit.is_open(at(201)));
    }

    #[test]
    fn no_more_integrations_are_known_than_there_may_be() {
        let circuits = Circuits::default();
        let tenant: TenantId = "a".parse().unwrap();
        let key = |number: usize| (tenant.clone(), format!("i{number}").parse().unwrap());
        for number in 0..MOST {
            circuits.record(key(number), Sign::Down, at(0), at(0));
        }
        for _ in 1..IN_A_ROW {
            circuits.record(key(7), Sign::Down, at(0), at(0));
        }
        // Those that are open are kept, the others have to fail again.
        circuits.record(key(MOST), Sign::Down, at(0), at(0));
        assert_eq!(circuits.all().len(), 2);
        assert_eq!(circuits.open(&tenant, &[key(7).1], at(1)), [key(7).1]);
        circuits.record(key(7), Sign::Up, at(9), at(9));
        circuits.record(key(8), Sign::Up, at(9), at(9));
        circuits.record(key(9), Sign::Neither, at(9), at(9));
        assert_eq!(circuits.all().len(), 1);
    }

    #[test]
    fn one_message_tries_and_pauses_have_a_longest() {
        let mut circuit = Circuit::default();
        for _ in 0..IN_A_ROW {
            circuit.note(Sign::Down, at(0), at(0));
        }
        let mut now = at(0);
        for pause in [5, 10, 20, 40, 60, 60] {
            assert!(circuit.is_open(now));
            now = now.after(Duration::from_secs(pause));
            assert!(!circuit.is_open(now), "{pause}");
            circuit.enter(now);
            assert!(circuit.is_open(now), "another would try as well");
            circuit.note(Sign::Down, now, now);
        }
    }
}
