//! Whether an integration is asked at all: one whose provider is down is left to later while another may take the message,
//! and without another the message waits. Pure, but for the lock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, Outcome};
use crate::id::{IntegrationId, TenantId};
use crate::outcome::FailureKind;
use crate::time::Timestamp;

/// More than half of so many attempts that failed open a circuit, too.
const WINDOW: u32 = 20;
/// Integrations that are known at once. Of those beyond nothing is known, and each is asked in its turn.
const MOST: usize = 10_000;

/// When an integration whose provider is down is left alone, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CircuitPolicy {
    /// Failures of the provider one after another that open the circuit. More than half of the last twenty attempts do
    /// so as well.
    pub failures: u32,
    /// Milliseconds until one message tries again; twice as many after each such try that fails.
    pub pause_ms: u64,
    /// The most that these become.
    pub longest_pause_ms: u64,
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            pause_ms: 5_000,
            longest_pause_ms: 60_000,
        }
    }
}

impl CircuitPolicy {
    /// The least of each number.
    pub(super) const MINIMA: Self = Self {
        failures: 1,
        pause_ms: 100,
        longest_pause_ms: 100,
    };

    /// The most of each number.
    pub(super) const MAXIMA: Self = Self {
        failures: 1_000,
        pause_ms: 60 * 60 * 1_000,
        longest_pause_ms: 60 * 60 * 1_000,
    };

    const fn first(&self) -> Duration {
        Duration::from_millis(self.pause_ms)
    }

    fn after(&self, pause: Duration) -> Duration {
        (pause * 2).min(
            self.first()
                .max(Duration::from_millis(self.longest_pause_ms)),
        )
    }
}

/// Where the circuit of an integration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum CircuitView {
    /// Messages go this way.
    Closed,
    /// The provider is down: none goes.
    Open {
        /// When one may try.
        until: Timestamp,
    },
    /// The next message tries.
    HalfOpen,
}

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

    fn note(&mut self, policy: &CircuitPolicy, sign: Sign, started_at: Timestamp, now: Timestamp) {
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
                self.down(policy, started_at, now);
            }
        }
    }

    fn count(&mut self, failed: u32) {
        self.recent = (self.recent << 1 | failed) & ((1 << WINDOW) - 1);
        self.seen = self.seen.saturating_add(1).min(WINDOW);
    }

    fn down(&mut self, policy: &CircuitPolicy, started_at: Timestamp, now: Timestamp) {
        let half = self.seen == WINDOW && self.recent.count_ones() > WINDOW / 2;
        let pause = match self.open {
            Some(open) if started_at < open.tried_at => return,
            Some(open) => policy.after(open.pause),
            None if self.in_a_row >= policy.failures || half => policy.first(),
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

/// Whether an attempt says that its integration's provider answers; nothing where it says neither.
pub(super) fn answers(attempt: &Attempt) -> Option<bool> {
    match sign(attempt) {
        Sign::Up => Some(true),
        Sign::Down => Some(false),
        Sign::Neither => None,
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
pub(super) struct Circuits {
    policy: CircuitPolicy,
    known: Mutex<HashMap<Key, Circuit>>,
}

/// A circuit has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    Closed,
}

impl Change {
    /// The word in metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
        }
    }
}

impl Circuits {
    pub(super) fn new(policy: CircuitPolicy) -> Self {
        Self {
            policy,
            known: Mutex::default(),
        }
    }

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

    /// Until when a message waits that is about to go by an integration; none where it goes. After a pause it is the
    /// only one until it has ended, or another pause is over. At `latest`, shortly before its expiry, it goes whatever
    /// is known.
    pub(super) fn enter(
        &self,
        tenant: &TenantId,
        id: &IntegrationId,
        now: Timestamp,
        latest: Timestamp,
    ) -> Option<Timestamp> {
        let mut circuits = self.all();
        let circuit = circuits.get_mut(&(tenant.clone(), id.clone()))?;
        let open = circuit.open.filter(|open| now < open.until.min(latest));
        if open.is_none() {
            circuit.enter(now);
        }
        open.map(|open| open.until.min(latest))
    }

    /// An attempt has ended.
    pub(super) fn note(&self, tenant: &TenantId, attempt: &Attempt) -> Option<Change> {
        let via = attempt.start.via.as_ref()?;
        let key = (tenant.clone(), via.integration.clone());
        let (started_at, ended_at) = (attempt.start.started_at, attempt.ended_at);
        self.record(key, sign(attempt), started_at, ended_at)
    }

    fn record(
        &self,
        key: Key,
        sign: Sign,
        started_at: Timestamp,
        now: Timestamp,
    ) -> Option<Change> {
        let mut circuits = self.all();
        if !circuits.contains_key(&key) {
            if sign != Sign::Down {
                return None;
            }
            if circuits.len() >= MOST {
                circuits.retain(|_, circuit| circuit.open.is_some());
            }
            if circuits.len() >= MOST {
                return None;
            }
        }
        let circuit = circuits.entry(key.clone()).or_default();
        let was_open = circuit.open.is_some();
        circuit.note(&self.policy, sign, started_at, now);
        let change = match (was_open, circuit.open.is_some()) {
            (false, true) => Some(Change::Opened),
            (true, false) => Some(Change::Closed),
            _ => None,
        };
        // All of the last attempts succeeded: as if there had been none.
        if circuit.recent == 0 {
            circuits.remove(&key);
        }
        change
    }

    /// Nothing is known of an integration any more: it was changed. Answers whether its circuit was open.
    pub(super) fn forget(&self, tenant: &TenantId, id: &IntegrationId) -> bool {
        let known = self.all().remove(&(tenant.clone(), id.clone()));
        known.is_some_and(|circuit| circuit.open.is_some())
    }

    /// Where an integration's circuit stands.
    pub(super) fn view(
        &self,
        tenant: &TenantId,
        id: &IntegrationId,
        now: Timestamp,
    ) -> CircuitView {
        let circuits = self.all();
        let open = circuits.get(&(tenant.clone(), id.clone()));
        match open.and_then(|circuit| circuit.open) {
            None => CircuitView::Closed,
            Some(open) if now < open.until => CircuitView::Open { until: open.until },
            Some(_) => CircuitView::HalfOpen,
        }
    }

    /// How many are not closed.
    pub(super) fn not_closed(&self) -> usize {
        let circuits = self.all();
        circuits
            .values()
            .filter(|circuit| circuit.open.is_some())
            .count()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Circuit>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
                circuit.note(&CircuitPolicy::default(), sign, now, now);
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
        let (policy, mut circuit) = (CircuitPolicy::default(), Circuit::default());
        for second in 0..100 {
            circuit.note(&policy, Sign::Down, at(second), at(second));
        }
        circuit.note(&policy, Sign::Up, at(200), at(200));
        assert_eq!(circuit, Circuit::default());
        circuit.note(&policy, Sign::Down, at(201), at(201));
        assert!(!circuit.is_open(at(201)));
    }

    #[test]
    fn no_more_integrations_are_known_than_there_may_be() {
        let circuits = Circuits::new(CircuitPolicy::default());
        let tenant: TenantId = "a".parse().unwrap();
        let key = |number: usize| (tenant.clone(), format!("i{number}").parse().unwrap());
        for number in 0..MOST {
            circuits.record(key(number), Sign::Down, at(0), at(0));
        }
        for _ in 1..CircuitPolicy::default().failures {
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
        let (policy, mut circuit) = (CircuitPolicy::default(), Circuit::default());
        for _ in 0..policy.failures {
            circuit.note(&policy, Sign::Down, at(0), at(0));
        }
        let mut now = at(0);
        for pause in [5, 10, 20, 40, 60, 60] {
            assert!(circuit.is_open(now));
            now = now.after(Duration::from_secs(pause));
            assert!(!circuit.is_open(now), "{pause}");
            circuit.enter(now);
            assert!(circuit.is_open(now), "another would try as well");
            circuit.note(&policy, Sign::Down, now, now);
        }
    }

    #[test]
    fn without_another_way_a_message_waits_for_a_try_or_for_its_last_moment() {
        let circuits = Circuits::new(CircuitPolicy {
            failures: 2,
            pause_ms: 10_000,
            longest_pause_ms: 15_000,
        });
        let (tenant, id): (TenantId, IntegrationId) = ("a".parse().unwrap(), "i".parse().unwrap());
        let enter = |now, latest| circuits.enter(&tenant, &id, at(now), at(latest));
        let note = |sign, now| {
            let key = (tenant.clone(), id.clone());
            circuits.record(key, sign, at(now), at(now))
        };
        let view = |now| circuits.view(&tenant, &id, at(now));
        assert_eq!(enter(0, 600), None);
        assert_eq!(note(Sign::Down, 0), None);
        assert_eq!(view(0), CircuitView::Closed);
        assert_eq!(note(Sign::Down, 0), Some(Change::Opened));
        assert_eq!(view(1), CircuitView::Open { until: at(10) });
        assert_eq!(circuits.not_closed(), 1);
        // It waits until somebody may try, or until its time is nearly over.
        assert_eq!(enter(1, 600), Some(at(10)));
        assert_eq!(enter(1, 5), Some(at(5)));
        assert_eq!(enter(5, 5), None);
        // One tries, the others wait on.
        assert_eq!(view(10), CircuitView::HalfOpen);
        assert_eq!(enter(10, 600), None);
        assert_eq!(enter(10, 600), Some(at(20)));
        // The pause after it is twice as long, and no longer than the longest.
        assert_eq!(note(Sign::Down, 11), None);
        assert_eq!(enter(11, 600), Some(at(26)));
        assert_eq!(enter(26, 600), None);
        assert_eq!(note(Sign::Up, 27), Some(Change::Closed));
        assert_eq!(enter(27, 600), None);
        assert_eq!(view(27), CircuitView::Closed);
    }
}
