//! Numbers that grow with what changed: whoever keeps a copy of a record knows by them when to look again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::Store;
use crate::id::TenantId;

/// Whom a change of records concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// One tenant: its record, integrations, routes and texts.
    Tenant(TenantId),
    /// All of them: sources, pools, connectors, the lent integration.
    Shared,
    /// Who calls.
    ApiKeys,
}

/// The generation of each scope: 0 until its first change in this process.
#[derive(Default)]
pub(super) struct Generations {
    shared: AtomicU64,
    api_keys: AtomicU64,
    /// Those that changed. A deleted tenant's stays: another of its name must not get a number that was there.
    tenants: RwLock<HashMap<TenantId, u64>>,
}

impl Generations {
    pub(super) fn grow(&self, scope: &Scope) {
        match scope {
            Scope::Shared => {
                self.shared.fetch_add(1, Ordering::SeqCst);
            }
            Scope::ApiKeys => {
                self.api_keys.fetch_add(1, Ordering::SeqCst);
            }
            Scope::Tenant(tenant) => {
                let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
                *tenants.entry(tenant.clone()).or_default() += 1;
            }
        }
    }

    pub(super) fn api_keys(&self) -> u64 {
        self.api_keys.load(Ordering::SeqCst)
    }
}

impl Store {
    /// A number that grows with each change of the tenant's record, integrations, routes or texts: what was read
    /// at one generation may be kept until the next. Another tenant's change leaves it.
    #[must_use]
    pub fn tenant_generation(&self, tenant: &TenantId) -> u64 {
        let tenants = &self.writer().generations().tenants;
        let tenants = tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.get(tenant).copied().unwrap_or_default()
    }

    /// The same of what tenants share: sources, pools, connectors, and the integration that is lent.
    #[must_use]
    pub fn shared_generation(&self) -> u64 {
        self.writer().generations().shared.load(Ordering::SeqCst)
    }
}
