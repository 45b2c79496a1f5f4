//! What an operator sets about delivery.

use serde::{Deserialize, Serialize};

use super::circuit::CircuitPolicy;
use super::schedule::RetryPolicy;

/// How delivery behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Sends under way at once, over all tenants.
    pub concurrency: usize,
    /// Sends under way at once for one tenant by one channel.
    pub tenant_concurrency: usize,
    /// Milliseconds that a message lives unless its caller says less.
    pub time_to_live_ms: u64,
    /// The same for an invitation, which is read when its person has time.
    pub invitation_time_to_live_ms: u64,
    /// Retry rules.
    pub retry: RetryPolicy,
    /// When a provider is left alone.
    pub circuit: CircuitPolicy,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            concurrency: 256,
            tenant_concurrency: 64,
            time_to_live_ms: 600_000,
            invitation_time_to_live_ms: 86_400_000,
            retry: RetryPolicy::default(),
            circuit: CircuitPolicy::default(),
        }
    }
}

impl DeliveryConfig {
    /// With less nothing is ever sent, or nothing lives long enough to be read.
    pub const MINIMA: Self = Self {
        concurrency: 1,
        tenant_concurrency: 1,
        time_to_live_ms: 10_000,
        invitation_time_to_live_ms: 10_000,
        retry: RetryPolicy::MINIMA,
        circuit: CircuitPolicy::MINIMA,
    };

    /// What no configuration may go beyond.
    pub const MAXIMA: Self = Self {
        concurrency: 100_000,
        tenant_concurrency: 100_000,
        time_to_live_ms: 7 * 24 * 60 * 60 * 1_000,
        invitation_time_to_live_ms: 30 * 24 * 60 * 60 * 1_000,
        retry: RetryPolicy::MAXIMA,
        circuit: CircuitPolicy::MAXIMA,
    };
}
