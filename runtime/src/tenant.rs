//! What a tenant has: integrations, routes, keys, and its bounds on egress.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::about::ConnectorInfo;
use crate::id::{ConnectorId, Digest, IntegrationId, PoolName, TenantId};
use crate::message::Channel;
use crate::settings::BoundSecret;
use crate::time::Timestamp;

mod key;

pub use key::{ApiKey, Role};

/// The isolation boundary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// A title for people.
    #[serde(default)]
    pub title: String,
    /// The pool that its sends leave by; without one, the host's default address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_pool: Option<PoolName>,
    /// Hosts that its integrations may reach, such as `*.example.com`; without a list, all that
    /// the operator and the connector allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whether an integration may carry messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntegrationState {
    /// Being set up: only test sends.
    Draft,
    /// In use by routes.
    Active,
}

/// One connector configured in one tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// Its name.
    pub id: IntegrationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The connector.
    pub connector: ConnectorId,
    /// The component: an upload of a new version changes nothing until the integration is saved again.
    pub digest: Digest,
    /// Draft or active.
    pub state: IntegrationState,
    /// Settings without secrets, in their original key order.
    pub settings: Value,
    /// Secrets by JSON pointer.
    pub secrets: BTreeMap<String, BoundSecret>,
    /// What the last rotation replaced, by JSON pointer; empty once it is retired.
    pub earlier_secrets: BTreeMap<String, BoundSecret>,
    /// Overrides the tenant's pool.
    pub egress_pool: Option<PoolName>,
    /// Grows with each change; caches and connection pools are keyed by it. Of one that is not stored yet: 0.
    pub revision: i64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Integration {
    /// The secrets as they were before the last rotation; none where nothing is left of them.
    #[must_use]
    pub fn before_rotation(&self) -> Option<BTreeMap<String, BoundSecret>> {
        if self.earlier_secrets.is_empty() {
            return None;
        }
        let mut secrets = self.secrets.clone();
        secrets.extend(self.earlier_secrets.clone());
        Some(secrets)
    }
}

/// The ordered integrations to try for a channel: the first is the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The channel.
    pub channel: Channel,
    /// At most eight, none twice.
    pub integrations: Vec<IntegrationId>,
}

/// An uploaded version of a connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectorVersion {
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// What it says of itself.
    pub info: ConnectorInfo,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
}
