//! What clients, server and peers say of a run, and the judgement on it.

use std::collections::BTreeMap;

use sendbox_tests::history::{Arrival, History, Message, is_final};
use serde_json::Value;

use super::posts::key_in;
use super::{FINAL, ON_THE_WAY, Run, STUCK};

impl Run {
    /// Notes the final states that there are now, as far as the program lives to tell.
    pub async fn look(&mut self) {
        for tenant in ["acme", "guild"] {
            for state in FINAL {
                let path = format!("/v1/messages?limit=250&state={state}");
                let Ok(page) = self.call(tenant, "GET", &path).await else {
                    return;
                };
                if page.status != 200 {
                    return;
                }
                for message in page.json()["data"].as_array().unwrap() {
                    let id = message["id"].as_str().unwrap().to_owned();
                    self.earlier.push((id, state.to_owned()));
                }
            }
        }
    }

    /// All three records, once every message has ended.
    pub async fn history(&mut self) -> History {
        self.posted().await;
        let told = self.told.borrow().clone();
        let mut kept = BTreeMap::new();
        for one in &told {
            kept.insert(one.id.clone(), self.end(&one.id).await);
        }
        let mut arrived = self.taken.lock().unwrap().clone();
        arrived.extend(self.mails());
        History {
            told,
            earlier: std::mem::take(&mut self.earlier),
            kept,
            arrived,
        }
    }

    /// Ends the run: no promise may have been broken in it.
    pub async fn judge(&mut self, title: &str) -> History {
        let history = self.history().await;
        let violations = history.violations(ON_THE_WAY);
        let (states, repeats) = summary(&history);
        println!(
            "{title}: {} starts, {} accepted, {} arrivals, {repeats} marked repeats, {states:?}",
            *self.starts.borrow(),
            history.told.len(),
            history.arrived.len(),
        );
        for violation in &violations {
            eprintln!("{violation}");
        }
        assert!(violations.is_empty(), "{} violations", violations.len());
        history
    }

    /// A message in its final state.
    pub async fn end(&self, id: &str) -> Message {
        let ended = async {
            loop {
                let message = Message::read(&self.message(id).await);
                if is_final(&message.state) {
                    return message;
                }
                self.a_while().await;
            }
        };
        let ended = tokio::time::timeout(STUCK, ended).await;
        ended.unwrap_or_else(|_| panic!("{id} does not end"))
    }

    /// A message as its tenant sees it now.
    pub async fn message(&self, id: &str) -> Value {
        let path = format!("/v1/messages/{id}");
        for tenant in ["acme", "guild"] {
            let answer = self.call(tenant, "GET", &path).await.unwrap();
            if answer.status == 200 {
                return answer.json();
            }
        }
        panic!("{id} is lost");
    }

    fn mails(&self) -> Vec<Arrival> {
        let queued = self.queued.lock().unwrap();
        let lines = self.mail.lines();
        let mut mails = Vec::new();
        for (number, (connection, at)) in queued.iter().enumerate() {
            let before = queued[..number]
                .iter()
                .filter(|(other, _)| other == connection);
            let mut texts = lines
                .iter()
                .filter(|line| line.connection == *connection && line.text.ends_with("\r\n.\r\n"));
            let text = &texts.nth(before.count()).unwrap().text;
            mails.push(Arrival {
                key: key_in(text).unwrap_or_else(|| panic!("{text}")),
                at: *at,
                taken: Some(format!("q{number}")),
            });
        }
        mails
    }
}

/// How many messages ended in each state, and how many were taken again.
fn summary(history: &History) -> (BTreeMap<&str, usize>, usize) {
    let mut states = BTreeMap::new();
    for message in history.kept.values() {
        *states.entry(message.state.as_str()).or_insert(0) += 1;
    }
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    for arrival in history
        .arrived
        .iter()
        .filter(|arrival| arrival.taken.is_some())
    {
        *taken.entry(&arrival.key).or_insert(0) += 1;
    }
    let repeats = taken.values().map(|count| count - 1).sum();
    (states, repeats)
}
