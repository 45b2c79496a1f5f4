//! Integrations made ready to send: loaded, prepared and bounded once for each change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::content::Shelf;
use crate::about::ConnectorInfo;
use crate::connector::{ConnectorError, ConnectorRuntime, LoadedConnector};
use crate::egress::{Egress, EgressPolicy, PolicyError, SourceHealth, expanded_hosts};
use crate::id::{Digest, IntegrationId, PoolName, TenantId};
use crate::message::Channel;
use crate::settings::{Asked, BoundSecret, PreparedSettings, join, texts};
use crate::source::EgressSource;
use crate::store::{Store, StoreError};
use crate::tenant::{Integration, IntegrationState, Tenant};

mod kept;

use kept::Kept;

/// An integration with all that its sends share.
#[derive(Debug)]
pub struct ReadyIntegration {
    /// The stored record.
    pub integration: Integration,
    /// Its connector, compiled.
    pub connector: Arc<LoadedConnector>,
    /// What it sends with.
    pub newest: Version,
    /// The same with the secrets that the last rotation replaced, until they are retired.
    pub earlier: Option<Version>,
    /// The pool that its sends leave by.
    pub pool: Option<PoolName>,
}

/// An integration's settings with one version of its secrets.
#[derive(Debug)]
pub struct Version {
    /// Cut for placeholders.
    pub settings: PreparedSettings,
    /// Where it may connect to, and how far each secret may go.
    pub policy: Arc<EgressPolicy>,
}

/// Why an integration cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// The tenant has no such integration, or the route names none.
    #[error("no such integration")]
    Missing,
    /// It is a draft.
    #[error("the integration is a draft: activate it first")]
    Draft,
    /// Its connector hands over, and the operator lends no integration that can send.
    #[error("the operator lends no e-mail service that can send")]
    NotLent,
    /// Its connector hands over, and is none that the operator lends to.
    #[error("the operator does not lend the e-mail service to the connector {0}")]
    NotLentTo(Digest),
    /// Its settings break the connector's schema.
    #[error("{pointer}: {message}")]
    Settings {
        /// JSON pointer into the settings.
        pointer: String,
        /// What was expected there.
        message: String,
    },
    /// A host list does not parse.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The component does not load.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The pool has no usable source.
    #[error("the egress pool {0} has no usable source")]
    NoSource(PoolName),
    /// Every source of the pool is suspended.
    #[error("every source of the egress pool {pool} is suspended")]
    Suspended {
        /// The pool.
        pool: PoolName,
        /// Until the first is tried again.
        wait: Duration,
    },
    /// The pool's sources warm up, and have sent what they may until `wait` is over.
    #[error("the sources of the egress pool {pool} have sent what they may while they warm up")]
    Warming {
        /// The pool.
        pool: PoolName,
        /// Until the first may send again.
        wait: Duration,
    },
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A pool's sources: with their weights, and those in use.
pub(super) type Members = (Vec<(EgressSource, u32)>, Arc<[EgressSource]>);

/// What the dispatcher looks up for each attempt, kept until its tenant's records change, or those of all.
pub struct Roster {
    store: Store,
    runtime: Arc<ConnectorRuntime>,
    egress: Arc<Egress>,
    routes: Kept<(TenantId, Channel), Arc<[IntegrationId]>>,
    ready: Kept<(TenantId, IntegrationId), Arc<ReadyIntegration>>,
    pools: Kept<PoolName, Arc<Members>>,
    shelves: Kept<(TenantId, Channel), Arc<Shelf>>,
    turn: AtomicU64,
}

impl Roster {
    /// A roster over a store. No egress policy goes beyond the ceiling of `egress`.
    #[must_use]
    pub fn new(store: Store, runtime: Arc<ConnectorRuntime>, egress: Arc<Egress>) -> Self {
        Self {
            store,
            runtime,
            egress,
            routes: Kept::default(),
            ready: Kept::default(),
            pools: Kept::default(),
            shelves: Kept::default(),
            turn: AtomicU64::new(0),
        }
    }

    /// The tenant's route for a channel; empty where there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn route(
        &self,
        tenant: &TenantId,
        channel: Channel,
    ) -> Result<Arc<[IntegrationId]>, RosterError> {
        let (key, generation) = ((tenant.clone(), channel), self.current(tenant));
        if let Some(hit) = self.routes.get(&key, generation) {
            return Ok(hit);
        }
        let route = self.store.route(tenant, channel).await?;
        let ids: Arc<[IntegrationId]> = route
            .map(|route| route.integrations)
            .unwrap_or_default()
            .into();
        self.routes
            .keep(key, generation, ids.clone(), |key| self.current(&key.0));
        Ok(ids)
    }

    /// An active integration, ready to send.
    ///
    /// # Errors
    /// [`RosterError`] names what is missing.
    pub async fn active(
        &self,
        tenant: &TenantId,
        id: &IntegrationId,
    ) -> Result<Arc<ReadyIntegration>, RosterError> {
        let (key, generation) = ((tenant.clone(), id.clone()), self.current(tenant));
        if let Some(hit) = self.ready.get(&key, generation) {
            return Ok(hit);
        }
        let integration = self
            .store
            .integration(tenant, id)
            .await?
            .ok_or(RosterError::Missing)?;
        if integration.state != IntegrationState::Active {
            return Err(RosterError::Draft);
        }
        let ready = Arc::new(self.prepare(integration).await?);
        self.ready
            .keep(key, generation, ready.clone(), |key| self.current(&key.0));
        Ok(ready)
    }

    /// Makes any integration ready, stored or not, draft or active.
    ///
    /// # Errors
    /// [`RosterError`] names what is missing.
    pub async fn prepare(&self, integration: Integration) -> Result<ReadyIntegration, RosterError> {
        let tenant = self
            .store
            .tenant(&integration.tenant)
            .await?
            .ok_or(RosterError::Missing)?;
        let connector = self.connector(integration.digest).await?;
        let whole = join(integration.settings.clone(), texts(&integration.secrets));
        if let Some(problem) = connector.schema.problems(&whole).into_iter().next() {
            return Err(RosterError::Settings {
                pointer: problem.pointer,
                message: problem.message,
            });
        }
        let version = |secrets: &_| self.version(&tenant, &connector.info, &integration, secrets);
        let newest = version(&integration.secrets)?;
        let earlier = integration.before_rotation().as_ref().map(version);
        let earlier = earlier.transpose()?;
        let pool = integration.egress_pool.clone().or(tenant.egress_pool);
        Ok(ReadyIntegration {
            integration,
            connector,
            newest,
            earlier,
            pool,
        })
    }

    /// An integration with these secrets, none of which goes further than it was given for.
    fn version(
        &self,
        tenant: &Tenant,
        info: &ConnectorInfo,
        integration: &Integration,
        secrets: &BTreeMap<String, BoundSecret>,
    ) -> Result<Version, PolicyError> {
        // Without the secrets: none of them says where another may go.
        let settings = &integration.settings;
        let asked = Asked {
            info,
            hosts: expanded_hosts(&info.hosts, settings)?,
        };
        let (mut grants, nowhere) = (Vec::new(), BTreeSet::new());
        let mut hosts = Vec::new();
        for (pointer, BoundSecret { bound_to, .. }) in secrets {
            grants.push(bound_to.narrowed(&asked.of(pointer)));
            let is_own = bound_to.connector == info.id;
            hosts.push((
                pointer.as_str(),
                if is_own { &bound_to.hosts } else { &nowhere },
            ));
        }
        let allowed = tenant.allowed_hosts.as_deref();
        let policy = EgressPolicy::new(self.egress.ceiling(), allowed, &info.hosts, settings)?;
        Ok(Version {
            settings: PreparedSettings::new(settings.clone(), texts(secrets), &grants),
            policy: Arc::new(policy.binding(hosts)?),
        })
    }

    /// A connector by its component's digest.
    ///
    /// # Errors
    /// [`RosterError::Missing`] where it was never uploaded, [`RosterError::Connector`] where it does not load,
    /// or says something else of itself than was approved.
    pub async fn connector(&self, digest: Digest) -> Result<Arc<LoadedConnector>, RosterError> {
        let connector = match self.runtime.loaded(digest) {
            Some(loaded) if loaded.is_approved() => return Ok(loaded),
            Some(loaded) => loaded,
            None => {
                let bytes = self.store.component(digest).await?;
                let bytes = bytes.ok_or(RosterError::Missing)?;
                self.runtime.load(digest, bytes.into()).await?
            }
        };
        let version = self.store.connector(digest).await?;
        connector.approve(&version.ok_or(RosterError::Missing)?.info)?;
        Ok(connector)
    }

    /// Whose turn it is.
    pub(super) fn turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    fn current(&self, tenant: &TenantId) -> u64 {
        self.store.tenant_generation(tenant)
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// Which sources are out of use.
    pub(super) fn health(&self) -> &SourceHealth {
        self.egress.sources()
    }

    /// The sources of a pool, as they were last changed.
    pub(super) async fn cached_members(
        &self,
        pool: &PoolName,
    ) -> Result<Arc<Members>, RosterError> {
        let generation = self.store.shared_generation();
        if let Some(hit) = self.pools.get(pool, generation) {
            return Ok(hit);
        }
        let members = Arc::new(self.members(pool).await?);
        let (name, copy) = (pool.clone(), members.clone());
        self.pools
            .keep(name, generation, copy, |_| self.store.shared_generation());
        Ok(members)
    }

    /// What the tenant's templates of a channel are for.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn shelf(
        &self,
        tenant: &TenantId,
        channel: Channel,
    ) -> Result<Arc<Shelf>, StoreError> {
        let (key, generation) = ((tenant.clone(), channel), self.current(tenant));
        if let Some(hit) = self.shelves.get(&key, generation) {
            return Ok(hit);
        }
        let shelf = Arc::new(Shelf {
            languages: self.store.languages(tenant).await?,
            keys: self.store.template_keys(tenant, channel).await?,
        });
        self.shelves
            .keep(key, generation, shelf.clone(), |key| self.current(&key.0));
        Ok(shelf)
    }

    /// The sources of a pool with their weights, and those in use.
    pub(super) async fn members(&self, pool: &PoolName) -> Result<Members, RosterError> {
        let mut members = Vec::new();
        let pool = self
            .store
            .pool(pool)
            .await?
            .ok_or_else(|| RosterError::NoSource(pool.clone()))?;
        for member in pool.sources {
            if let Some(source) = self.store.source(&member.source).await? {
                members.push((source, member.weight));
            }
        }
        let in_use = members.iter().filter(|(_, weight)| *weight > 0);
        let usable = in_use.map(|(source, _)| source.clone()).collect();
        Ok((members, usable))
    }
}
