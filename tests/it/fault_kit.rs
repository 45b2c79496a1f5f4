//! The built program on data that outlives it, clients that do not give up, and peers that note all that comes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use sendbox_tests::history::{Arrival, Millis, Told, millis};
use sendbox_tests::mail_peer::MailPeer;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{Answer, House, Provider, call};

mod client;
mod peers;
mod posts;
mod program;
mod records;

use client::{Client, post, tell};
use peers::{Gate, Notes, mail_server, provider, tenants};
pub use posts::{Fate, PLAIN, Post, mixed};

/// What left in time is read by a peer on a busy machine at most so many milliseconds later.
pub const ON_THE_WAY: Millis = 5_000;
/// How long to wait for a sign before looking again.
pub const PATIENCE: Duration = Duration::from_millis(100);
/// A test that sees no progress for so long fails instead of hanging.
pub const STUCK: Duration = Duration::from_secs(120);
const CLIENTS: usize = 32;
const FINAL: [&str; 5] = ["sent", "failed", "expired", "cancelled", "unknown"];

/// The program on one data folder, through its deaths.
pub struct Run {
    pub provider: Provider,
    pub address: SocketAddr,
    /// What the program is started by, and from where its data are seen.
    pub wrapper: Vec<String>,
    pub data: PathBuf,
    /// Configuration of the next start.
    pub environment: Vec<(&'static str, String)>,
    keys: BTreeMap<&'static str, String>,
    plan: PathBuf,
    starts: watch::Sender<usize>,
    child: Option<Child>,
    posts: JoinSet<()>,
    posted: usize,
    told: watch::Sender<Vec<Told>>,
    earlier: Vec<(String, String)>,
    taken: Notes<Arrival>,
    gate: Arc<Gate>,
    mail: MailPeer,
    queued: Notes<(usize, Millis)>,
    pub folder: tempfile::TempDir,
}

impl Run {
    /// Peers, and data with two tenants, made in this process for one that will be ended.
    pub async fn new() -> Self {
        let (taken, queued) = (Notes::default(), Notes::default());
        let gate = Arc::new(Gate::default());
        let provider = provider(Arc::clone(&taken), Arc::clone(&gate)).await;
        let mail = mail_server(Arc::clone(&queued)).await;
        let house = House::start().await;
        let keys = tenants(&house, &provider, mail.address.port()).await;
        let folder = house.stop().await;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let loopback = "[\"127.0.0.0/8\"]";
        Self {
            provider,
            address: listener.local_addr().unwrap(),
            wrapper: Vec::new(),
            data: folder.path().join("data"),
            environment: vec![
                ("SENDBOX__EGRESS__ALLOW_ADDRESSES", loopback.to_owned()),
                ("SENDBOX__EGRESS__PLAINTEXT_HOSTS", loopback.to_owned()),
                ("SENDBOX__EGRESS__PORTS", "[\"1-65535\"]".to_owned()),
                ("SENDBOX__ENGINE__POOL_SLOTS", "64".to_owned()),
                (
                    "SENDBOX__DELIVERY__RETRY__UNKNOWN_PAUSE_MS",
                    "100".to_owned(),
                ),
                ("SENDBOX_LOG", "sendbox::cli=info,error".to_owned()),
            ],
            keys,
            plan: folder.path().join("faults"),
            starts: watch::channel(0).0,
            child: None,
            posts: JoinSet::new(),
            posted: 0,
            told: watch::channel(Vec::new()).0,
            earlier: Vec::new(),
            taken,
            gate,
            mail,
            queued,
            folder,
        }
    }

    /// What goes wrong from now on; see `sendbox::fault`.
    pub fn plan(&self, faults: &str) {
        if cfg!(not(debug_assertions)) {
            panic!("a release has no planned faults");
        }
        // In one step: the program may be reading it.
        let whole = self.plan.with_extension("new");
        std::fs::write(&whole, faults).unwrap();
        std::fs::rename(whole, &self.plan).unwrap();
    }

    /// Lets the provider answer what it has held back.
    pub fn let_go(&self) {
        self.gate.let_go();
    }

    /// Until so many messages are at the provider, answered or not.
    pub async fn arrived(&self, count: usize) {
        let arrived = async {
            while self.taken.lock().unwrap().len() < count {
                self.a_while().await;
            }
        };
        let arrived = tokio::time::timeout(STUCK, arrived).await;
        arrived.expect("messages do not arrive");
    }

    /// Until something new arrives, or a while has passed.
    pub async fn a_while(&self) {
        let more = self.provider.wait_for(self.provider.count() + 1);
        let _ = tokio::time::timeout(PATIENCE, more).await;
    }

    /// Posts so many messages, each until it is accepted. Returns how many are to be accepted by then.
    pub fn load(&mut self, count: usize, shape: fn(usize) -> Post) -> usize {
        let next = Arc::new(AtomicUsize::new(self.posted));
        self.posted += count;
        for _ in 0..CLIENTS.min(count) {
            let (next, end, mut client) = (Arc::clone(&next), self.posted, self.client());
            self.posts.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= end {
                        return;
                    }
                    client.see_through(shape(number), number).await;
                }
            });
        }
        self.posted
    }

    fn client(&self) -> Client {
        Client {
            address: self.address,
            keys: self.keys.clone(),
            starts: self.starts.subscribe(),
            told: self.told.clone(),
        }
    }

    /// Until so many messages are accepted.
    pub async fn accepted(&self, count: usize) {
        let mut told = self.told.subscribe();
        let enough = told.wait_for(|told| told.len() >= count);
        let enough = tokio::time::timeout(STUCK, enough).await;
        drop(enough.expect("no messages are accepted").unwrap());
    }

    /// Until so many messages are accepted, or the program has ended or stands still.
    pub async fn accepted_or_still(&self, count: usize) {
        while self.told.borrow().len() < count && self.runs() {
            self.a_while().await;
        }
    }

    /// Until all that was posted is accepted, and withdrawn where that was asked for.
    pub async fn posted(&mut self) {
        while let Some(client) = self.posts.join_next().await {
            client.unwrap();
        }
    }

    /// From now on nothing that was accepted before may arrive: by the observer's clock its time is over.
    pub fn over(&self) {
        let now = millis(SystemTime::now());
        let deadline = |told: &mut Vec<Told>| {
            for one in told {
                one.deadline.get_or_insert(now);
            }
        };
        self.told.send_modify(deadline);
    }

    /// The ids of what was accepted, in that order.
    pub fn ids(&self) -> Vec<String> {
        self.told
            .borrow()
            .iter()
            .map(|told| told.id.clone())
            .collect()
    }

    /// One call with a tenant's key.
    pub async fn call(&self, tenant: &str, method: &str, path: &str) -> std::io::Result<Answer> {
        let authorization = format!("Bearer {}", self.keys[tenant]);
        let headers = [("authorization", authorization.as_str())];
        call(self.address, method, path, &headers, "").await
    }

    /// One test of an integration of a tenant. The program may die of it.
    pub async fn test(
        &self,
        tenant: &str,
        integration: &str,
        body: &str,
    ) -> std::io::Result<Answer> {
        let authorization = format!("Bearer {}", self.keys[tenant]);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let path = format!("/v1/integrations/{integration}/test");
        call(self.address, "POST", &path, &headers, body.to_owned()).await
    }

    /// What the provider was asked to send, by key.
    pub fn taken(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(|arrival| arrival.key.clone()).collect()
    }

    /// One post of a plain message under a key of its own. Whether it was refused at first: then a client
    /// goes on with it, because only a repeat under its key can tell what became of it.
    pub async fn is_refused(&mut self) -> bool {
        let number = self.posted;
        self.posted += 1;
        let key = PLAIN.key(number);
        let answer = post(self.address, &self.keys["acme"], &key, PLAIN.body(&key)).await;
        let answer = answer.unwrap();
        if answer.status == 202 {
            tell(&self.told, key, &answer);
            return false;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        let mut client = self.client();
        self.posts
            .spawn(async move { client.see_through(PLAIN, number).await });
        true
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.let_go();
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
