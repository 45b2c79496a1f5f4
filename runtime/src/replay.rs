//! Recorded cases: a message, settings and a provider's answers, run through a connector as a send
//! would be, with time and chance frozen and no network.
//!
//! A case is one JSON object a line. Unknown fields are ignored, so that a case can hold notes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;
use uuid::Uuid;

use crate::connector::{Call, ConnectorRuntime, GuestClock, LoadedConnector};
use crate::egress::{
    Answer, Capture, Ceiling, EgressConfig, EgressPolicy, EgressScope, MailScript, Transport,
};
use crate::limits::Limits;
use crate::message::{Content, OutgoingMessage, Payload};
use crate::outcome::{Failure, FailureKind};
use crate::settings::{Placeholders, PreparedSettings};

mod check;
mod mail;
mod result;
mod signature;

pub use check::{Expectation, check};

pub use mail::ReplayedMail;
pub use result::{ReplayResult, ReplayedOutcome, ReplayedRequest};

/// How long a replayed message lives.
const TIME_TO_LIVE: Duration = Duration::from_secs(600);

/// A recorded case. It has no `Debug`: its settings hold secrets.
#[derive(Deserialize)]
pub struct ReplayCase {
    /// `connector/case`.
    pub id: String,
    /// The frozen clock: milliseconds since the Unix epoch.
    #[serde(default)]
    pub now_ms: u64,
    /// UUIDs; the random source gives their bytes first, in order.
    #[serde(default)]
    pub uuids: Vec<String>,
    /// The settings as an operator would type them, secrets included.
    pub settings: Value,
    /// The message.
    pub message: CaseMessage,
    /// A text that is rendered already.
    #[serde(default)]
    pub content: Option<Content>,
    /// What the provider answers, in order.
    #[serde(default)]
    pub responses: Vec<CaseResponse>,
    /// How a mail server deviates from one that takes everything.
    #[serde(default)]
    pub smtp_server: Option<MailScript>,
    /// How the network fails.
    #[serde(default)]
    pub network: Option<CaseNetwork>,
    /// What is expected; only [`check`] looks at it.
    #[serde(default)]
    pub expect: Option<Expectation>,
}

/// The message of a case.
#[derive(Deserialize)]
pub struct CaseMessage {
    /// The recipient.
    pub to: String,
    /// The usage type.
    #[serde(rename = "type")]
    pub usage_type: String,
    /// Template variables, their keys in order.
    pub payload: Box<RawValue>,
    /// Address of the person that asked for the message.
    #[serde(default)]
    pub ip: Option<String>,
}

/// One answer of the provider.
#[derive(Clone, Debug, Deserialize)]
pub struct CaseResponse {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    network: Option<BrokenAnswer>,
}

impl fmt::Display for CaseResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network {
            Some(BrokenAnswer::Garbage) => f.write_str("something that is no HTTP"),
            Some(BrokenAnswer::Truncated) => write!(f, "{} and the half of a body", self.status),
            None => write!(f, "{} {}", self.status, self.body),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BrokenAnswer {
    Garbage,
    Truncated,
}

/// A network that fails before any answer.
#[derive(Clone, Debug, Deserialize)]
pub struct CaseNetwork {
    #[serde(default)]
    fault: Option<Fault>,
    #[serde(default)]
    untrusted_tls: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    DnsFailure,
}

/// Runs a case as a send would run, up to the socket.
pub async fn replay(
    runtime: &ConnectorRuntime,
    connector: &Arc<LoadedConnector>,
    case: &ReplayCase,
) -> ReplayResult {
    let clock = GuestClock::Frozen {
        now_ms: case.now_ms,
        random: case.random(),
    };
    replay_under(runtime, connector, case, clock).await
}

/// The same under a clock and with a chance of the caller's.
pub async fn replay_under(
    runtime: &ConnectorRuntime,
    connector: &Arc<LoadedConnector>,
    case: &ReplayCase,
    clock: GuestClock,
) -> ReplayResult {
    let refused = |failure| ReplayResult::new(&case.id, Err(failure), Duration::ZERO);
    if let Some(problem) = connector.schema.problems(&case.settings).into_iter().next() {
        let words = format!("{}: {}", problem.pointer, problem.message);
        let failure = Failure::host(FailureKind::InvalidSettings, "settings.invalid", words);
        return refused(failure);
    }
    let (settings, secrets) = connector.schema.split(case.settings.clone());
    let prepared = PreparedSettings::new(settings, &secrets, &connector.info.secret_grants);
    let (settings, placeholders) =
        prepared.fill(*Uuid::from_u128(u128::from(case.now_ms)).as_bytes());
    let server = case.smtp_server.clone().unwrap_or_default();
    let capture = Arc::new(Capture::new(case.answers()).with_server(server));
    let limits = Arc::new(Limits::default());
    let deadline = Instant::now() + limits.wall();
    let scope = match scope(connector, case, &capture, &placeholders, &limits, deadline) {
        Ok(scope) => scope,
        Err(words) => {
            let failure = Failure::host(FailureKind::InvalidSettings, "settings.hosts", words);
            return refused(failure);
        }
    };
    let call = Call {
        settings,
        message: case.message(),
        original: None,
        egress: Arc::new(scope),
        placeholders,
        limits,
        deadline,
        clock,
    };
    let report = runtime.call(connector, call).await;
    ReplayResult::of(&case.id, report, &capture)
}

/// The way out under production's policy, into the list of answers.
fn scope(
    connector: &LoadedConnector,
    case: &ReplayCase,
    capture: &Arc<Capture>,
    placeholders: &Placeholders,
    limits: &Arc<Limits>,
    deadline: Instant,
) -> Result<EgressScope, String> {
    let ceiling = Ceiling::new(&EgressConfig::default()).map_err(|error| error.to_string())?;
    let hosts = &connector.info.hosts;
    let policy = EgressPolicy::new(&Arc::new(ceiling), None, hosts, &case.settings)
        .map_err(|error| error.to_string())?;
    let named = "an integration could not be named";
    Ok(EgressScope::new(
        Transport::Capture(Arc::clone(capture)),
        "replay".parse().map_err(|_| named)?,
        "replay".parse().map_err(|_| named)?,
        0,
        None,
        Arc::new(policy),
        placeholders.clone(),
        Arc::clone(limits),
        deadline,
        None,
    ))
}

impl ReplayCase {
    /// The bytes of its UUIDs.
    #[must_use]
    pub fn random(&self) -> Bytes {
        let uuids = self
            .uuids
            .iter()
            .filter_map(|text| Uuid::try_parse(text).ok());
        uuids.flat_map(Uuid::into_bytes).collect()
    }

    /// The case with a provider that accepts everything, where nothing was recorded of one.
    #[must_use]
    pub fn or_stand_in(mut self) -> Self {
        if self.responses.is_empty() && self.network.is_none() {
            let requests = Limits::default().requests as usize;
            self.responses = vec![CaseResponse::stand_in(); requests];
        }
        self
    }

    fn message(&self) -> OutgoingMessage {
        // What no caller could post is replayed as it stands.
        let payload = Payload::parse(&self.message.payload)
            .unwrap_or_else(|_| Payload::from_stored(self.message.payload.get().to_owned()));
        OutgoingMessage {
            recipient: self.message.to.clone(),
            usage_type: self.message.usage_type.clone(),
            locale: payload.text("locale"),
            payload: payload.expose().to_owned(),
            client_ip: self.message.ip.clone(),
            content: self.content.clone(),
            idempotency_key: self.id.clone(),
            expires_in: TIME_TO_LIVE,
        }
    }

    fn answers(&self) -> Vec<Answer> {
        let broken = self.network.as_ref().and_then(|network| match network {
            CaseNetwork {
                fault: Some(Fault::DnsFailure),
                ..
            } => Some(Answer::DnsFailure),
            CaseNetwork {
                untrusted_tls: true,
                ..
            } => Some(Answer::UntrustedTls),
            _ => None,
        });
        match broken {
            Some(answer) => vec![answer; Limits::default().requests as usize],
            None => self.responses.iter().map(CaseResponse::answer).collect(),
        }
    }
}

impl CaseResponse {
    fn stand_in() -> Self {
        let json = ("content-type".to_owned(), "application/json".to_owned());
        Self {
            status: 200,
            headers: BTreeMap::from([json]),
            body: r#"{"id":"stand-in","ok":true}"#.to_owned(),
            network: None,
        }
    }

    fn answer(&self) -> Answer {
        match self.network {
            Some(BrokenAnswer::Garbage) => Answer::Garbage,
            Some(BrokenAnswer::Truncated) => Answer::Truncated {
                status: self.status,
            },
            None => Answer::Response {
                status: self.status,
                headers: self.headers.clone().into_iter().collect(),
                body: Bytes::copy_from_slice(self.body.as_bytes()),
            },
        }
    }
}
