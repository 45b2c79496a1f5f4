//! The server put together: from a configuration to a listening process, and to its end.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::api::auth::{self, Grant};
use crate::api::{App, Bounds, router};
use crate::config::Config;
use crate::connector::ConnectorRuntime;
use crate::delivery::{Delivery, Foundations};
use crate::egress::Egress;
use crate::id::TenantId;
use crate::secret::write_private;
use crate::store::{Restored, Store};
use crate::time::Clock;

mod database;
mod descriptors;
mod head;
mod kept_secrets;
mod lent_components;
mod listener;
mod patience;
mod recovery;
mod renewal;
mod retention;

pub use recovery::make_operator_key;

/// How often disk and memory are looked at.
const NODE_LOOK: Duration = Duration::from_secs(1);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct StartError {
    /// What was being started.
    what: String,
    /// Why it did not.
    why: String,
}

fn failed<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> StartError {
    let what = what.into();
    move |why| StartError {
        what,
        why: why.to_string(),
    }
}

/// A server that accepts and sends.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// File of the first operator's key.
    pub operator_key_file: PathBuf,
    app: App,
    shutdown: CancellationToken,
    drain: Duration,
    http: JoinHandle<()>,
    delivery: JoinHandle<()>,
}

impl Server {
    /// Opens the data, starts delivery and listens.
    ///
    /// # Errors
    /// [`StartError`] names what could not be started.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let folder = &config.store.folder;
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(failed(format!("the data folder {}", folder.display())))?;
        database::expect(config)?;
        let app = assemble(config, clock).await?;
        let operator_key_file = folder.join("operator.key");
        ensure_operator(&app, &operator_key_file).await?;
        let listener = TcpListener::bind(config.server.listen).await;
        let listener =
            listener.map_err(failed(format!("listening on {}", config.server.listen)))?;
        let address = listener.local_addr().map_err(failed("listening"))?;
        let shutdown = CancellationToken::new();
        let (delivery, drain) = (
            app.delivery.clone(),
            Duration::from_millis(config.server.drain_ms),
        );
        let running = shutdown.clone();
        let delivery = tokio::spawn(async move { delivery.run(running, drain).await });
        let keep = Duration::from_millis(config.store.retention_ms);
        tokio::spawn(retention::run(app.clone(), keep, shutdown.clone()));
        let age = Duration::from_millis(config.store.data_key_age_ms);
        tokio::spawn(renewal::run(app.clone(), age, shutdown.clone()));
        tokio::spawn(watch(
            app.admission.clone(),
            app.store.clone(),
            shutdown.clone(),
        ));
        let store = app.store.clone();
        tokio::spawn(async move {
            if let Err(error) = kept_secrets::find_exposed(&store).await {
                tracing::warn!(%error, "the settings were not looked through for secrets in clear");
            }
        });
        let (routes, stop) = (router(app.clone()), shutdown.clone());
        let terms = listener::Terms {
            connections: descriptors::connections(config),
            keep_alive: Duration::from_millis(config.server.keep_alive_ms),
        };
        let http = tokio::spawn(listener::serve(listener, routes, terms, stop));
        Ok(Self {
            address,
            operator_key_file,
            app,
            shutdown,
            drain,
            http,
            delivery,
        })
    }

    /// What the doors stand on: for tests and benchmarks in the same process.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Stops accepting, finishes what is under way within the drain time, and closes the store.
    pub async fn stop(self) {
        self.shutdown.cancel();
        if self.delivery.await.is_err() {
            tracing::error!("delivery ended with a panic");
        }
        // Callers that still wait for an answer have it by now, or go without.
        let _ = tokio::time::timeout(self.drain, self.http).await;
        self.app.store.close().await;
    }
}

async fn assemble(config: &Config, clock: Clock) -> Result<App, StartError> {
    let store = database::open(config).await?;
    if let Some(restored) = store.restored() {
        tell(restored);
    }
    let bound = kept_secrets::bind(&store).await;
    bound.map_err(failed("the secrets of an older version"))?;
    let named = lent_components::name(&store, &config.built_in).await;
    named.map_err(failed("the e-mail service of an older version"))?;
    let last_change = store.last_change().await;
    if let Some(last_change) = last_change.map_err(failed("the outbox"))? {
        clock.not_before(last_change);
    }
    let known = store.tidy_components().await;
    let known = known.map_err(failed("the components"))?;
    let mut engine = config.engine.clone();
    engine.built_in.clone_from(&config.built_in.connectors);
    engine
        .artifacts
        .get_or_insert_with(|| config.store.folder.join("artifacts"));
    let runtime =
        ConnectorRuntime::new(&engine, store.host_key()).map_err(failed("the connector engine"))?;
    let runtime = Arc::new(runtime);
    // A folder that was named may be shared.
    if config.engine.artifacts.is_none() {
        let swept = runtime.keep_only(known).await;
        swept.map_err(failed("the folder of compiled components"))?;
    }
    let egress =
        Arc::new(Egress::with_clock(&config.egress, clock.clone()).map_err(failed("egress"))?);
    let foundations = Foundations {
        store: store.clone(),
        runtime: runtime.clone(),
        egress,
        limits: Arc::new(config.limits.clone()),
        clock: clock.clone(),
    };
    let delivery = Delivery::new(foundations, &config.delivery);
    let bounds = Bounds {
        front_door_wait: config.server.front_door_wait(),
        time_to_live: Duration::from_millis(config.delivery.time_to_live_ms),
        invitation_time_to_live: Duration::from_millis(config.delivery.invitation_time_to_live_ms),
        upload: config.engine.component_bytes,
    };
    let admission = Admission::new(
        store.clone(),
        config.store.folder.clone(),
        config.tenant_limits.clone(),
        &config.node_limits,
        delivery.counts().limits.clone(),
    );
    Ok(App {
        store,
        runtime,
        delivery,
        admission: Arc::new(admission),
        limits: Arc::new(config.bounds()),
        built_in: Arc::new(config.built_in.clone()),
        uploads: Arc::default(),
        clock,
        bounds,
    })
}

/// Says what a start on an older database found: an operator has to know what came back, and what did not.
fn tell(restored: &Restored) {
    let tenants: Vec<_> = restored.tenants.iter().map(TenantId::as_str).collect();
    tracing::warn!(
        entries = restored.entries, keys = ?restored.keys, ?tenants,
        "the database is older than the record of what ended beside the sealing keys: it was restored from a backup, or the server ended just then. What the record names is revoked and deleted again. Integrations and their secrets, templates, and the counts of the built-in e-mail service are those of then: look at them"
    );
}

/// Looks at disk, memory and the database's log until `shutdown`.
async fn watch(admission: Arc<Admission>, store: Store, shutdown: CancellationToken) {
    let mut turn = tokio::time::interval(NODE_LOOK);
    let mut log = database::LogWatch::default();
    loop {
        tokio::select! {
            _ = turn.tick() => {
                admission.look_at_node();
                log.look(store.log_bytes());
            }
            () = shutdown.cancelled() => return,
        }
    }
}

/// On the first start there is nobody to make keys: one operator's key is made and left in a private file.
async fn ensure_operator(app: &App, file: &Path) -> Result<(), StartError> {
    let what = "the first operator's key";
    if app.store.has_operator_key().await.map_err(failed(what))? {
        return Ok(());
    }
    let grant = Grant::operator("first start".to_owned());
    let (record, text) = auth::generate(grant, app.clock.now()).map_err(failed(what))?;
    write_private(file, format!("{}\n", text.expose()).as_bytes()).map_err(failed(what))?;
    app.store.put_api_key(&record).await.map_err(failed(what))
}
