//! Egress sources and pools: which addresses a tenant's sends leave from.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::id::{PoolName, SourceName};
use crate::secret::Secret;

mod warm_up;

pub use warm_up::{Allowance, Span, Use, WarmUp};

/// One way out: an address with its EHLO name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressSource {
    /// Its name in pools, attempts and metrics.
    #[serde(default = "unnamed")]
    pub name: SourceName,
    /// The address that receivers see, and the family of all that is dialled from here: a local one that
    /// connections are bound to, or with a proxy the one that the proxy leaves from.
    pub address: IpAddr,
    /// The name in `EHLO`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ehlo_name: Option<String>,
    /// Through which connections are made; none dials itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// How much it may send while it is new; none is warm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
}

impl EgressSource {
    /// The family of the addresses that it dials.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.address)
    }
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IP version 4.
    Ipv4,
    /// IP version 6.
    Ipv6,
}

impl Family {
    /// That of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// As people write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }
}

/// A proxy of the operator's. It is handed addresses, never names: what was judged is what is dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// What it speaks.
    pub kind: ProxyKind,
    /// Where it listens. An address and no name, which would have to be resolved; it may be private.
    pub address: SocketAddr,
    /// The user to log in as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// That user's password. It is read and never written.
    #[serde(default, skip_serializing, deserialize_with = "secret")]
    pub password: Option<Secret>,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyKind {
    /// SOCKS version 5 (RFC 1928), with user and password by RFC 1929.
    Socks5,
    /// HTTP `CONNECT` (RFC 9110, 9.3.6), with user and password by RFC 7617.
    HttpConnect,
}

fn secret<'de, D: serde::Deserializer<'de>>(text: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(text)?.map(Secret::new))
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

    #[test]
    fn a_proxys_password_is_read_and_never_written() {
        let text = r#"{"name":"p","address":"203.0.113.7","proxy":
            {"kind":"socks5","address":"10.0.0.5:1080","user":"u","password":"hunter2"}}"#;
        let source: EgressSource = serde_json::from_str(text).unwrap();
        let proxy = source.proxy.as_ref().unwrap();
        assert_eq!(proxy.password.as_ref().unwrap().expose(), "hunter2");
        assert!(!serde_json::to_string(&source).unwrap().contains("hunter2"));
        assert!(!format!("{source:?}").contains("hunter2"));
    }
}
