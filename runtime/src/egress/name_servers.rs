//! Whom names are asked of: the servers of the configuration, or those of the system, whose file is read again
//! once it has changed. Each family is asked for by itself.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;

use super::config::{EgressConfig, EgressSetupError};
use crate::source::Family;

/// Where the system names its servers.
const SYSTEM: &str = "/etc/resolv.conf";
/// Answers are kept for their time to live, at most this long.
const TTL_MAX: Duration = Duration::from_secs(60);
/// Failures are kept at most this long.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(5);
/// Until a query is repeated.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// What one family has left once the other has answered (RFC 8305, 3).
const OTHER_FAMILY: Duration = Duration::from_millis(50);

/// The servers that names are asked of.
pub(super) enum NameServers {
    Configured(TokioResolver),
    OfTheSystem {
        options: Box<ResolverOpts>,
        read: Mutex<System>,
    },
}

/// What the system's file said when it was read last.
#[derive(Default)]
pub(super) struct System {
    version: Option<Version>,
    /// None where it named no servers yet: then only static names and literals resolve.
    resolver: Option<TokioResolver>,
}

/// Tells one state of a file from another: device, inode, size, and the time of its change to the nanosecond.
type Version = [i64; 5];

impl NameServers {
    pub(super) fn new(config: &EgressConfig) -> Result<Self, EgressSetupError> {
        let options = options(Duration::from_millis(config.dns_ttl_min_ms));
        if !config.name_servers.is_empty() {
            let servers = config.name_servers.iter();
            let servers = servers.map(|server| name_server(*server)).collect();
            return build(servers, options).map(Self::Configured);
        }
        let mut read = System::default();
        read.follow(&options);
        Ok(Self::OfTheSystem {
            options: Box::new(options),
            read: Mutex::new(read),
        })
    }

    /// The addresses of an absolute name, IPv4 first: those of one family, or of both. What one family answered
    /// counts though the other's answer does not come. None where the name has no address of that family.
    ///
    /// # Errors
    /// Where the name is unknown, no server answers, or there is none.
    pub(super) async fn look_up(
        &self,
        name: Name,
        family: Option<Family>,
    ) -> Result<Vec<IpAddr>, NetError> {
        let resolver = self.resolver();
        let resolver = resolver.ok_or(NetError::from("the system names no DNS servers"))?;
        match family {
            Some(family) => addresses(&resolver, name, family).await,
            None => both(&resolver, name).await,
        }
    }

    fn resolver(&self) -> Option<TokioResolver> {
        match self {
            Self::Configured(resolver) => Some(resolver.clone()),
            Self::OfTheSystem { options, read } => {
                let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                read.follow(options);
                read.resolver.clone()
            }
        }
    }
}

impl System {
    /// Reads the file where it has changed since the last look, as the C library does. What cannot be read, or names
    /// no server, leaves the servers as they were: it may be half written, or a network that is down for a moment.
    fn follow(&mut self, options: &ResolverOpts) {
        let version = version();
        if self.version == version && version.is_some() {
            return;
        }
        let first = self.version.is_none() && self.resolver.is_none();
        let servers = read_system_conf().map(|(system, _)| system.name_servers().to_vec());
        match servers.map(|servers| build(servers, options.clone())) {
            Ok(Ok(resolver)) => {
                if !first {
                    tracing::info!("the system's DNS servers are read again");
                }
                self.resolver = Some(resolver);
            }
            Ok(Err(error)) => tracing::warn!(%error, "the system's DNS servers are of no use"),
            Err(error) if version.is_some() || first => {
                tracing::warn!(%error, "the system names no DNS servers now");
            }
            Err(_) => {}
        }
        self.version = version;
    }
}

fn version() -> Option<Version> {
    let file = std::fs::metadata(SYSTEM).ok()?;
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Some([
        number(file.dev()),
        number(file.ino()),
        number(file.size()),
        file.ctime(),
        file.ctime_nsec(),
    ])
}

/// Both families at once, those of IPv4 first.
async fn both(resolver: &TokioResolver, name: Name) -> Result<Vec<IpAddr>, NetError> {
    let mut v4 = pin!(addresses(resolver, name.clone(), Family::Ipv4));
    let mut v6 = pin!(addresses(resolver, name, Family::Ipv6));
    let (v4, v6) = tokio::select! {
        first = &mut v4 => {
            let second = beside(&first, v6).await;
            (first, second)
        }
        first = &mut v6 => {
            let second = beside(&first, v4).await;
            (second, first)
        }
    };
    match (v4, v6) {
        (Ok(v4), Ok(v6)) => Ok([v4, v6].concat()),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// What the other family answers: for as long as it takes, or for a moment where the first has addresses.
async fn beside(
    first: &Result<Vec<IpAddr>, NetError>,
    other: impl Future<Output = Result<Vec<IpAddr>, NetError>>,
) -> Result<Vec<IpAddr>, NetError> {
    match first {
        Ok(found) if !found.is_empty() => timeout(OTHER_FAMILY, other)
            .await
            .unwrap_or_else(|_| Ok(Vec::new())),
        _ => other.await,
    }
}

/// A name's addresses of one family; none where it has other records only.
async fn addresses(
    resolver: &TokioResolver,
    name: Name,
    family: Family,
) -> Result<Vec<IpAddr>, NetError> {
    let kind = match family {
        Family::Ipv4 => RecordType::A,
        Family::Ipv6 => RecordType::AAAA,
    };
    match resolver.lookup(name, kind).await {
        Ok(answer) => {
            let answers = answer.answers().iter();
            Ok(answers.filter_map(|record| record.data.ip_addr()).collect())
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none)))
            if none.response_code == ResponseCode::NoError =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn options(ttl_min: Duration) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.use_hosts_file = ResolveHosts::Never;
    options.positive_min_ttl = Some(ttl_min.min(TTL_MAX));
    options.positive_max_ttl = Some(TTL_MAX);
    options.negative_min_ttl = Some(ttl_min.min(NEGATIVE_TTL_MAX));
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    options.timeout = QUERY_TIMEOUT;
    options
}

fn build(
    servers: Vec<NameServerConfig>,
    options: ResolverOpts,
) -> Result<TokioResolver, EgressSetupError> {
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
