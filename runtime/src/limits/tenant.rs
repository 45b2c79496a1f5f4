//! What one tenant may take of a server that it shares with others.

use serde::{Deserialize, Serialize};

/// Limits of each tenant. What the node must be safe from has a default; rates have none, because only an
/// operator knows how many people sign in: a limit that nobody chose would lose codes that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantLimits {
    /// Messages in the outbox.
    pub queued_messages: u64,
    /// Bytes of them.
    pub queued_bytes: u64,
    /// Integrations.
    pub integrations: u64,
    /// Bytes of one integration's settings, secrets included.
    pub integration_bytes: u64,
    /// Values of them: texts, numbers, lists, objects.
    pub integration_values: u64,
    /// Bytes of the settings of all integrations.
    pub settings_bytes: u64,
    /// Lists and look-ups of the API that are read at once.
    pub concurrent_reads: u64,
    /// Calls of the API and the front doors a second; twice as many at once.
    pub calls_per_second: Option<u64>,
    /// Messages a second; twice as many at once.
    pub messages_per_second: Option<u64>,
    /// Messages that are there at once and come again over 24 hours.
    pub messages_per_day: Option<u64>,
    /// Milliseconds between two messages to one recipient.
    pub recipient_interval_ms: Option<u64>,
    /// Messages to one recipient that are there at once and come again over an hour.
    pub recipient_per_hour: Option<u64>,
    /// The same over 24 hours.
    pub recipient_per_day: Option<u64>,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            queued_messages: 50_000,
            queued_bytes: 256 << 20,
            integrations: 100,
            integration_bytes: 128 << 10,
            integration_values: 10_000,
            settings_bytes: 8 << 20,
            concurrent_reads: 2,
            calls_per_second: None,
            messages_per_second: None,
            messages_per_day: None,
            recipient_interval_ms: None,
            recipient_per_hour: None,
            recipient_per_day: None,
        }
    }
}

impl TenantLimits {
    /// What no tenant can do with less of.
    pub const MINIMA: Self = Self {
        queued_messages: 1,
        queued_bytes: 64 << 10,
        integrations: 1,
        integration_bytes: 4 << 10,
        integration_values: 100,
        settings_bytes: 4 << 10,
        concurrent_reads: 1,
        calls_per_second: Some(1),
        messages_per_second: Some(1),
        messages_per_day: Some(1),
        recipient_interval_ms: Some(1),
        recipient_per_hour: Some(1),
        recipient_per_day: Some(1),
    };

    /// What no configuration may go beyond.
    pub const MAXIMA: Self = Self {
        queued_messages: 10_000_000,
        queued_bytes: 64 << 30,
        integrations: 1_000,
        integration_bytes: 256 << 10,
        integration_values: 100_000,
        settings_bytes: 256 << 20,
        concurrent_reads: 64,
        calls_per_second: Some(100_000),
        messages_per_second: Some(100_000),
        messages_per_day: Some(1_000_000_000),
        recipient_interval_ms: Some(60 * 60 * 1_000),
        recipient_per_hour: Some(1_000),
        recipient_per_day: Some(10_000),
    };
}
