//! The parts of the runtime that a send needs, put together as the server does it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use sendbox::connector::{
    Call, CallReport, ConnectorRuntime, EngineConfig, GuestClock, LoadedConnector,
};
use sendbox::egress::{Egress, EgressConfig, EgressPolicy, EgressScope, Transport};
use sendbox::id::{Digest, IntegrationId, TenantId};
use sendbox::limits::Limits;
use sendbox::message::OutgoingMessage;
use sendbox::secret::{DataKey, KeyRing};
use sendbox::settings::{Placeholders, PreparedSettings};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::provider::Address;

/// What the parts of a run share.
#[derive(Clone)]
pub(crate) struct Setting {
    /// Folder of compiled connectors.
    pub(crate) artifacts: PathBuf,
    pub(crate) provider: Address,
}

impl Setting {
    /// The same in every process of a run: artifacts carry its MAC.
    pub(crate) fn key() -> Result<Arc<DataKey>> {
        Ok(Arc::new(DataKey::from_bytes(&[0x5e; 32])?))
    }

    /// What wraps the data keys of a store.
    pub(crate) fn ring() -> Result<KeyRing> {
        Ok(KeyRing::from_hex(&"5e".repeat(32))?)
    }

    pub(crate) fn engine(&self) -> Result<Arc<ConnectorRuntime>> {
        self.engine_of(EngineConfig::default().pool_slots)
    }

    /// An engine with a pool of this size.
    pub(crate) fn engine_of(&self, pool_slots: u32) -> Result<Arc<ConnectorRuntime>> {
        let config = EngineConfig {
            pool_slots,
            artifacts: Some(self.artifacts.clone()),
            ..EngineConfig::default()
        };
        Ok(Arc::new(ConnectorRuntime::new(&config, Self::key()?)?))
    }

    pub(crate) fn egress_config(&self) -> Result<EgressConfig> {
        std::fs::create_dir_all(&self.artifacts)?;
        let roots = self.artifacts.with_extension("pem");
        std::fs::write(&roots, &self.provider.root)?;
        Ok(EgressConfig {
            extra_roots: Some(roots),
            hosts: BTreeMap::from([(SIGNED_HOST.to_owned(), vec![Ipv4Addr::LOCALHOST.into()])]),
            ..EgressConfig::loopback()
        })
    }

    pub(crate) fn egress(&self) -> Result<Arc<Egress>> {
        Ok(Arc::new(Egress::new(&self.egress_config()?)?))
    }
}

/// A connector's bytes with their digest, as the store keeps them.
#[derive(Clone)]
pub(crate) struct Component {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

impl Component {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self {
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    /// A connector of this repository.
    pub(crate) fn bundled(name: &str) -> Result<Self> {
        let bytes = connector_bundle::component(name);
        let bytes = bytes.with_context(|| format!("no connector {name}"))?;
        Ok(Self::new(Bytes::from_static(bytes)))
    }

    /// The connector, compiled or from its artifact.
    pub(crate) async fn load(&self, runtime: &ConnectorRuntime) -> Result<Arc<LoadedConnector>> {
        Ok(runtime.load(self.digest, self.bytes.clone()).await?)
    }
}

/// Settings of the connector that posts to an endpoint, with a secret.
pub(crate) fn http_email(endpoint: &str) -> Value {
    json!({ "endpoint": endpoint, "authorization": "Bearer 6ff5f7e1b1c04f1a8d0e" })
}

/// Settings of a connector with templates at its provider.
pub(crate) fn postmark() -> Value {
    let types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    let template = |usage_type: &str| json!({ "usageType": usage_type, "templateAlias": "code" });
    json!({
        "serverToken": "6ff5f7e1-b1c0-4f1a-8d0e-0f2b7d3f9f11",
        "fromEmail": "no-reply@example.com",
        "templates": types.map(template).to_vec(),
    })
}

/// The sender of a mail.
pub(crate) const FROM: &str = "no-reply@example.com";
/// Its recipient.
pub(crate) const TO: &str = "leonhard@euler.example";
/// Its subject.
pub(crate) const SUBJECT: &str = "Your code is 271828";
/// Its body with the code in it.
pub(crate) const BODY: &str = concat!(
    "<div style=\"font-family: sans-serif\"><h1>Grüezi</h1><p>Your verification code is ",
    "<strong>271828</strong>. It is valid for ten minutes.</p><p>If you did not ask for it, ",
    "somebody typed your address by mistake.</p></div>",
);

/// Templates for all usage types with the content of [`BODY`].
fn templates(content_type: &str) -> Value {
    let types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    let template = |usage_type: &str| {
        json!({
            "usageType": usage_type,
            content_type: "text/html",
            "subject": SUBJECT.replace("271828", "{{code}}"),
            "content": BODY.replace("271828", "{{code}}"),
        })
    };
    types.map(template).to_vec().into()
}

/// Settings of the connector that submits mail, to a server in clear.
pub(crate) fn smtp(server: SocketAddr) -> Value {
    json!({
        "host": server.ip(),
        "port": server.port(),
        "ignoreTLS": true,
        "auth": {},
        "fromEmail": format!("Example <{FROM}>"),
        "templates": templates("contentType"),
    })
}

/// Where [`aws_ses`] leads to.
pub(crate) const SIGNED_HOST: &str = "email.us-east-1.amazonaws.com";

/// Settings of a connector that signs its requests.
pub(crate) fn aws_ses() -> Value {
    json!({
        "accessKeyId": "AKIDEXAMPLE",
        "accessKeySecret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "region": "us-east-1",
        "emailAddress": FROM,
        "templates": templates("type"),
    })
}

/// A sign-in code as an identity server hands it over.
pub(crate) const PAYLOAD: &str = concat!(
    r##"{"code":"271828","locale":"de-CH","application":{"id":"k3v0c2m9x1","name":"Webshop","##,
    r##""customData":{"brand":"Euler & Söhne","color":"#5d34f2"}},"uiLocales":"de-CH en","##,
    r##""userInfo":{"name":"Leonhard Euler","username":"leonhard","##,
    r##""primaryEmail":"leonhard@euler.example"},"requestTime":"2026-11-21T09:00:00.000Z"}"##,
);

fn message() -> OutgoingMessage {
    OutgoingMessage {
        recipient: "leonhard@euler.example".to_owned(),
        usage_type: "SignIn".to_owned(),
        payload: PAYLOAD.to_owned(),
        locale: Some("de-CH".to_owned()),
        client_ip: Some("192.0.2.7".to_owned()),
        content: None,
        idempotency_key: "msg_019a0f2b7d3f7f11b1c04f1a8d0e6ff5".to_owned(),
        expires_in: Duration::from_mins(10),
    }
}

/// One integration, ready to send as delivery keeps it.
pub(crate) struct Ready {
    runtime: Arc<ConnectorRuntime>,
    connector: Arc<LoadedConnector>,
    settings: PreparedSettings,
    policy: Arc<EgressPolicy>,
    tenant: TenantId,
    integration: IntegrationId,
    limits: Arc<Limits>,
}

/// What is made anew for each send.
pub(crate) struct Exit {
    pub(crate) settings: String,
    pub(crate) placeholders: Placeholders,
    pub(crate) scope: Arc<EgressScope>,
    deadline: Instant,
}

impl Ready {
    pub(crate) async fn new(
        runtime: &Arc<ConnectorRuntime>,
        egress: &Egress,
        component: &Component,
        settings: Value,
    ) -> Result<Self> {
        Self::of("acme", runtime, egress, component, settings).await
    }

    /// The same of another tenant.
    pub(crate) async fn of(
        tenant: &str,
        runtime: &Arc<ConnectorRuntime>,
        egress: &Egress,
        component: &Component,
        settings: Value,
    ) -> Result<Self> {
        let connector = component.load(runtime).await?;
        let hosts = &connector.info.hosts;
        let policy = EgressPolicy::new(egress.ceiling(), None, hosts, &settings)?;
        let (settings, secrets) = connector.schema.split(settings);
        let grants = &connector.info.secret_grants;
        Ok(Self {
            runtime: runtime.clone(),
            settings: PreparedSettings::new(settings, &secrets, grants),
            policy: Arc::new(policy),
            tenant: tenant.parse()?,
            integration: "mail".parse()?,
            limits: Arc::default(),
            connector,
        })
    }

    /// Opens one send's way out.
    pub(crate) fn open(&self, transport: Transport) -> Exit {
        let (settings, placeholders) = self.settings.fill(uuid::Uuid::new_v4().into_bytes());
        let deadline = Instant::now() + self.limits.wall();
        let scope = EgressScope::new(
            transport,
            self.tenant.clone(),
            self.integration.clone(),
            1,
            None,
            self.policy.clone(),
            placeholders.clone(),
            self.limits.clone(),
            deadline,
            None,
        );
        Exit {
            settings,
            placeholders,
            scope: Arc::new(scope),
            deadline,
        }
    }

    /// A call that is ready to go.
    pub(crate) fn call(&self, exit: Exit) -> Call {
        Call {
            settings: exit.settings,
            message: message(),
            original: None,
            egress: exit.scope,
            placeholders: exit.placeholders,
            limits: self.limits.clone(),
            deadline: exit.deadline,
            clock: GuestClock::System,
        }
    }

    /// Runs a call in a sandbox of its own, whatever comes of it.
    pub(crate) async fn run(&self, call: Call) -> CallReport {
        self.runtime.call(&self.connector, call).await
    }

    /// Runs a call in a sandbox of its own. The provider must accept.
    pub(crate) async fn send(&self, call: Call) -> Result<()> {
        let report = self.runtime.call(&self.connector, call).await;
        report
            .result
            .map(drop)
            .map_err(|failure| anyhow::anyhow!("{failure:?}"))
    }

    /// Runs a call that ends in the guest before it asks the host for anything.
    pub(crate) async fn refuse(&self, mut call: Call) -> Result<()> {
        "{}".clone_into(&mut call.settings);
        let report = self.runtime.call(&self.connector, call).await;
        anyhow::ensure!(
            report.result.is_err() && !report.trapped && report.wire.exchanges.is_empty(),
            "the guest took empty settings"
        );
        Ok(())
    }
}
