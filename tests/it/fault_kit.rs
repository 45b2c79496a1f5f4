//! The built program on data that outlives it, clients that do not give up, and peers that note all that comes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, StatusCode};
use sendbox_tests::history::{Arrival, History, Message, Millis, Told, is_final, millis};
use sendbox_tests::mail_peer::{MailPeer, reply, usual};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{Answer, House, Provider, call};

/// What left in time is read by a peer on a busy machine at most so many milliseconds later.
pub const ON_THE_WAY: Millis = 5_000;
/// How long to wait for a sign before looking again.
pub const PATIENCE: Duration = Duration::from_millis(100);
/// A test that sees no progress for so long fails instead of hanging.
pub const STUCK: Duration = Duration::from_secs(120);
const CLIENTS: usize = 32;
const FINAL: [&str; 5] = ["sent", "failed", "expired", "cancelled", "unknown"];

/// What a provider makes of a message: the last word of its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Taken.
    Ok,
    /// Refused once, then taken.
    Once,
    /// Refused again and again, each time until later.
    Busy,
    /// Refused for good.
    Bad,
    /// Taken once the test lets go of it.
    Held,
}

/// A message to be posted.
#[derive(Clone, Copy)]
pub struct Post {
    pub tenant: &'static str,
    pub channel: &'static str,
    pub fate: Fate,
    /// How long it lives.
    pub seconds: u64,
    /// Withdrawn as soon as it can be.
    pub cancel: bool,
}

/// An e-mail of ten minutes that is taken.
pub const PLAIN: Post = Post {
    tenant: "acme",
    channel: "email",
    fate: Fate::Ok,
    seconds: 600,
    cancel: false,
};

/// Every kind of message, by turns: with `guild` the operator's e-mail service sends and counts.
pub fn mixed(number: usize) -> Post {
    let guild = Post {
        tenant: "guild",
        ..PLAIN
    };
    let sms = Post {
        channel: "sms",
        ..PLAIN
    };
    let with = |post: Post, fate| Post { fate, ..post };
    let short = |post: Post| Post { seconds: 1, ..post };
    match number % 10 {
        0 => short(PLAIN),
        1 => sms,
        2 => guild,
        3 => with(PLAIN, Fate::Once),
        4 => short(with(PLAIN, Fate::Busy)),
        5 => with(sms, Fate::Once),
        6 => short(with(guild, Fate::Busy)),
        7 => Post {
            cancel: true,
            ..with(PLAIN, Fate::Busy)
        },
        8 => with(PLAIN, Fate::Bad),
        _ => PLAIN,
    }
}

impl Post {
    fn key(self, number: usize) -> String {
        let fate = match self.fate {
            Fate::Ok => "ok",
            Fate::Once => "once",
            Fate::Busy => "busy",
            Fate::Bad => "bad",
            Fate::Held => "held",
        };
        format!("nr-{number:06}-{fate}")
    }

    fn body(self, key: &str) -> String {
        let to = match self.channel {
            "sms" => "+15550100".to_owned(),
            _ => format!("{key}@example.com"),
        };
        json!({
            "channel": self.channel, "to": to, "type": "SignIn",
            "payload": { "code": key, "locale": "en" }, "expires_in_seconds": self.seconds,
        })
        .to_string()
    }
}

/// The key in a text that a provider got.
fn key_in(text: &str) -> Option<String> {
    let keys = text.match_indices("nr-").map(|(at, _)| {
        let key = text[at..].chars();
        key.take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect()
    });
    keys.into_iter().next()
}

type Notes<T> = Arc<Mutex<Vec<T>>>;

/// Holds answers back until it is open.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }
}

/// A provider by HTTP that does with each message what its key says.
async fn provider(taken: Notes<Arrival>, gate: Arc<Gate>) -> Provider {
    Provider::start(move |arrival| {
        let key = key_in(&arrival.body).unwrap();
        let fate = key.rsplit('-').next().unwrap().to_owned();
        let status = {
            let mut noted = taken.lock().unwrap();
            let came_before = || noted.iter().any(|earlier| earlier.key == key);
            let status = match fate.as_str() {
                "ok" | "held" => StatusCode::OK,
                "once" if came_before() => StatusCode::OK,
                "once" | "busy" => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_REQUEST,
            };
            let name = status.is_success().then(|| format!("h{}", noted.len()));
            noted.push(Arrival {
                key,
                at: millis(arrival.at),
                taken: name,
            });
            status
        };
        if fate == "held" {
            gate.pass();
        }
        (status, HeaderMap::new(), "{}".into())
    })
    .await
}

/// A mail server that does the same, and when it queued which mail of which connection.
async fn mail_server(queued: Notes<(usize, Millis)>) -> MailPeer {
    MailPeer::start(None, false, move |line| {
        let busy = line.text.starts_with("RCPT") && line.text.contains("-busy@");
        if line.text == "." {
            let mut queued = queued.lock().unwrap();
            queued.push((line.connection, millis(SystemTime::now())));
            return reply(&format!("250 2.0.0 queued as q{}", queued.len() - 1));
        }
        if busy {
            reply("451 4.2.1 later")
        } else {
            usual(line)
        }
    })
    .await
}

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

    /// Starts the program. Whether it came to listen.
    pub fn start(&mut self) -> bool {
        let program = env!("CARGO_BIN_EXE_sendbox").to_owned();
        let mut words = self.wrapper.iter().chain([&program]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .args(["serve", "--listen", &self.address.to_string(), "--data"])
            .arg(&self.data)
            .envs(self.environment.iter().cloned())
            .env("SENDBOX_FAULT_PLAN", &self.plan)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let lines = log.lines().map_while(Result::ok);
        let mut lines = lines.inspect(|line| eprintln!("{line}"));
        let listens = lines.any(|line| line.contains("listening"));
        std::thread::spawn(move || lines.count());
        self.child = Some(child);
        self.starts.send_modify(|count| *count += 1);
        listens
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> ExitStatus {
        self.child.as_mut().unwrap().kill().unwrap();
        self.ended().await
    }

    /// Until the program has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let ended = async {
            loop {
                if let Some(end) = child.try_wait().unwrap() {
                    return end;
                }
                self.a_while().await;
            }
        };
        let ended = tokio::time::timeout(STUCK, ended).await;
        ended.expect("the program does not end")
    }

    /// Sends a signal, such as `TERM`, unless the program has ended.
    pub fn signal(&mut self, name: &str) {
        let child = self.child.as_mut().unwrap();
        if child.try_wait().unwrap().is_none() {
            let pid = child.id().to_string();
            let sent = Command::new("kill").args(["-s", name, &pid]).status();
            assert!(sent.unwrap().success());
        }
    }

    /// The program runs, and does not stand still.
    fn runs(&self) -> bool {
        let stat = format!("/proc/{}/stat", self.child.as_ref().unwrap().id());
        let stat = std::fs::read_to_string(&stat);
        stat.is_ok_and(|stat| !stat.contains(") T ") && !stat.contains(") Z "))
    }

    /// Until the program stands still.
    pub async fn stopped(&self) {
        let stopped = async {
            while self.runs() {
                self.a_while().await;
            }
        };
        let stopped = tokio::time::timeout(STUCK, stopped).await;
        stopped.expect("the program runs on");
    }

    /// Lets the provider answer what it has held back.
    pub fn let_go(&self) {
        *self.gate.open.lock().unwrap() = true;
        self.gate.opened.notify_all();
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

impl Drop for Run {
    fn drop(&mut self) {
        self.let_go();
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
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

/// `acme` with HTTP e-mail and text messages, and `guild` that sends through the operator's e-mail service.
async fn tenants(
    house: &House,
    provider: &Provider,
    mail_port: u16,
) -> BTreeMap<&'static str, String> {
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    for id in ["http-sms", "smtp", "builtin-email"] {
        let component = connector_bundle::component(id).unwrap();
        house.upload(component).await.expect(201);
    }
    let put = async |path: &str, body: Value| {
        let answer = house.operate("PUT", &format!("/v1/{path}"), body).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    };
    house
        .integrate("acme", "text", "http-sms", json!({ "endpoint": endpoint }))
        .await;
    put(
        "tenants/acme/routes/sms",
        json!({ "integrations": ["text"] }),
    )
    .await;
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    let relay = json!({
        "host": "127.0.0.1", "port": mail_port, "ignoreTLS": true, "auth": {},
        "fromEmail": "House <noreply@house.test>",
        "templates": usage_types.map(|usage_type| json!({
            "usageType": usage_type, "contentType": "text/plain", "subject": "own", "content": "{{code}}",
        })),
    });
    put("tenants/house", json!({})).await;
    house.integrate("house", "relay", "smtp", relay).await;
    put(
        "email-service",
        json!({ "tenant": "house", "integration": "relay" }),
    )
    .await;
    put("tenants/guild", json!({})).await;
    house
        .integrate("guild", "mail", "builtin-email", json!({}))
        .await;
    put(
        "tenants/guild/routes/email",
        json!({ "integrations": ["mail"] }),
    )
    .await;
    BTreeMap::from([("acme", acme), ("guild", house.key("guild").await)])
}

async fn post(
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

fn tell(told: &watch::Sender<Vec<Told>>, key: String, answer: &Answer) {
    let one = Told {
        key,
        id: answer.text_at("/id"),
        deadline: None,
    };
    told.send_modify(|told| told.push(one));
}

/// One that posts through refusals and through the server's deaths.
struct Client {
    address: SocketAddr,
    keys: BTreeMap<&'static str, String>,
    starts: watch::Receiver<usize>,
    told: watch::Sender<Vec<Told>>,
}

impl Client {
    async fn see_through(&mut self, what: Post, number: usize) {
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
