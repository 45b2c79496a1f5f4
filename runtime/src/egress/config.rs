//! What the operator sets about the way out.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::address::Cidr;
use super::policy::PolicyError;

/// The operator's ceiling and the process-wide parts of egress. The defaults are those of production.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgressConfig {
    /// Host patterns that any integration may reach at most; `*` by default.
    pub allowed_hosts: Vec<String>,
    /// Ports that may be dialled; 443, 465 and 587 by default.
    pub ports: Vec<PortRange>,
    /// Host patterns that may be reached without TLS, on port 80 or the pattern's own.
    /// A secret goes there only if the address is a loopback one.
    pub plaintext_hosts: Vec<String>,
    /// Special-use or single-label names that are opened with all names below them, such as `localhost`.
    pub special_names: Vec<String>,
    /// Address ranges that are refused otherwise, such as `127.0.0.0/8`. Address literals in URLs are
    /// allowed inside these only.
    pub allow_addresses: Vec<Cidr>,
    /// This host's own public addresses, which no guest may reach.
    pub own_addresses: Vec<IpAddr>,
    /// NAT64 prefixes of the network besides the well-known one.
    pub nat64_prefixes: Vec<Cidr>,
    /// How long a source is out of use whose address is not on this machine or whose proxy is broken, in
    /// milliseconds.
    pub source_pause_ms: u64,
    /// A file of PEM certificates to trust besides the public roots.
    pub extra_roots: Option<PathBuf>,
    /// DNS servers; those of the system by default. Its search list and hosts file are never used.
    pub name_servers: Vec<SocketAddr>,
    /// How long what they answer is kept at least, in milliseconds, though its time to live be shorter: a name of
    /// zero seconds would be asked for at every connection. At most 60000, which is the longest that any is kept.
    pub dns_ttl_min_ms: u64,
    /// Addresses of names that are not looked up. They are judged like any answer.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Idle HTTP connections in all.
    pub idle_connections: usize,
    /// Idle HTTP connections of one integration.
    pub idle_per_integration: usize,
    /// How long a connection may be idle, in milliseconds.
    pub idle_ms: u64,
    /// How old a connection or an SMTP session may be that another send uses, in milliseconds: after that the name is
    /// looked up anew.
    pub connection_age_ms: u64,
    /// Open SMTP sessions in all, idle ones included.
    pub smtp_sessions: usize,
    /// Open SMTP sessions of one integration: many servers allow few from one client. A send that finds no
    /// place waits for one as long as for a connection.
    pub smtp_sessions_per_integration: usize,
    /// Idle SMTP sessions in all.
    pub smtp_idle_sessions: usize,
    /// Idle SMTP sessions of one integration.
    pub smtp_idle_per_integration: usize,
    /// How long an SMTP session may be idle before it is closed with `QUIT`, in milliseconds.
    pub smtp_idle_ms: u64,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            allowed_hosts: vec!["*".to_owned()],
            ports: [443, 465, 587].map(PortRange::one).to_vec(),
            plaintext_hosts: Vec::new(),
            special_names: Vec::new(),
            allow_addresses: Vec::new(),
            own_addresses: Vec::new(),
            nat64_prefixes: Vec::new(),
            source_pause_ms: 60_000,
            extra_roots: None,
            name_servers: Vec::new(),
            dns_ttl_min_ms: 1_000,
            hosts: BTreeMap::new(),
            idle_connections: 512,
            idle_per_integration: 256,
            idle_ms: 45_000,
            connection_age_ms: 300_000,
            smtp_sessions: 512,
            smtp_sessions_per_integration: 32,
            smtp_idle_sessions: 256,
            smtp_idle_per_integration: 32,
            smtp_idle_ms: 15_000,
        }
    }
}

impl EgressConfig {
    /// The least of each number. Lists, names and paths have none.
    pub const MINIMA: Self = Self {
        allowed_hosts: Vec::new(),
        ports: Vec::new(),
        plaintext_hosts: Vec::new(),
        special_names: Vec::new(),
        allow_addresses: Vec::new(),
        own_addresses: Vec::new(),
        nat64_prefixes: Vec::new(),
        source_pause_ms: 0,
        extra_roots: None,
        name_servers: Vec::new(),
        dns_ttl_min_ms: 0,
        hosts: BTreeMap::new(),
        idle_connections: 0,
        idle_per_integration: 0,
        idle_ms: 0,
        connection_age_ms: 1_000,
        smtp_sessions: 1,
        smtp_sessions_per_integration: 1,
        smtp_idle_sessions: 0,
        smtp_idle_per_integration: 0,
        smtp_idle_ms: 0,
    };

    /// The most of each number: each connection is a descriptor.
    pub const MAXIMA: Self = Self {
        allowed_hosts: Vec::new(),
        ports: Vec::new(),
        plaintext_hosts: Vec::new(),
        special_names: Vec::new(),
        allow_addresses: Vec::new(),
        own_addresses: Vec::new(),
        nat64_prefixes: Vec::new(),
        source_pause_ms: 24 * 60 * 60 * 1_000,
        extra_roots: None,
        name_servers: Vec::new(),
        dns_ttl_min_ms: 60_000,
        hosts: BTreeMap::new(),
        idle_connections: 100_000,
        idle_per_integration: 100_000,
        idle_ms: 60 * 60 * 1_000,
        connection_age_ms: 24 * 60 * 60 * 1_000,
        smtp_sessions: 100_000,
        smtp_sessions_per_integration: 100_000,
        smtp_idle_sessions: 100_000,
        smtp_idle_per_integration: 100_000,
        smtp_idle_ms: 60 * 60 * 1_000,
    };

    /// The profile of the demo and of tests: loopback is open on every port, also in clear.
    #[must_use]
    pub fn loopback() -> Self {
        let ranges = [Cidr::LOOPBACK_V4, Cidr::LOOPBACK_V6];
        let localhost = "localhost".to_owned();
        let plaintext = ranges.iter().map(Cidr::to_string);
        Self {
            ports: vec![PortRange::ANY],
            plaintext_hosts: plaintext.chain([localhost.clone()]).collect(),
            special_names: vec![localhost],
            allow_addresses: ranges.to_vec(),
            ..Self::default()
        }
    }

    /// The profile of the command line as a client: it reaches the one `host` that its user names, a name
    /// without dots or an address of a private network included. A name is at `addresses`.
    #[must_use]
    pub fn client(host: &str, addresses: Vec<IpAddr>) -> Self {
        let name = host.parse::<IpAddr>().is_err().then(|| host.to_owned());
        let hosts = name.iter().map(|name| (name.clone(), addresses.clone()));
        Self {
            hosts: hosts.collect(),
            ports: vec![PortRange::ANY],
            plaintext_hosts: vec!["*".to_owned()],
            special_names: name.into_iter().collect(),
            allow_addresses: vec![Cidr::ALL_V4, Cidr::ALL_V6],
            ..Self::default()
        }
    }
}

/// One port, or a range such as `"1024-65535"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PortText", into = "PortText")]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    const ANY: Self = Self {
        first: 1,
        last: u16::MAX,
    };

    /// The range of one port.
    #[must_use]
    pub const fn one(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }

    /// Whether `port` lies in the range.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PortText {
    One(u16),
    Range(String),
}

impl TryFrom<PortText> for PortRange {
    type Error = &'static str;
    fn try_from(text: PortText) -> Result<Self, Self::Error> {
        const SHAPE: &str = "a port is a number from 1 to 65535, or a range such as \"1024-65535\"";
        let (first, last) = match text {
            PortText::One(port) => (port, port),
            PortText::Range(text) => {
                let (first, last) = text.split_once('-').ok_or(SHAPE)?;
                (
                    first.parse().map_err(|_| SHAPE)?,
                    last.parse().map_err(|_| SHAPE)?,
                )
            }
        };
        if first == 0 || last < first {
            return Err(SHAPE);
        }
        Ok(Self { first, last })
    }
}

impl From<PortRange> for PortText {
    fn from(range: PortRange) -> Self {
        if range.first == range.last {
            Self::One(range.first)
        } else {
            Self::Range(format!("{}-{}", range.first, range.last))
        }
    }
}

/// Why egress cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressSetupError {
    /// A host pattern of the configuration.
    #[error("egress.{0}")]
    Policy(#[from] PolicyError),
    /// A name of `hosts` or `special_names`.
    #[error("egress.{field}: '{name}' is no host name")]
    Name {
        /// The configuration's field.
        field: &'static str,
        /// The name.
        name: String,
    },
    /// The resolver, or the system's configuration of it.
    #[error("egress.name_servers: {0}; name the servers in the configuration")]
    Resolver(String),
    /// The file of extra roots.
    #[error("egress.extra_roots: {path}: {problem}")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The TLS library.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}
