//! A store and delivery over it, with tenants that send by `http-email`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use sendbox::connector::LoadedConnector;
use sendbox::delivery::{Delivery, DeliveryConfig, Ended, Foundations, Submitted};
use sendbox::egress::expanded_hosts;
use sendbox::id::{IntegrationId, MessageId, TenantId};
use sendbox::limits::Limits;
use sendbox::message::{Channel, Message, Origin, Payload, Recipient, UsageType};
use sendbox::settings::Asked;
use sendbox::store::{Spending, Store};
use sendbox::tenant::{ConnectorVersion, Integration, IntegrationState, Route, Tenant};
use sendbox::time::{Clock, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fixture::{self, Component, PAYLOAD, Setting};

/// What sends.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) delivery: Delivery,
    version: ConnectorVersion,
    loaded: Arc<LoadedConnector>,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
}

impl House {
    /// Opens a store in a file of this name. Nothing is claimed before [`House::run`].
    pub(crate) async fn open(
        setting: &Setting,
        path: &Path,
        config: &DeliveryConfig,
    ) -> Result<Self> {
        let store = Store::open(path, Setting::ring()?).await?;
        let (runtime, egress) = (setting.engine()?, setting.egress()?);
        let component = Component::bundled("http-email")?;
        let inspection = runtime.inspect(component.bytes.clone()).await?;
        let version = ConnectorVersion {
            digest: component.digest,
            size: inspection.size,
            info: inspection.info,
            uploaded_at: Timestamp::default(),
        };
        store.put_connector(&version, &component.bytes).await?;
        let foundations = Foundations {
            store: store.clone(),
            runtime,
            egress,
            limits: Arc::new(Limits::default()),
            clock: Clock::System,
        };
        let delivery = Delivery::new(foundations, config);
        let loaded = delivery.roster().connector(component.digest).await?;
        Ok(Self {
            store,
            delivery,
            version,
            loaded,
            stop: CancellationToken::new(),
            running: None,
        })
    }

    /// Claims and sends from now on.
    pub(crate) fn run(&mut self) {
        let (delivery, stop) = (self.delivery.clone(), self.stop.clone());
        let run = async move { delivery.run(stop, Duration::from_secs(5)).await };
        self.running = Some(tokio::spawn(run));
    }

    /// Stops, and closes the store.
    pub(crate) async fn close(self) -> Result<()> {
        self.stop.cancel();
        if let Some(running) = self.running {
            running.await?;
        }
        self.store.close().await;
        Ok(())
    }

    /// A tenant with an integration for each endpoint, and a route through them in their order.
    pub(crate) async fn tenant(&self, name: &str, endpoints: &[String]) -> Result<TenantId> {
        let tenant: TenantId = name.parse()?;
        self.store
            .put_tenant(&Tenant {
                id: tenant.clone(),
                title: String::new(),
                egress_pool: None,
                allowed_hosts: None,
                created_at: Timestamp::default(),
            })
            .await?;
        let mut integrations: Vec<IntegrationId> = Vec::new();
        for (number, endpoint) in endpoints.iter().enumerate() {
            let id: IntegrationId = format!("mail{number}").parse()?;
            let settings = fixture::http_email(endpoint);
            let (settings, secrets) = self.loaded.schema.split(settings);
            let asked = Asked {
                info: &self.version.info,
                hosts: expanded_hosts(&self.version.info.hosts, &settings)?,
            };
            let integration = Integration {
                id: id.clone(),
                tenant: tenant.clone(),
                connector: self.version.info.id.clone(),
                digest: self.version.digest,
                state: IntegrationState::Active,
                secrets: asked.bind(secrets),
                settings,
                earlier_secrets: BTreeMap::new(),
                egress_pool: None,
                revision: 0,
                updated_at: Timestamp::default(),
            };
            self.store.put_integration(&integration).await?;
            integrations.push(id);
        }
        let route = Route {
            channel: Channel::Email,
            integrations,
        };
        self.store.put_route(&tenant, &route).await?;
        Ok(tenant)
    }
}

/// A message of a tenant's, new now.
pub(crate) fn message(tenant: &TenantId) -> Result<Message> {
    let now = Clock::System.now();
    let id = MessageId::generate();
    Ok(Message {
        id,
        tenant: tenant.clone(),
        origin: Origin::Api,
        channel: Channel::Email,
        recipient: Recipient::parse(Channel::Email, "leonhard@euler.example")?,
        usage_type: UsageType::SignIn,
        payload: Payload::parse(serde_json::from_str(PAYLOAD)?)?,
        locale: Some("de-CH".to_owned()),
        client_ip: Some("192.0.2.7".parse()?),
        idempotency_key: Some(id.to_string()),
        created_at: now,
        expires_at: now.after(Duration::from_mins(10)),
    })
}

/// Hands a message in and waits for the end of its first attempt.
pub(crate) async fn first_attempt(delivery: &Delivery, tenant: &TenantId) -> Result<Ended> {
    let submitted = delivery.submit(message(tenant)?, Spending::default(), true);
    let Submitted::Accepted(_, Some(waiting)) = submitted.await? else {
        anyhow::bail!("not accepted");
    };
    waiting.ended().await.context("not recorded")
}
