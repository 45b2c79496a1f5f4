//! From a name to addresses, every one of them judged. Absolute names only; no search list, no hosts file.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
    ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::Instant;

use super::EgressError;
use super::address::AddressPolicy;
use super::config::{EgressConfig, EgressSetupError};
use super::target::{Host, parse_host};

/// Answers are kept for their time to live, at most this long.
const TTL_MAX: Duration = Duration::from_secs(60);
/// Failures are kept at most this long.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(5);
/// Addresses that a name may have. Nobody needs more; each is judged, and may be dialled.
const ADDRESSES_MAX: usize = 32;
/// Until a query is repeated.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

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

/// Looks names up and judges the answers.
pub(super) struct Resolve {
    /// None where the system names no servers: then only static names and literals resolve.
    resolver: Option<TokioResolver>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    addresses: AddressPolicy,
}

impl Resolve {
    pub(super) fn new(config: &EgressConfig) -> Result<Self, EgressSetupError> {
        let servers = if config.name_servers.is_empty() {
            system_servers()
        } else {
            let servers = config.name_servers.iter();
            servers.map(|server| name_server(*server)).collect()
        };
        let resolver = match servers.is_empty() {
            true => None,
            false => Some(resolver(servers, config.dns_ttl_min_ms)?),
        };
        Ok(Self {
            resolver,
            hosts: static_hosts(config)?,
            addresses: AddressPolicy::new(
                config.allow_addresses.clone(),
                config.own_addresses.clone(),
                config.nat64_prefixes.clone(),
            ),
        })
    }

    /// Resolves and judges a host before `deadline`.
    pub(super) async fn resolve(
        &self,
        host: &Host,
        deadline: Instant,
    ) -> Result<Resolved, EgressError> {
        let found = self.find(host, deadline).await?;
        Ok(judge(&self.addresses, found))
    }

    /// Each address of a host as it was answered, with the one to dial or the rule that refuses it.
    pub(super) async fn judged(
        &self,
        host: &Host,
        deadline: Instant,
    ) -> Result<Vec<(IpAddr, Result<IpAddr, &'static str>)>, EgressError> {
        let found = self.find(host, deadline).await?;
        let judged = |address| (address, self.addresses.judge(address));
        Ok(found.into_iter().map(judged).collect())
    }

    async fn find(&self, host: &Host, deadline: Instant) -> Result<Vec<IpAddr>, EgressError> {
        Ok(match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => match self.hosts.get(name) {
                Some(addresses) => addresses.clone(),
                None if is_localhost(name) => {
                    vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
                }
                None => self.look_up(name, deadline).await?,
            },
        })
    }

    async fn look_up(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, EgressError> {
        let resolver = self.resolver.as_ref().ok_or(EgressError::Dns)?;
        let mut absolute = Name::from_ascii(name).map_err(|_| EgressError::Dns)?;
        absolute.set_fqdn(true);
        let answer = tokio::time::timeout_at(deadline, resolver.lookup_ip(absolute))
            .await
            .map_err(|_| EgressError::Dns)?
            .map_err(|error| {
                tracing::debug!(name, %error, "name not resolved");
                EgressError::Dns
            })?;
        Ok(answer.iter().collect())
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

fn system_servers() -> Vec<NameServerConfig> {
    match read_system_conf() {
        Ok((system, _)) => system.name_servers().to_vec(),
        Err(error) => {
            tracing::warn!(%error, "the system names no DNS servers: no host name will resolve");
            Vec::new()
        }
    }
}

fn resolver(
    servers: Vec<NameServerConfig>,
    ttl_min_ms: u64,
) -> Result<TokioResolver, EgressSetupError> {
    let ttl_min = Duration::from_millis(ttl_min_ms);
    let mut options = ResolverOpts::default();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.positive_min_ttl = Some(ttl_min.min(TTL_MAX));
    options.positive_max_ttl = Some(TTL_MAX);
    options.negative_min_ttl = Some(ttl_min.min(NEGATIVE_TTL_MAX));
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    options.timeout = QUERY_TIMEOUT;
    let config = ResolverConfig::from_name_servers(servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| EgressSetupError::Resolver(error.to_string()))
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(
        address.ip(),
        true,
        vec![
            at_port(ConnectionConfig::udp()),
            at_port(ConnectionConfig::tcp()),
        ],
    )
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
