//! Sends of made-up integrations through the egress floor.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sendbox::about::SecretGrant;
use sendbox::egress::{
    Arm, Capture, Ceiling, Egress, EgressConfig, EgressError, EgressPolicy, EgressScope,
    HttpRequest, HttpResponse, Transport,
};
use sendbox::limits::Limits;
use sendbox::outcome::Exchange;
use sendbox::secret::Secret;
use sendbox::settings::{Placeholders, PreparedSettings};
use sendbox::source::EgressSource;
use sendbox_tests::cases::cases;
use sendbox_tests::peer::Peer;
use serde_json::{Value, json};
use tokio::time::Instant;

pub const HOST: &str = "api.allowed.test";

/// Reaches [`HOST`] in clear on one peer's port, and nothing else.
pub fn config_for(peer: &Peer) -> EgressConfig {
    let mut config = test_names();
    config.allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    config.plaintext_hosts = vec![format!("{HOST}:{}", peer.address.port())];
    config.hosts = BTreeMap::from([(HOST.to_owned(), vec![peer.address.ip()])]);
    config
}

/// Production, but that answers are kept no longer than they say, that names below `test` may be used, and that no server of the system is asked.
pub fn test_names() -> EgressConfig {
    EgressConfig {
        special_names: vec!["test".to_owned()],
        name_servers: vec!["127.0.0.1:9".parse().unwrap()],
        // What the tests' servers answer changes from one lookup to the next.
        dns_ttl_min_ms: 0,
        ..EgressConfig::default()
    }
}

/// A send to be made: one of tenant `acme` from the default address, unless it is changed.
#[derive(Clone)]
pub struct Send {
    pub tenant: &'static str,
    pub integration: &'static str,
    pub revision: i64,
    pub source: Option<IpAddr>,
    pub ehlo_name: Option<&'static str>,
    /// The source itself, where it is more than an address and a name.
    pub by: Option<EgressSource>,
    /// What it may leave by besides.
    pub pool: Vec<EgressSource>,
    pub hosts: Vec<String>,
    /// The tenant's own list, for connectors of the bundle.
    pub tenant_hosts: Option<Vec<String>>,
    pub limits: Limits,
    pub placeholders: Placeholders,
    pub arm: Option<Arm>,
    pub deadline: Duration,
}

impl Default for Send {
    fn default() -> Self {
        Self {
            tenant: "acme",
            integration: "mail",
            revision: 1,
            source: None,
            ehlo_name: None,
            by: None,
            pool: Vec::new(),
            hosts: vec![HOST.to_owned()],
            tenant_hosts: None,
            limits: Limits::default(),
            placeholders: Placeholders::none(),
            arm: None,
            deadline: Duration::from_secs(15),
        }
    }
}

impl Send {
    pub fn live(&self, egress: &Arc<Egress>) -> EgressScope {
        self.scope(Transport::Live(Arc::clone(egress)), egress.ceiling())
    }

    pub fn captured(&self, capture: &Arc<Capture>, config: &EgressConfig) -> EgressScope {
        let ceiling = Arc::new(Ceiling::new(config).unwrap());
        self.scope(Transport::Capture(Arc::clone(capture)), &ceiling)
    }

    fn scope(&self, transport: Transport, ceiling: &Arc<Ceiling>) -> EgressScope {
        let policy = EgressPolicy::new(ceiling, None, &self.hosts, &json!({})).unwrap();
        self.scope_under(transport, policy)
    }

    pub fn scope_under(&self, transport: Transport, policy: EgressPolicy) -> EgressScope {
        let plain = || self.source.map(|address| source(address, self.ehlo_name));
        let source = self.by.clone().or_else(plain);
        let pool = source.iter().chain(&self.pool).cloned().collect();
        EgressScope::new(
            transport,
            self.tenant.parse().unwrap(),
            self.integration.parse().unwrap(),
            self.revision,
            source,
            Arc::new(policy),
            self.placeholders.clone(),
            Arc::new(self.limits.clone()),
            Instant::now() + self.deadline,
            self.arm.clone(),
        )
        .among(pool)
    }

    /// One request of a send of its own, and what the host saw of it.
    pub async fn once(
        &self,
        egress: &Arc<Egress>,
        request: HttpRequest,
    ) -> (Result<HttpResponse, EgressError>, Exchange) {
        let scope = self.live(egress);
        let result = scope.http(request).await;
        let exchange = scope.wire().exchanges.pop().unwrap();
        (result, exchange)
    }
}

pub fn source(address: IpAddr, ehlo_name: Option<&str>) -> EgressSource {
    let name = "ip-".to_owned() + &address.to_string().replace(['.', ':'], "-");
    let source = json!({ "name": name, "address": address, "ehlo_name": ehlo_name });
    serde_json::from_value(source).unwrap()
}

/// Until when an attempt may begin requests that has ten minutes.
pub fn in_ten_minutes() -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(600))
}

pub fn live(config: &EgressConfig) -> Arc<Egress> {
    Arc::new(Egress::new(config).unwrap())
}

pub fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: url.into(),
        ..HttpRequest::default()
    }
}

pub fn post(url: impl Into<String>, content_type: &str, body: impl Into<Bytes>) -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        url: url.into(),
        headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
        body: body.into(),
        ..HttpRequest::default()
    }
}

/// The bad inputs of a kind: name, input, expected verdict.
pub fn bad_inputs(kind: &str) -> Vec<(String, Value, String)> {
    let text = |case: &Value, field: &str| case[field].as_str().unwrap().to_owned();
    let all = ["corpus/bad-input.jsonl", "corpus/unseen.jsonl"].map(cases);
    let own = all
        .into_iter()
        .flatten()
        .filter(|case| case["kind"] == kind);
    let own = own.map(|case| {
        (
            text(&case, "id"),
            case["input"].clone(),
            text(&case, "expect"),
        )
    });
    let own: Vec<_> = own.collect();
    assert!(!own.is_empty(), "no bad input is of the kind {kind}");
    own
}

/// The URL of a path at a peer under [`HOST`].
pub fn at(peer: &Peer, path: &str) -> String {
    format!("http://{HOST}:{}{path}", peer.address.port())
}

/// The placeholder of one secret, and what fills it in where the grant says.
pub fn secret(value: &str, query: bool, body: bool) -> (String, Placeholders) {
    let grant = SecretGrant {
        setting: "/key".to_owned(),
        query,
        body,
        signing: false,
        derivations: 0,
    };
    let secrets = BTreeMap::from([("/key".to_owned(), Secret::new(value.to_owned()))]);
    let prepared = PreparedSettings::new(json!({ "key": null }), &secrets, &[grant]);
    let (text, placeholders) = prepared.fill([7; 16]);
    let settings: Value = serde_json::from_str(&text).unwrap();
    (settings["key"].as_str().unwrap().to_owned(), placeholders)
}
