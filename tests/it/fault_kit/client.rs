//! A client that does not give up.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sendbox_tests::history::{Told, is_final};
use tokio::sync::watch;

use super::{PATIENCE, Post};
use crate::harness::{Answer, call};

pub(super) async fn post(
    address: SocketAddr,
    bearer: &str,
    key: &str,
    body: String,
) -> std::io::Result<Answer> {
    let authorization = format!("Bearer {bearer}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("idempotency-key", key),
    ];
    call(address, "POST", "/v1/messages", &headers, body).await
}

pub(super) fn tell(told: &watch::Sender<Vec<Told>>, key: String, answer: &Answer) {
    let one = Told {
        key,
        id: answer.text_at("/id"),
        deadline: None,
    };
    told.send_modify(|told| told.push(one));
}

/// One that posts through refusals and through the server's deaths.
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) keys: BTreeMap<&'static str, String>,
    pub(super) starts: watch::Receiver<usize>,
    pub(super) told: watch::Sender<Vec<Told>>,
}

impl Client {
    pub(super) async fn see_through(&mut self, what: Post, number: usize) {
        let (bearer, key) = (&self.keys[what.tenant].clone(), what.key(number));
        loop {
            self.starts.mark_unchanged();
            match post(self.address, bearer, &key, what.body(&key)).await {
                Ok(answer) if answer.status == 202 => {
                    tell(&self.told, key, &answer);
                    if what.cancel {
                        self.withdraw(bearer, &answer.text_at("/id")).await;
                    }
                    return;
                }
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{answer:?}");
                    self.a_while().await;
                }
                // Killed before it answered; the next one may be up already.
                Err(_) => self.a_while().await,
            }
        }
    }

    /// Until the message has ended: this way or another.
    async fn withdraw(&mut self, bearer: &str, id: &str) {
        let authorization = format!("Bearer {bearer}");
        let headers = [("authorization", authorization.as_str())];
        let path = format!("/v1/messages/{id}");
        loop {
            let _ = call(self.address, "DELETE", &path, &headers, "").await;
            let now = call(self.address, "GET", &path, &headers, "").await;
            if let Ok(now) = now
                && now.status == 200
                && is_final(&now.text_at("/state"))
            {
                return;
            }
            self.a_while().await;
        }
    }

    async fn a_while(&mut self) {
        let _ = tokio::time::timeout(PATIENCE, self.starts.changed()).await;
    }
}
