//! Bundled connectors in a sandbox, with a made-up integration's way out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sendbox::connector::{
    Call, CallReport, ConnectorRuntime, EngineConfig, GuestClock, LoadedConnector,
};
use sendbox::egress::{Ceiling, Egress, EgressConfig, EgressPolicy, PortRange, Transport};
use sendbox::id::Digest;
use sendbox::message::{Content, OutgoingMessage};
use sendbox::settings::PreparedSettings;
use sendbox_tests::certificates::Authority;
use sendbox_tests::mail_peer::MailPeer;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::egress_kit::{HOST, Send, test_names};
use crate::sandbox::runtime;

/// A connector of the bundle, compiled.
pub struct Bundled {
    runtime: ConnectorRuntime,
    connector: Arc<LoadedConnector>,
}

impl Bundled {
    pub async fn new(id: &str) -> Self {
        Self::of(connector_bundle::component(id).unwrap()).await
    }

    /// A connector of nobody's bundle.
    pub async fn of(component: &'static [u8]) -> Self {
        let runtime = runtime(EngineConfig::default());
        let bytes = Bytes::from_static(component);
        let connector = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
        Self { runtime, connector }
    }

    /// Whether an integration with these settings can be saved.
    pub fn accepts(&self, ceiling: &Arc<Ceiling>, settings: &Value) -> bool {
        let (schema, info) = (&self.connector.schema, &self.connector.info);
        schema.problems(settings).is_empty()
            && EgressPolicy::new(ceiling, None, &info.hosts, settings).is_ok()
    }

    /// Sends out, from the source and within the limits of `send`.
    pub async fn send(
        &self,
        send: &Send,
        egress: &Arc<Egress>,
        settings: Value,
        message: OutgoingMessage,
    ) -> CallReport {
        let transport = Transport::Live(Arc::clone(egress));
        self.call(send, transport, egress.ceiling(), settings, message)
            .await
    }

    pub async fn call(
        &self,
        send: &Send,
        transport: Transport,
        ceiling: &Arc<Ceiling>,
        settings: Value,
        message: OutgoingMessage,
    ) -> CallReport {
        let (schema, info) = (&self.connector.schema, &self.connector.info);
        assert_eq!(schema.problems(&settings), [], "{settings}");
        let tenant = send.tenant_hosts.as_deref();
        let policy = EgressPolicy::new(ceiling, tenant, &info.hosts, &settings).unwrap();
        let (settings, secrets) = schema.split(settings);
        let prepared = PreparedSettings::new(settings, &secrets, &info.secret_grants);
        let (settings, placeholders) = prepared.fill([7; 16]);
        let send = Send {
            placeholders: placeholders.clone(),
            ..send.clone()
        };
        let call = Call {
            settings,
            message,
            original: None,
            egress: Arc::new(send.scope_under(transport, policy)),
            placeholders,
            limits: Arc::new(send.limits.clone()),
            deadline: Instant::now() + send.deadline,
            clock: GuestClock::System,
        };
        self.runtime.call(&self.connector, call).await
    }
}

/// A sign-in code for `to`.
pub fn code_for(to: &str) -> OutgoingMessage {
    OutgoingMessage {
        recipient: to.to_owned(),
        usage_type: "SignIn".to_owned(),
        payload: r#"{"code":"123456"}"#.to_owned(),
        locale: None,
        client_ip: None,
        content: None,
        idempotency_key: "0199-one".to_owned(),
        expires_in: Duration::from_secs(600),
    }
}

/// The same with a text of the host's own.
pub fn text_for(to: &str, content: Content) -> OutgoingMessage {
    OutgoingMessage {
        content: Some(content),
        ..code_for(to)
    }
}

/// Settings of the connector `smtp` for a server under [`HOST`], with one text for all usage types.
pub fn smtp_settings(port: u16, subject: &str, body: &str, more: &Value) -> Value {
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    let mut settings = json!({
        "host": HOST,
        "port": port,
        "auth": {"user": "apikey", "pass": "p@ss wörd"},
        "fromEmail": "Wörld, Inc. <noreply@x.test>",
        "templates": usage_types.map(|usage_type| json!({
            "usageType": usage_type, "contentType": "text/plain",
            "subject": subject, "content": body,
        })),
    });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings
}

/// Production, but that [`HOST`] is on loopback at these ports, under one authority.
pub fn mail_host(ports: &[u16], authority: &Authority) -> EgressConfig {
    EgressConfig {
        allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
        ports: ports.iter().copied().map(PortRange::one).collect(),
        hosts: BTreeMap::from([(HOST.to_owned(), vec!["127.0.0.1".parse().unwrap()])]),
        extra_roots: Some(authority.file()),
        ..test_names()
    }
}

/// [`mail_host`] with the one port of a peer.
pub fn mail_peer_host(peer: &MailPeer, authority: &Authority) -> EgressConfig {
    mail_host(&[peer.address.port()], authority)
}
