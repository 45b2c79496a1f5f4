//! The built-in e-mail service: one integration of the operator's, lent to every tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Digest, IntegrationId, TenantId};
use crate::time::Timestamp;

/// What the operator lends, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailService {
    /// The tenant whose integration is lent: the operator's own.
    pub tenant: TenantId,
    /// The integration that sends.
    pub integration: IntegrationId,
    /// Messages that a tenant may send in a calendar month (UTC).
    #[serde(default = "monthly_cap")]
    pub monthly_cap: u64,
    /// Caps of single tenants, in place of `monthly_cap`.
    #[serde(default)]
    pub tenant_caps: BTreeMap<TenantId, u64>,
    /// Components that may hand over to it; the texts are theirs. Where nobody said which, it is the one that comes
    /// with the server, which fills it in before this is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectors: Option<BTreeSet<Digest>>,
}

const fn monthly_cap() -> u64 {
    1_000
}

impl EmailService {
    /// Whether a component may hand over to it.
    #[must_use]
    pub fn admits(&self, digest: Digest) -> bool {
        let named = self.connectors.as_ref();
        named.is_some_and(|named| named.contains(&digest))
    }

    /// How many messages `tenant` may send in a calendar month.
    #[must_use]
    pub fn cap(&self, tenant: &TenantId) -> u64 {
        let own = self.tenant_caps.get(tenant);
        own.copied().unwrap_or(self.monthly_cap)
    }
}

/// A calendar month in UTC: `2026-11`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Month(String);

impl Month {
    /// The month that `time` lies in.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self(time.to_string().chars().take("2026-11".len()).collect())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_with_its_last_millisecond_in_utc() {
        let newyear = 1_767_225_600_000;
        let month = |millis| Month::of(Timestamp::from_millis(millis)).to_string();
        assert_eq!(month(newyear - 1), "2025-12");
        assert_eq!(month(newyear), "2026-01");
    }

    #[test]
    fn a_tenants_own_cap_comes_first() {
        let json = r#"{"tenant":"house","integration":"ses","tenant_caps":{"acme":7}}"#;
        let service: EmailService = serde_json::from_str(json).unwrap();
        assert_eq!(service.cap(&"acme".parse().unwrap()), 7);
        assert_eq!(service.cap(&"other".parse().unwrap()), 1_000);
    }

    #[test]
    fn nobody_hands_over_unless_named() {
        let own = Digest::of(b"own");
        for (connectors, admitted) in [
            ("null", false),
            ("[]", false),
            (&format!("[\"{own}\"]"), true),
        ] {
            let json =
                format!(r#"{{"tenant":"house","integration":"ses","connectors":{connectors}}}"#);
            let service: EmailService = serde_json::from_str(&json).unwrap();
            assert_eq!(service.admits(own), admitted, "{json}");
        }
    }
}
