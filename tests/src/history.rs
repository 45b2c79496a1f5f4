//! What a run with faults must have left: the words of clients, store and provider, held against each other.

use std::collections::BTreeMap;

use serde_json::Value;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// A client's post was answered with 202.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its idempotency key, which the message carries to the provider.
    pub key: String,
    /// The message's id.
    pub id: String,
    /// When its time was over by the observer's clock, where the server's is not to be trusted.
    pub deadline: Option<Millis>,
}

/// A request or mail at the provider.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The key in it.
    pub key: String,
    /// When it had come whole.
    pub at: Millis,
    /// The provider's id for it, if the provider took it.
    pub taken: Option<String>,
}

/// A message as the store has it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: String,
    /// Its channel.
    pub channel: String,
    /// When it must not be sent any more.
    pub expires_at: Millis,
    /// Its recorded attempts in order.
    pub attempts: Vec<Attempt>,
}

/// A recorded attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u64,
    /// When it began.
    pub started_at: Millis,
    /// It may repeat what was taken already, and says so.
    pub marked: bool,
    /// A whole request of it left.
    pub left: bool,
    /// What came of it.
    pub end: End,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The provider took it, and named it so.
    Receipt(Option<String>),
    /// Nobody can tell.
    Unknown,
    /// The provider did not take it.
    Failure,
}

/// The three records of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The clients'.
    pub told: Vec<Told>,
    /// Final states that were read while the run went on, by message.
    pub earlier: Vec<(String, String)>,
    /// The store's, at the end, by message.
    pub kept: BTreeMap<String, Message>,
    /// The provider's.
    pub arrived: Vec<Arrival>,
}

/// What must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// One key, two messages.
    #[error("{0} was accepted as two messages")]
    Doubled(String),
    /// Two keys, one message.
    #[error("{0} and another post were told the same message")]
    Shared(String),
    /// Accepted, and not in the store.
    #[error("{0} was accepted and is lost")]
    Lost(String),
    /// Accepted, and in no final state.
    #[error("{0} did not end")]
    Unfinished(String),
    /// A final state that became another.
    #[error("{0} left a final state")]
    Reopened(String),
    /// At the provider, and nobody was told that it was accepted.
    #[error("{0} arrived and was never accepted")]
    Uninvited(String),
    /// Sent, and never at the provider.
    #[error("{0} is sent, and the provider has not taken it")]
    Claimed(String),
    /// The provider took it, and the store says that it was not sent.
    #[error("{0} ended as not sent, and the provider took it")]
    Denied(String),
    /// Unknown without an attempt that could be.
    #[error("{0} is unknown, and each attempt is known")]
    Baseless(String),
    /// Taken more often than repeats are marked.
    #[error("{0} was sent twice silently")]
    Silent(String),
    /// Taken more often than the default policy allows: a text message twice, a mail three times.
    #[error("{0} was sent too often")]
    Repeated(String),
    /// An attempt after one that may have been taken, without its mark.
    #[error("{0} was repeated without a mark")]
    Unmarked(String),
    /// Attempts that are missing or out of order.
    #[error("{0} has a gap in its attempts")]
    Gap(String),
    /// An attempt that began after the expiry, and left.
    #[error("{0} was begun after it expired")]
    Begun(String),
    /// At the provider after the expiry.
    #[error("{0} arrived after it expired")]
    Late(String),
    /// A receipt that the provider did not give for it.
    #[error("{0} has a receipt that is not the provider's")]
    Forged(String),
}

const NOT_SENT: [&str; 3] = ["failed", "expired", "cancelled"];

/// Whether a message in this state stays in it.
#[must_use]
pub fn is_final(state: &str) -> bool {
    NOT_SENT.contains(&state) || state == "sent" || state == "unknown"
}

impl History {
    /// Everything that must not have happened. `on_the_way` is how long what left in time may take to be
    /// read by the provider.
    #[must_use]
    pub fn violations(&self, on_the_way: Millis) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
        let mut told: BTreeMap<&str, &Told> = BTreeMap::new();
        for one in &self.told {
            if ids
                .insert(&one.id, &one.key)
                .is_some_and(|key| key != one.key)
            {
                found.push(Violation::Shared(one.key.clone()));
            }
            if told
                .insert(&one.key, one)
                .is_some_and(|before| before.id != one.id)
            {
                found.push(Violation::Doubled(one.key.clone()));
            }
        }
        let mut arrivals: BTreeMap<&str, Vec<&Arrival>> = BTreeMap::new();
        for arrival in &self.arrived {
            arrivals.entry(&arrival.key).or_default().push(arrival);
        }
        let uninvited = arrivals.keys().filter(|key| !told.contains_key(**key));
        found.extend(uninvited.map(|key| Violation::Uninvited((*key).to_owned())));
        for (id, state) in &self.earlier {
            let key = ids.get(id.as_str()).map_or(id.as_str(), |key| key);
            if self.kept.get(id).is_some_and(|now| now.state != *state) {
                found.push(Violation::Reopened(key.to_owned()));
            }
        }
        for one in told.values() {
            let arrivals = arrivals
                .get(one.key.as_str())
                .map_or(&[][..], Vec::as_slice);
            match self.kept.get(&one.id) {
                Some(message) => found.extend(judge(one, message, arrivals, on_the_way)),
                None => found.push(Violation::Lost(one.key.clone())),
            }
        }
        found
    }
}

/// Whether it is broken, and what that is.
type Rule = (bool, fn(String) -> Violation);

fn judge(
    told: &Told,
    message: &Message,
    arrivals: &[&Arrival],
    on_the_way: Millis,
) -> Vec<Violation> {
    let taken = arrivals
        .iter()
        .filter(|arrival| arrival.taken.is_some())
        .count();
    let attempts = &message.attempts;
    let marked = attempts.iter().filter(|attempt| attempt.marked).count();
    let unknown = |attempt: &&Attempt| attempt.end == End::Unknown;
    let first_unknown = attempts.iter().position(|attempt| unknown(&attempt));
    let repeats = first_unknown.map_or(&[][..], |at| &attempts[at + 1..]);
    let numbered = attempts
        .iter()
        .zip(1..)
        .all(|(attempt, number)| attempt.number == number);
    let deadline = told.deadline.unwrap_or(message.expires_at) + on_the_way;
    let receipts = attempts.iter().filter_map(|attempt| match &attempt.end {
        End::Receipt(id) => id.as_deref(),
        _ => None,
    });
    let given = |id: &str| {
        arrivals
            .iter()
            .any(|arrival| arrival.taken.as_deref() == Some(id))
    };
    let forged = receipts.into_iter().any(|id| !given(id));
    let state = message.state.as_str();
    let late = |attempt: &Attempt| attempt.left && attempt.started_at >= message.expires_at;
    let most = if message.channel == "sms" { 2 } else { 3 };
    let rules: [Rule; 11] = [
        (!is_final(state), Violation::Unfinished),
        (state == "sent" && taken == 0, Violation::Claimed),
        (NOT_SENT.contains(&state) && taken > 0, Violation::Denied),
        (
            state == "unknown" && first_unknown.is_none(),
            Violation::Baseless,
        ),
        (taken > 1 + marked, Violation::Silent),
        (taken > most, Violation::Repeated),
        (
            repeats.iter().any(|repeat| !repeat.marked),
            Violation::Unmarked,
        ),
        (!numbered, Violation::Gap),
        (attempts.iter().any(late), Violation::Begun),
        (
            arrivals.iter().any(|arrival| arrival.at > deadline),
            Violation::Late,
        ),
        (forged, Violation::Forged),
    ];
    let broken = rules.into_iter().filter(|(broken, _)| *broken);
    broken
        .map(|(_, violation)| violation(told.key.clone()))
        .collect()
}

impl Message {
    /// A message as `GET /v1/messages/{id}` shows it.
    #[must_use]
    pub fn read(shown: &Value) -> Self {
        let attempts = shown["attempts"].as_array().expect("attempts");
        Self {
            id: text(&shown["id"]),
            state: text(&shown["state"]),
            channel: text(&shown["channel"]),
            expires_at: time(&shown["expires_at"]),
            attempts: attempts.iter().map(Attempt::read).collect(),
        }
    }
}

impl Attempt {
    fn read(shown: &Value) -> Self {
        let exchanges = shown["exchanges"]["exchanges"].as_array();
        let exchanges = exchanges
            .or(shown["exchanges"].as_array())
            .expect("exchanges");
        let left = |exchange: &Value| {
            exchange["progress"] == "complete" || exchange["progress"] == "answered"
        };
        Self {
            number: shown["number"].as_u64().expect("a number"),
            started_at: time(&shown["started_at"]),
            marked: shown["possible_duplicate"] == true,
            left: exchanges.iter().any(left),
            end: match (
                &shown["outcome"]["receipt"],
                &shown["outcome"]["failure"]["kind"],
            ) {
                (Value::Null, kind) if kind == "unknown" => End::Unknown,
                (Value::Null, _) => End::Failure,
                (receipt, _) => End::Receipt(receipt_id(receipt)),
            },
        }
    }
}

/// The provider's id, or the last word of its answer.
fn receipt_id(receipt: &Value) -> Option<String> {
    let named = receipt["provider_message_id"].as_str();
    let said = receipt["detail"]
        .as_str()
        .and_then(|said| said.split_whitespace().last());
    named.or(said).map(str::to_owned)
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn time(value: &Value) -> Millis {
    let time = humantime::parse_rfc3339(value.as_str().expect("a time")).expect("RFC 3339");
    millis(time)
}

/// A point in time as records hold it.
#[must_use]
pub fn millis(time: std::time::SystemTime) -> Millis {
    let since = time
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    Millis::try_from(since.as_millis()).expect("a time of ours")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRES: Millis = 600_000;

    fn attempt(number: u64, marked: bool, end: End) -> Attempt {
        Attempt {
            number,
            started_at: 1_000,
            marked,
            left: true,
            end,
        }
    }

    fn arrival(key: &str, at: Millis, taken: Option<&str>) -> Arrival {
        Arrival {
            key: key.into(),
            at,
            taken: taken.map(str::to_owned),
        }
    }

    /// Two messages: one sent at once, one that a crash interrupted and that was repeated with its mark.
    fn sound() -> History {
        let told = |key: &str| Told {
            key: key.into(),
            id: format!("id-{key}"),
            deadline: None,
        };
        let message = |key: &str, attempts: Vec<Attempt>| Message {
            id: format!("id-{key}"),
            state: "sent".into(),
            channel: "email".into(),
            expires_at: EXPIRES,
            attempts,
        };
        let receipt = |id: &str| End::Receipt(Some(id.to_owned()));
        let kept = [
            message("a", vec![attempt(1, false, receipt("q1"))]),
            message(
                "b",
                vec![
                    attempt(1, false, End::Unknown),
                    attempt(2, true, receipt("q3")),
                ],
            ),
        ];
        History {
            told: vec![told("a"), told("b"), told("a")],
            earlier: vec![("id-a".into(), "sent".into())],
            kept: kept.map(|message| (message.id.clone(), message)).into(),
            arrived: vec![
                arrival("a", 1_100, Some("q1")),
                arrival("b", 1_100, Some("q2")),
                arrival("b", 2_100, Some("q3")),
            ],
        }
    }

    fn found(forge: impl FnOnce(&mut History)) -> Vec<Violation> {
        let mut history = sound();
        forge(&mut history);
        history.violations(0)
    }

    fn kept<'h>(history: &'h mut History, key: &str) -> &'h mut Message {
        history.kept.get_mut(&format!("id-{key}")).expect("kept")
    }

    #[test]
    fn a_sound_history_has_no_violation() {
        assert_eq!(found(|_| {}), []);
    }

    #[test]
    fn a_refused_arrival_counts_for_nothing() {
        let refused = |h: &mut History| h.arrived.push(arrival("a", 1_050, None));
        assert_eq!(found(refused), []);
    }

    type Forge = fn(&mut History);

    #[test]
    fn what_was_accepted_and_is_lost_open_doubled_or_reopened_is_found() {
        let a = || "a".to_owned();
        let cases: [(Forge, Violation); 6] = [
            (|h| drop(h.kept.remove("id-a")), Violation::Lost(a())),
            (
                |h| kept(h, "a").state = "sending".into(),
                Violation::Unfinished(a()),
            ),
            (|h| h.told[2].id = "id-c".into(), Violation::Doubled(a())),
            (
                |h| h.told[0].id = "id-b".into(),
                Violation::Shared("b".into()),
            ),
            (
                |h| h.earlier[0].1 = "expired".into(),
                Violation::Reopened(a()),
            ),
            (
                |h| h.arrived.push(arrival("c", 1, Some("q9"))),
                Violation::Uninvited("c".into()),
            ),
        ];
        for (forge, violation) in cases {
            let found = found(forge);
            assert!(found.contains(&violation), "{violation}: {found:?}");
        }
    }

    #[test]
    fn what_was_sent_silently_twice_late_or_under_a_false_name_is_found() {
        let a = || "a".to_owned();
        let cases: [(Forge, Violation); 10] = [
            (
                |h| h.arrived.push(arrival("a", 1_200, Some("q5"))),
                Violation::Silent(a()),
            ),
            (
                |h| {
                    kept(h, "b").channel = "sms".into();
                    h.arrived.push(arrival("b", 3_100, Some("q4")));
                },
                Violation::Repeated("b".into()),
            ),
            (
                |h| kept(h, "b").attempts[1].marked = false,
                Violation::Unmarked("b".into()),
            ),
            (|h| kept(h, "a").attempts[0].number = 2, Violation::Gap(a())),
            (|h| h.arrived[0].taken = None, Violation::Claimed(a())),
            (
                |h| kept(h, "a").state = "expired".into(),
                Violation::Denied(a()),
            ),
            (
                |h| kept(h, "a").state = "unknown".into(),
                Violation::Baseless(a()),
            ),
            (
                |h| kept(h, "a").attempts[0].started_at = EXPIRES,
                Violation::Begun(a()),
            ),
            (|h| h.arrived[0].at = EXPIRES + 1, Violation::Late(a())),
            (
                |h| kept(h, "a").attempts[0].end = End::Receipt(Some("q2".into())),
                Violation::Forged(a()),
            ),
        ];
        for (forge, violation) in cases {
            let found = found(forge);
            assert!(found.contains(&violation), "{violation}: {found:?}");
        }
    }

    #[test]
    fn the_observers_deadline_stands_over_the_servers() {
        let early = |h: &mut History| {
            h.told
                .iter_mut()
                .for_each(|told| told.deadline = Some(1_150))
        };
        assert_eq!(found(early), [Violation::Late("b".into())]);
    }
}
