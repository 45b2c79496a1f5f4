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

impl EgressPool {
    /// The source that `ticket` falls on: a share of the tickets in proportion to the weights.
    /// None where every weight is zero.
    #[must_use]
    pub fn pick(&self, ticket: u64) -> Option<&SourceName> {
        let total: u64 = self
            .sources
            .iter()
            .map(|member| u64::from(member.weight))
            .sum();
        let mut rest = ticket.checked_rem(total)?;
        for member in &self.sources {
            let weight = u64::from(member.weight);
            if rest < weight {
                return Some(&member.source);
            }
            rest -= weight;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_shares_tickets_by_weight_and_fails_closed() {
        let member = |name: &str, weight| WeightedSource {
            source: name.parse().unwrap(),
            weight,
        };
        let mut pool = EgressPool {
            name: unnamed(),
            sources: vec![member("a", 3), member("off", 0), member("b", 1)],
        };
        let picks: Vec<_> = (0..8)
            .map(|ticket| pool.pick(ticket).unwrap().as_str().to_owned())
            .collect();
        assert_eq!(picks, ["a", "a", "a", "b", "a", "a", "a", "b"]);
        pool.sources.iter_mut().for_each(|member| member.weight = 0);
        assert_eq!(pool.pick(5), None);
    }
}
