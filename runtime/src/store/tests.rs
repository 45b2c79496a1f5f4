//! What the store promises, on a real file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::value::RawValue;
use tempfile::TempDir;

use super::{Accepted, Claim, Lease, Room, Store, StoreError};
use crate::attempt::{Attempt, AttemptStart, Outcome, Via};
use crate::id::{Digest, MessageId};
use crate::message::{Channel, Message, Origin, Payload, Recipient, UsageType};
use crate::outcome::{Receipt, WireRecord};
use crate::secret::KeyRing;
use crate::time::Timestamp;

mod durability;
mod keys;
mod outbox;
mod records;
mod renewal;
mod states;
mod templates;
mod upgrades;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const CODE: &str = "271828";

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn lease(now: Timestamp) -> Lease {
    Lease {
        now,
        until: now.after(Duration::from_secs(30)),
    }
}

fn ring() -> KeyRing {
    KeyRing::from_hex(&"5e".repeat(32)).unwrap()
}

/// A store in a folder of its own.
struct Home {
    folder: TempDir,
    store: Store,
}

impl Home {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("sendbox.db")).await.unwrap();
        Self { folder, store }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("sendbox.db")
    }

    /// What a kill at this moment would leave: the files as they are, opened by a new process.
    async fn after_kill(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["sendbox.db", "sendbox.db-wal"] {
            let from = self.folder.path().join(name);
            std::fs::copy(from, folder.path().join(name)).unwrap();
        }
        let store = open(&folder.path().join("sendbox.db")).await.unwrap();
        Self { folder, store }
    }
}

async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(path, ring()).await
}

fn message(tenant: &str) -> Message {
    let raw = RawValue::from_string(format!("{{\"code\":\"{CODE}\"}}")).unwrap();
    Message {
        id: MessageId::generate(),
        tenant: tenant.parse().unwrap(),
        origin: Origin::Api,
        channel: Channel::Email,
        recipient: Recipient::parse(Channel::Email, "leonhard@euler.example").unwrap(),
        usage_type: UsageType::SignIn,
        payload: Payload::parse(&raw).unwrap(),
        locale: Some("de-CH".into()),
        client_ip: Some("192.0.2.7".parse().unwrap()),
        idempotency_key: None,
        created_at: NOW,
        expires_at: later(600),
    }
}

fn start(claim: &Claim, now: Timestamp) -> AttemptStart {
    AttemptStart {
        number: claim.attempt,
        via: Some(Via {
            integration: "mail".parse().unwrap(),
            connector: "some-mail".parse().unwrap(),
            digest: Digest::of(b"component"),
        }),
        source: None,
        started_at: now,
        possible_duplicate: claim.possible_duplicate,
        passed_by: None,
    }
}

fn accepted(claim: &Claim, now: Timestamp) -> Attempt {
    Attempt {
        start: start(claim, now),
        ended_at: now,
        outcome: Outcome::Receipt(Receipt::default()),
        earlier_secrets: false,
        exchanges: WireRecord::default(),
        log: Vec::new(),
    }
}

/// Accepts a message and claims it at once.
async fn claimed(store: &Store, message: &Message) -> Claim {
    match store.accept(message, Some(lease(NOW))).await.unwrap() {
        Accepted::New(Some(claim)) => claim,
        other => panic!("{other:?}"),
    }
}
