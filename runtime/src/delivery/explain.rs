//! Which way a tenant's sends would leave, and whether they would be let through: for the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::Delivery;
use super::lending::Sender;
use super::roster::RosterError;
use crate::egress::{Destination, JudgedAddress, NameVerdict, Refusal, Suspension};
use crate::id::{ConnectorId, Digest, IntegrationId, PoolName, SourceName, TenantId};
use crate::source::{Allowance, EgressSource, Family, ProxyKind};
use crate::store::{Store, StoreError};
use crate::tenant::{Integration, IntegrationState, Tenant};

/// Why a tenant reaches a destination, or does not.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// As it was read, such as `https://api.example.com:443`.
    pub destination: String,
    /// Whether at least one integration would reach it.
    pub allowed: bool,
    /// Each integration of the tenant.
    pub integrations: Vec<IntegrationView>,
    /// What the name resolves to. Not looked up where every integration's lists refuse the name.
    pub addresses: Option<Vec<JudgedAddress>>,
    /// Why the name did not resolve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<String>,
}

/// How one integration sends.
#[derive(Clone, Debug, Serialize)]
pub struct IntegrationView {
    /// The integration.
    pub integration: IntegrationId,
    /// Its connector.
    pub connector: ConnectorId,
    /// Whether routes may name it.
    pub state: IntegrationState,
    /// `TENANT/INTEGRATION` that sends for it, where its connector hands over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sends_by: Option<String>,
    /// The pool that it leaves by; none is the machine's default address.
    pub pool: Option<PoolName>,
    /// The pool's sources, weight 0 included.
    pub sources: Vec<SourceShare>,
    /// What the name layer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<NameVerdict>,
    /// Why it cannot send at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

/// A source with its share of the sends.
#[derive(Clone, Debug, Serialize)]
pub struct SourceShare {
    /// The source.
    #[serde(flatten)]
    pub source: SourceView,
    /// Its weight in the pool.
    pub weight: u32,
    /// Why it cannot dial the destination; none also where that was not looked up.
    pub refused: Option<Refusal>,
}

/// A source as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct SourceView {
    /// Its name.
    pub name: SourceName,
    /// The address that receivers see.
    pub address: IpAddr,
    /// What it dials.
    pub family: Family,
    /// What its proxy speaks, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyKind>,
    /// Why it is out of use; none where it is healthy.
    pub suspended: Option<Suspension>,
    /// What it may send while it warms up; empty once it is warm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warm_up: Vec<Spent>,
}

/// An allowance with what was sent of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spent {
    /// The allowance.
    #[serde(flatten)]
    pub allowance: Allowance,
    /// Messages that left in it.
    pub used: u32,
}

/// The addresses that sends leave from, for allow-lists at providers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceAddresses {
    /// Without repetition, in order.
    pub addresses: BTreeSet<IpAddr>,
    /// The sources that have them, by name.
    pub sources: Vec<SourceView>,
    /// Whether something leaves by the machine's default address, which the server does not know.
    pub default_address: bool,
}

impl IntegrationView {
    /// Whether it can send, and its lists let the name through.
    fn passes(&self) -> bool {
        let names = self.names.as_ref();
        self.unusable.is_none() && names.is_some_and(|names| names.refused.is_none())
    }

    /// Whether, besides, a source of its pool dials the destination; without a pool both families are dialled.
    fn leaves(&self, found: &[JudgedAddress]) -> bool {
        let dials = |share: &SourceShare| share.weight > 0 && share.refused.is_none();
        self.passes()
            && match self.pool {
                Some(_) => self.sources.iter().any(dials),
                None => found.iter().all(|judged| judged.refused.is_none()),
            }
    }
}

impl SourceShare {
    /// It dials its own family alone: one refused address of that refuses the name.
    fn judge(&mut self, found: &[JudgedAddress]) {
        let family = self.source.family;
        let own = |judged: &&JudgedAddress| Family::of(judged.address.to_canonical()) == family;
        let mut own = found.iter().filter(own).peekable();
        self.refused = match own.peek() {
            None => Some(Refusal::from("egress.family")),
            Some(_) => own.find_map(|judged| judged.refused),
        };
    }
}

impl Delivery {
    /// Explains what a tenant's integrations, as `store` reads them, would do with a destination.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn explain(
        &self,
        store: &Store,
        tenant: &Tenant,
        destination: &Destination,
    ) -> Result<Explanation, StoreError> {
        let mut integrations = Vec::new();
        // One after the other: a tenant's settings may be large.
        for name in store
            .integration_names(&tenant.id, None, usize::MAX)
            .await?
        {
            if let Some(integration) = store.integration(&tenant.id, &name).await? {
                integrations.push(self.view(integration, destination).await?);
            }
        }
        let passed = integrations.iter().any(IntegrationView::passes);
        let (mut addresses, mut dns) = (None, None);
        if passed {
            match self.core.egress.addresses(destination).await {
                Ok(found) => addresses = Some(found),
                Err(error) => dns = Some(error.to_string()),
            }
        }
        let found = addresses.as_deref().unwrap_or_default();
        if !found.is_empty() {
            for share in integrations.iter_mut().flat_map(|view| &mut view.sources) {
                share.judge(found);
            }
        }
        let leaves = |view: &IntegrationView| view.leaves(found);
        Ok(Explanation {
            destination: destination.to_string(),
            allowed: !found.is_empty() && integrations.iter().any(leaves),
            integrations,
            addresses,
            dns,
        })
    }

    async fn view(
        &self,
        integration: Integration,
        destination: &Destination,
    ) -> Result<IntegrationView, StoreError> {
        let mut view = IntegrationView {
            integration: integration.id.clone(),
            connector: integration.connector.clone(),
            state: integration.state,
            sends_by: None,
            pool: None,
            sources: Vec::new(),
            names: None,
            unusable: None,
        };
        let sender = match self.sender_of(integration).await {
            Ok(sender) => sender,
            Err(RosterError::Store(error)) => return Err(error),
            Err(error) => {
                view.unusable = Some(error.to_string());
                return Ok(view);
            }
        };
        let outward = sender.outward();
        if !std::ptr::eq(outward, sender.ready()) {
            let by = &outward.integration;
            view.sends_by = Some(format!("{}/{}", by.tenant, by.id));
        }
        view.names = Some(outward.newest.policy.explain(destination));
        view.pool.clone_from(&outward.pool);
        if let Some(pool) = &outward.pool {
            let tenant = &outward.integration.tenant;
            let members = self.members(pool).await?;
            if members.iter().all(|(_, weight)| *weight == 0) {
                view.unusable = Some(RosterError::NoSource(pool.clone()).to_string());
            }
            for (source, weight) in members {
                view.sources.push(SourceShare {
                    source: self.source_view(source, Some(tenant)).await?,
                    weight,
                    refused: None,
                });
            }
        }
        Ok(view)
    }

    /// The addresses of every pool, or of those that a tenant leaves by. A source of weight 0 counts: it
    /// may be put to use at any time.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn addresses(
        &self,
        store: &Store,
        tenant: Option<&Tenant>,
    ) -> Result<SourceAddresses, StoreError> {
        let tenant = tenant.map(|tenant| &tenant.id);
        let mut pools = BTreeSet::new();
        for (component, pool) in store.ways_out(tenant).await? {
            pools.insert(self.way(component, pool).await?);
        }
        if tenant.is_none() {
            pools.extend(store.pools().await?.into_iter().map(|pool| Some(pool.name)));
        }
        let mut found = SourceAddresses {
            default_address: pools.contains(&None),
            ..SourceAddresses::default()
        };
        let mut sources = BTreeMap::new();
        for pool in pools.iter().flatten() {
            let members = self.members(pool).await?.into_iter();
            sources.extend(members.map(|(source, _)| (source.name.to_string(), source)));
        }
        for source in sources.into_values() {
            found.addresses.insert(source.address);
            found.sources.push(self.source_view(source, tenant).await?);
        }
        Ok(found)
    }

    /// A source as it stands, for everybody or for `tenant`.
    async fn source_view(
        &self,
        source: EgressSource,
        tenant: Option<&TenantId>,
    ) -> Result<SourceView, StoreError> {
        let allowances = source.warm_up.as_ref();
        let allowances = allowances.map(|warm_up| warm_up.allowances(self.core.clock.now()));
        let allowances = allowances.unwrap_or_default();
        let uses = match allowances.is_empty() {
            true => Vec::new(),
            false => self.core.store.source_use(&source.name).await?,
        };
        let spent = |allowance: Allowance| Spent {
            used: allowance.used(&uses),
            allowance,
        };
        Ok(SourceView {
            suspended: self.core.egress.sources().suspension(&source, tenant),
            family: source.family(),
            proxy: source.proxy.map(|proxy| proxy.kind),
            warm_up: allowances.into_iter().map(spent).collect(),
            name: source.name,
            address: source.address,
        })
    }

    /// What a component that is set to leave by `pool` leaves by: where it hands over, by what the lent integration
    /// leaves by. One that cannot send now leaves by what it is set to once it can.
    async fn way(
        &self,
        component: Option<Digest>,
        pool: Option<PoolName>,
    ) -> Result<Option<PoolName>, StoreError> {
        let Some(component) = component else {
            return Ok(pool);
        };
        let hands_over = match self.core.roster.connector(component).await {
            Ok(connector) => connector.hands_over,
            Err(RosterError::Store(error)) => return Err(error),
            Err(_) => false,
        };
        if !hands_over {
            return Ok(pool);
        }
        match self.core.lent_to(component).await {
            Ok((_, lent)) => Ok(lent.pool.clone()),
            Err(RosterError::Store(error)) => Err(error),
            Err(_) => Ok(pool),
        }
    }

    async fn sender_of(&self, integration: Integration) -> Result<Sender, RosterError> {
        let ready = self.core.roster.prepare(integration).await?;
        self.core.sender(Arc::new(ready)).await
    }

    async fn members(&self, pool: &PoolName) -> Result<Vec<(EgressSource, u32)>, StoreError> {
        match self.core.roster.members(pool).await {
            Ok((members, _)) => Ok(members),
            Err(RosterError::Store(error)) => Err(error),
            // Removed since: it has no members.
            Err(_) => Ok(Vec::new()),
        }
    }
}
