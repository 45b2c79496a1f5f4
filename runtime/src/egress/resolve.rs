//! From a name to addresses, every one of them judged. Absolute names only; no search list, no hosts file.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::proto::rr::Name;
use tokio::time::Instant;

use super::EgressError;
use super::address::AddressPolicy;
use super::config::{EgressConfig, EgressSetupError};
use super::name_servers::NameServers;
use super::target::{Host, parse_host};
use crate::source::Family;

/// Addresses that a name may have. Nobody needs more; each is judged, and may be dialled.
const ADDRESSES_MAX: usize = 32;

/// The addresses of a name, or the rule that refused one of them.
pub(super) enum Resolved {
    /// All judged; in the order in which they are tried.
    Addresses(Vec<IpAddr>),
    /// At least one is refused, so the name is.
    Refused {
        rule: &'static str,
        addresses: Vec<IpAddr>,
    },
}

/// The addresses of a name as the system finds them, with its hosts file and its search list: for the command line,
/// whose user names one server. Nothing that a tenant or a connector writes comes here.
///
/// # Errors
/// As the system says.
pub async fn system_addresses(name: &str) -> std::io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// Looks names up and judges the answers.
pub(super) struct Resolve {
    servers: NameServers,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    addresses: AddressPolicy,
}

impl Resolve {
    pub(super) fn new(config: &EgressConfig) -> Result<Self, EgressSetupError> {
        Ok(Self {
            servers: NameServers::new(config)?,
            hosts: static_hosts(config)?,
            addresses: AddressPolicy::new(
                config.allow_addresses.clone(),
                config.own_addresses.clone(),
                config.nat64_prefixes.clone(),
            ),
        })
    }

    /// Resolves and judges a host before `deadline`: its addresses of `family` where that is all that will be
    /// dialled, else of both.
    pub(super) async fn resolve(
        &self,
        host: &Host,
        family: Option<Family>,
        deadline: Instant,
    ) -> Result<Resolved, EgressError> {
        let found = self.find(host, family, deadline).await?;
        Ok(judge(&self.addresses, found))
    }

    /// Each address of a host as it was answered, with the one to dial or the rule that refuses it.
    pub(super) async fn judged(
        &self,
        host: &Host,
        deadline: Instant,
    ) -> Result<Vec<(IpAddr, Result<IpAddr, &'static str>)>, EgressError> {
        let found = self.find(host, None, deadline).await?;
        let judged = |address| (address, self.addresses.judge(address));
        Ok(found.into_iter().map(judged).collect())
    }

    async fn find(
        &self,
        host: &Host,
        family: Option<Family>,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, EgressError> {
        Ok(match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => match self.hosts.get(name) {
                Some(addresses) => {
                    let own = |address: &&IpAddr| {
                        family.is_none_or(|family| family == Family::of(address.to_canonical()))
                    };
                    addresses.iter().filter(own).copied().collect()
                }
                None if is_localhost(name) => {
                    vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
                }
                None => self.look_up(name, family, deadline).await?,
            },
        })
    }

    async fn look_up(
        &self,
        name: &str,
        family: Option<Family>,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, EgressError> {
        let mut absolute = Name::from_ascii(name).map_err(|_| EgressError::Dns)?;
        absolute.set_fqdn(true);
        let found = tokio::time::timeout_at(deadline, self.servers.look_up(absolute, family))
            .await
            .map_err(|_| EgressError::Dns)?
            .map_err(|error| {
                tracing::debug!(name, %error, "name not resolved");
                EgressError::Dns
            })?;
        if found.is_empty() && family.is_none() {
            return Err(EgressError::Dns);
        }
        Ok(found)
    }
}

/// All addresses must pass: one bad answer refuses the name.
fn judge(policy: &AddressPolicy, mut found: Vec<IpAddr>) -> Resolved {
    if found.len() > ADDRESSES_MAX {
        found.truncate(ADDRESSES_MAX);
        return Resolved::Refused {
            rule: "address.too-many",
            addresses: found,
        };
    }
    let mut addresses = Vec::with_capacity(found.len());
    for address in &found {
        match policy.judge(*address) {
            Ok(address) if addresses.contains(&address) => {}
            Ok(address) => addresses.push(address),
            Err(rule) => {
                return Resolved::Refused {
                    rule,
                    addresses: found,
                };
            }
        }
    }
    Resolved::Addresses(addresses)
}

/// Never asked of a server (RFC 6761, 6.3).
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn static_hosts(config: &EgressConfig) -> Result<BTreeMap<String, Vec<IpAddr>>, EgressSetupError> {
    let mut hosts = BTreeMap::new();
    for (name, addresses) in &config.hosts {
        let Ok(Host::Name(name)) = parse_host(name) else {
            return Err(EgressSetupError::Name {
                field: "hosts",
                name: name.clone(),
            });
        };
        hosts.insert(name, addresses.clone());
    }
    Ok(hosts)
}
