//! Durable accepts, and whole deliveries from the accept to the record of the attempt.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sendbox::attempt::MessageState;
use sendbox::delivery::{Delivery, DeliveryConfig, Foundations, Submitted};
use sendbox::egress::expanded_hosts;
use sendbox::id::{IntegrationId, MessageId, TenantId};
use sendbox::limits::Limits;
use sendbox::message::{Channel, Message, Origin, Payload, Recipient, UsageType};
use sendbox::settings::Asked;
use sendbox::store::{Accepted, Spending, Store};
use sendbox::tenant::{ConnectorVersion, Integration, IntegrationState, Route, Tenant};
use sendbox::time::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;

use super::fixture::{self, Component, PAYLOAD, Setting};
use super::load::{Client, micros, middle, rounds};
use super::report::{Bound, Report, Table};

const ROUND: Duration = Duration::from_millis(1500);
const WARM_UP: Duration = Duration::from_millis(200);

pub(crate) fn measure(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    let mut table = Table::new("The disk (µs)", &["p50"]);
    table.row("fdatasync after 4 KiB over old ones", vec![sync(folder)?]);
    report.add(table);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            accepts(folder, report).await?;
            deliveries(setting, folder, report).await
        })
}

/// The floor under every commit.
fn sync(folder: &Path) -> Result<f64> {
    let mut file = std::fs::File::create(folder.join("sync"))?;
    file.write_all(&[0; 64 << 10])?;
    file.sync_all()?;
    let mut times = Vec::new();
    for number in 0..400_u64 {
        let started = Instant::now();
        file.seek(SeekFrom::Start(number % 16 * 4096))?;
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(micros(started.elapsed()));
    }
    Ok(middle(times))
}

fn message() -> Result<Message> {
    let now = Clock::System.now();
    let id = MessageId::generate();
    Ok(Message {
        id,
        tenant: tenant()?,
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

fn tenant() -> Result<TenantId> {
    Ok("acme".parse()?)
}

const COLUMNS: &[&str] = &["a second", "CPU µs", "p50 µs", "p99 µs"];

async fn accepts(folder: &Path, report: &mut Report) -> Result<()> {
    let mut table = Table::new("Durable accepts, all cores", COLUMNS);
    for clients in [1, 32, 256] {
        let path = folder.join(format!("accepts-{clients}.db"));
        let store = Store::open(&path, Setting::ring()?).await?;
        let client = || Accepting(store.clone());
        let mut clients_at_once: Vec<_> = (0..clients).map(|_| client()).collect();
        let figures = rounds(&mut clients_at_once, WARM_UP, ROUND).await?;
        store.close().await;
        let per_second = figures.per_second;
        table.row(format!("{clients} clients"), figures.row());
        if clients == 256 {
            report.goal(
                "durable accepts with 256 clients, a second",
                per_second,
                Bound::AtLeast(11_000.0),
            );
        }
    }
    report.add(table);
    Ok(())
}

struct Accepting(Store);

impl Client for Accepting {
    async fn once(&mut self) -> Result<()> {
        let accepted = self.0.accept(&message()?, None).await?;
        ensure!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
        Ok(())
    }
}

async fn deliveries(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    let store = Store::open(&folder.join("deliveries.db"), Setting::ring()?).await?;
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
    let delivery = Delivery::new(
        Foundations {
            store: store.clone(),
            runtime: runtime.clone(),
            egress,
            limits: Arc::new(Limits::default()),
            clock: Clock::System,
        },
        &DeliveryConfig {
            tenant_concurrency: 256,
            ..DeliveryConfig::default()
        },
    );
    let loaded = delivery.roster().connector(component.digest).await?;
    let endpoint = format!("http://{}/send", setting.provider.plain);
    let (settings, secrets) = loaded.schema.split(fixture::http_email(&endpoint));
    configure(&store, &version, settings, secrets).await?;
    let stop = CancellationToken::new();
    let running = {
        let (delivery, stop) = (delivery.clone(), stop.clone());
        tokio::spawn(async move { delivery.run(stop, Duration::from_secs(5)).await })
    };
    let mut table = Table::new(
        "Whole deliveries (accept, arm, send, record), all cores",
        COLUMNS,
    );
    for clients in [32, 256] {
        let client = || Delivering(delivery.clone());
        let mut clients_at_once: Vec<_> = (0..clients).map(|_| client()).collect();
        let figures = rounds(&mut clients_at_once, WARM_UP, ROUND).await?;
        table.row(format!("{clients} in flight"), figures.row());
    }
    report.add(table);
    stop.cancel();
    running.await?;
    store.close().await;
    Ok(())
}

async fn configure(
    store: &Store,
    version: &ConnectorVersion,
    settings: serde_json::Value,
    secrets: std::collections::BTreeMap<String, sendbox::secret::Secret>,
) -> Result<()> {
    let (tenant, integration): (_, IntegrationId) = (tenant()?, "mail".parse()?);
    let asked = Asked {
        info: &version.info,
        hosts: expanded_hosts(&version.info.hosts, &settings)?,
    };
    store
        .put_tenant(&Tenant {
            id: tenant.clone(),
            title: String::new(),
            egress_pool: None,
            allowed_hosts: None,
            created_at: Timestamp::default(),
        })
        .await?;
    store
        .put_integration(&Integration {
            id: integration.clone(),
            tenant: tenant.clone(),
            connector: version.info.id.clone(),
            digest: version.digest,
            state: IntegrationState::Active,
            settings,
            secrets: asked.bind(secrets),
            earlier_secrets: BTreeMap::new(),
            egress_pool: None,
            revision: 0,
            updated_at: Timestamp::default(),
        })
        .await?;
    let route = Route {
        channel: Channel::Email,
        integrations: vec![integration],
    };
    store.put_route(&tenant, &route).await?;
    Ok(())
}

struct Delivering(Delivery);

impl Client for Delivering {
    async fn once(&mut self) -> Result<()> {
        let Submitted::Accepted(_, waiting) =
            self.0.submit(message()?, Spending::default(), true).await?
        else {
            anyhow::bail!("not accepted");
        };
        let ended = waiting.context("nothing to wait for")?.ended().await;
        let ended = ended.context("not recorded")?;
        ensure!(ended.state == MessageState::Sent, "{ended:?}");
        Ok(())
    }
}
