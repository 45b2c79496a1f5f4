//! What follows from each event in each state: the table in docs/reliability.md, cell by cell.

use super::*;
use crate::attempt::{MessageState, Transition};
use crate::outcome::{Failure, FailureKind};
use crate::store::{Cancelled, Interrupted};

const TABLE: &str = include_str!("../../../../docs/reliability.md");

/// Its cells with the names of their rows and columns.
fn documented() -> Vec<(String, String, String)> {
    let table = TABLE.split("| a message that is").nth(1).unwrap();
    let mut rows = table.lines().map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    });
    let events = rows.next().unwrap().split_off(1);
    let rows = rows.skip(1).take_while(|row| row.len() == events.len() + 1);
    let cells = rows.flat_map(|row| {
        let (state, cells) = (row[0].clone(), row[1..].to_vec());
        let cells = events.clone().into_iter().zip(cells);
        cells.map(move |(event, cell)| (state.clone(), event, cell))
    });
    cells.collect()
}

/// A message, and who worked on it last.
struct Case {
    home: Home,
    message: Message,
    claim: Option<Claim>,
    kept: Vec<MessageId>,
}

impl Case {
    async fn new(state: &str) -> Self {
        let (home, message) = (Home::new().await, message("acme"));
        let mut case = Self {
            home,
            kept: Vec::new(),
            claim: None,
            message,
        };
        if state == "accepted" {
            case.home.store.accept(&case.message, None).await.unwrap();
            return case;
        }
        let claim = claimed(&case.home.store, &case.message).await;
        let store = &case.home.store;
        let until = later(5);
        let next = match state {
            "waiting" => Some((until, false)),
            "waiting, possibly sent" => Some((until, true)),
            _ => None,
        };
        if !["held or planned", "taken by another"].contains(&state) {
            let start = start(&claim, NOW);
            store.arm(&claim, &start, lease(NOW)).await.unwrap();
        }
        match (state, next) {
            ("held or planned" | "armed", _) => {}
            ("answered, the store away", _) => case.kept.push(case.message.id),
            ("taken by another", _) => {
                let (room, now) = (Room::default(), later(31));
                let claims = store.claim(now, lease(now), 1, &room).await.unwrap();
                assert_eq!(claims.claims.len(), 1);
            }
            (_, Some((until, possible_duplicate))) => {
                let next = Transition::Wait {
                    until,
                    possible_duplicate,
                };
                store.record(&claim, &failed(&claim), &next).await.unwrap();
            }
            ("ended", _) => {
                let attempt = accepted(&claim, NOW);
                store
                    .record(&claim, &attempt, &Transition::Sent)
                    .await
                    .unwrap();
            }
            other => panic!("{other:?}"),
        }
        case.claim = Some(claim);
        case
    }

    async fn state(&self) -> MessageState {
        let found = self
            .home
            .store
            .message(&self.message.tenant, self.message.id);
        found.await.unwrap().unwrap().state
    }

    /// How it is claimed at a time, if it is.
    async fn claimed(&self, store: &Store, now: Timestamp) -> &'static str {
        let room = Room {
            kept: self.kept.clone(),
            ..Room::default()
        };
        let claims = store.claim(now, lease(now), 1, &room).await.unwrap();
        match claims.claims.first().map(|claim| &claim.interrupted) {
            None => "–",
            Some(None | Some(Interrupted { start: None })) => "claimed",
            Some(Some(Interrupted { start: Some(_) })) => "claimed, to be recorded as interrupted",
        }
    }

    /// What became of a holder's wish.
    fn done(result: Result<(), StoreError>, done: &'static str) -> &'static str {
        match result {
            Ok(()) => done,
            Err(StoreError::Fenced) => "refused",
            Err(error) => panic!("{error}"),
        }
    }

    async fn after(&self, event: &str) -> String {
        let store = &self.home.store;
        let word = match (event, &self.claim) {
            ("claim", _) => self.claimed(store, later(10)).await,
            ("end of its lease", Some(_)) => self.claimed(store, later(31)).await,
            ("death and restart", _) => {
                let next = self.home.after_kill().await;
                // What a process was about to record went with it.
                let case = Self {
                    home: next,
                    kept: Vec::new(),
                    message: self.message.clone(),
                    claim: None,
                };
                case.claimed(&case.home.store, later(10)).await
            }
            ("arm", Some(claim)) => {
                let armed = store.arm(claim, &start(claim, NOW), lease(NOW)).await;
                Self::done(armed, "armed")
            }
            ("record", Some(claim)) => {
                // However late.
                let attempt = accepted(claim, later(700));
                let done = store.record(claim, &attempt, &Transition::Sent).await;
                Self::done(done, "`sent`")
            }
            ("stop", Some(claim)) => Self::done(store.release(&claim.hold()).await, "given back"),
            ("expiry", _) => {
                // Past every lease.
                let ended = store.expire(later(700), &self.kept).await.unwrap();
                return match ended.first() {
                    Some(settled) => format!("`{}`", settled.state.as_str()),
                    None => "–".to_owned(),
                };
            }
            ("withdrawal", _) => {
                let (tenant, id) = (&self.message.tenant, self.message.id);
                return match store.cancel(tenant, id, NOW).await.unwrap() {
                    Cancelled::Done(settled) => {
                        assert_eq!(self.state().await, settled.state);
                        format!("`{}`", settled.state.as_str())
                    }
                    Cancelled::TooLate(_) => "refused".to_owned(),
                    Cancelled::Missing => panic!("it is there"),
                };
            }
            (_, None) => "–",
            (other, _) => panic!("{other}"),
        };
        word.to_owned()
    }
}

fn failed(claim: &Claim) -> Attempt {
    let failure = Failure::host(FailureKind::Unavailable, "busy", "…");
    Attempt {
        outcome: Outcome::Failure(failure),
        ..accepted(claim, NOW)
    }
}

#[tokio::test]
async fn what_follows_in_each_state_is_as_documented() {
    let cells = documented();
    assert_eq!(cells.len(), 8 * 8);
    let mut wrong = Vec::new();
    for (state, event, expected) in cells {
        let case = Case::new(&state).await;
        let found = case.after(&event).await;
        if found != expected {
            wrong.push(format!("{state} × {event}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn arming_makes_a_lease_as_long_as_a_send_may_take() {
    let home = Home::new().await;
    let claim = claimed(&home.store, &message("acme")).await;
    let nearly = later(29);
    home.store
        .arm(&claim, &start(&claim, nearly), lease(nearly))
        .await
        .unwrap();
    let room = Room::default();
    for (now, found) in [(later(31), 0), (later(58), 0), (later(60), 1)] {
        let claims = home.store.claim(now, lease(now), 1, &room).await.unwrap();
        assert_eq!(claims.claims.len(), found, "{now}");
    }
}

#[tokio::test]
async fn an_attempt_that_cannot_be_read_ends_with_its_message_and_holds_up_no_other() {
    let home = Home::new().await;
    let (broken, whole) = (message("acme"), message("acme"));
    let claim = claimed(&home.store, &broken).await;
    let start = start(&claim, NOW);
    home.store.arm(&claim, &start, lease(NOW)).await.unwrap();
    home.store.accept(&whole, None).await.unwrap();
    let id = broken.id.as_bytes().to_vec();
    home.store
        .writer()
        .write(move |db| {
            Box::pin(async move {
                let spoilt = sqlx::query("UPDATE message SET armed = '{' WHERE id = ?");
                Ok(spoilt.bind(id).execute(db).await.map(drop)?)
            })
        })
        .await
        .unwrap();
    assert_eq!(home.store.expire(later(700), &[]).await.unwrap().len(), 2);
    for (message, state, attempts) in [
        (&broken, MessageState::Unknown, 1),
        (&whole, MessageState::Expired, 0),
    ] {
        let found = home.store.message(&message.tenant, message.id).await;
        assert_eq!(found.unwrap().unwrap().state, state);
        let made = home.store.attempts(message.id).await.unwrap();
        assert_eq!(made.len(), attempts);
    }
}
