//! Egress sources and pools: which local addresses a tenant's sends leave from.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{PoolName, SourceName};

/// One way out: a local address with its EHLO name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressSource {
    /// Its name in pools, attempts and metrics.
    #[serde(default = "unnamed")]
    pub name: SourceName,
    /// The local address that connections are bound to.
    pub address: IpAddr,
    /// The name in `EHLO`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ehlo_name: Option<String>,
}

/// A weighted list of sources. A pool with no usable source fails closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressPool {
    /// Its name in tenants and integrations.
    #[serde(default = "unnamed")]
    pub name: PoolName,
    /// The sources with their weights.
    pub sources: Vec<WeightedSource>,
}

/// A pool's member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedSource {
    /// The source's name.
    pub source: SourceName,
    /// Its share of the sends; 0 takes it out of use.
    #[serde(default = "one")]
    pub weight: u32,
}

const fn one() -> u32 {
    1
}

/// Names come from the URL; a body may leave them out.
#[expect(clippy::expect_used, reason = "a constant that the tests parse")]
fn unnamed<T: std::str::FromStr<Err: std::fmt::Debug>>() -> T {
    "unnamed".parse().expect("a valid name")
}

/// The item that `ticket` falls on: each has a share of the tickets in proportion to its weight.
/// None where every weight is zero.
#[must_use]
pub fn pick<T>(items: &[(T, u32)], ticket: u64) -> Option<&T> {
    let total: u64 = items.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let mut rest = ticket.checked_rem(total)?;
    for (item, weight) in items {
        if rest < u64::from(*weight) {
            return Some(item);
        }
        rest -= u64::from(*weight);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_shared_by_weight() {
        let items = [("a", 3), ("off", 0), ("b", 1)];
        let picks: Vec<_> = (0..8)
            .map(|ticket| *pick(&items, ticket).unwrap())
            .collect();
        assert_eq!(picks, ["a", "a", "a", "b", "a", "a", "a", "b"]);
        assert_eq!(pick(&[("a", 0)], 5), None);
        assert_eq!(pick::<u8>(&[], 5), None);
    }
}
