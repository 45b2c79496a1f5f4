//! Which way a tenant's sends would leave, and whether they would be let through: for the operator.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::Delivery;
use super::lending::Sender;
use super::roster::RosterError;
use crate::egress::{Destination, JudgedAddress, NameVerdict};
use crate::id::{ConnectorId, IntegrationId, PoolName, SourceName};
use crate::source::EgressSource;
use crate::store::StoreError;
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
    /// Its name.
    pub name: SourceName,
    /// Its address.
    pub address: IpAddr,
    /// Its weight in the pool.
    pub weight: u32,
}

/// The addresses that sends leave from, for allow-lists at providers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceAddresses {
    /// Without repetition, in order.
    pub addresses: BTreeSet<IpAddr>,
    /// Whether something leaves by the machine's default address, which the server does not know.
    pub default_address: bool,
}

impl Delivery {
    /// Explains what a tenant's integrations would do with a destination.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn explain(
        &self,
        tenant: &Tenant,
        destination: &Destination,
    ) -> Result<Explanation, StoreError> {
        let mut integrations = Vec::new();
        for integration in self.core.store.integrations(&tenant.id).await? {
            integrations.push(self.view(integration, destination).await?);
        }
        let passed = integrations.iter().any(|view| {
            let names = view.names.as_ref();
            view.unusable.is_none() && names.is_some_and(|names| names.refused.is_none())
        });
        let (mut addresses, mut dns) = (None, None);
        if passed {
            match self.core.egress.addresses(destination).await {
                Ok(found) => addresses = Some(found),
                Err(error) => dns = Some(error.to_string()),
            }
        }
        let dialled = addresses.as_ref().is_some_and(|found| {
            !found.is_empty() && found.iter().all(|judged| judged.refused.is_none())
        });
        Ok(Explanation {
            destination: destination.to_string(),
            allowed: passed && dialled,
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
        view.names = Some(outward.policy.explain(destination));
        view.pool.clone_from(&outward.pool);
        if let Some(pool) = &outward.pool {
            let members = self.members(pool).await?;
            if members.iter().all(|(_, weight)| *weight == 0) {
                view.unusable = Some(RosterError::NoSource(pool.clone()).to_string());
            }
            let share = |(source, weight): (EgressSource, u32)| SourceShare {
                name: source.name,
                address: source.address,
                weight,
            };
            view.sources = members.into_iter().map(share).collect();
        }
        Ok(view)
    }

    /// The addresses of every pool, or of those that a tenant leaves by. A source of weight 0 counts: it
    /// may be put to use at any time.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn addresses(&self, tenant: Option<&Tenant>) -> Result<SourceAddresses, StoreError> {
        let store = &self.core.store;
        let pools: BTreeSet<Option<PoolName>> = match tenant {
            None => {
                let mut pools = BTreeSet::new();
                for tenant in store.tenants().await? {
                    pools.extend(self.pools_of(&tenant).await?);
                }
                pools.extend(store.pools().await?.into_iter().map(|pool| Some(pool.name)));
                pools
            }
            Some(tenant) => self.pools_of(tenant).await?,
        };
        let mut found = SourceAddresses {
            default_address: pools.contains(&None),
            ..SourceAddresses::default()
        };
        for pool in pools.iter().flatten() {
            let members = self.members(pool).await?;
            found
                .addresses
                .extend(members.iter().map(|(source, _)| source.address));
        }
        Ok(found)
    }

    /// The pools that a tenant's integrations leave by; its own while it has none.
    async fn pools_of(&self, tenant: &Tenant) -> Result<BTreeSet<Option<PoolName>>, StoreError> {
        let mut pools = BTreeSet::new();
        for integration in self.core.store.integrations(&tenant.id).await? {
            let own = integration.egress_pool.clone();
            let pool = match self.sender_of(integration).await {
                Ok(sender) => sender.outward().pool.clone(),
                Err(RosterError::Store(error)) => return Err(error),
                // One that cannot send now leaves by what it is set to once it can.
                Err(_) => own.or_else(|| tenant.egress_pool.clone()),
            };
            pools.insert(pool);
        }
        if pools.is_empty() {
            pools.insert(tenant.egress_pool.clone());
        }
        Ok(pools)
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
