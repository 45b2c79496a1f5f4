//! The server's configuration: a TOML file, over it the environment, over it flags.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::built_in::BuiltIn;
use crate::connector::EngineConfig;
use crate::delivery::DeliveryConfig;
use crate::egress::{EgressConfig, EgressSetupError};
use crate::limits::{Limits, NodeLimits, TenantLimits};

mod bounds;
mod load;

pub use bounds::Bound;
pub use load::Loaded;

/// A day in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1_000;

/// Everything that a server can be told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub server: ServerConfig,
    /// Where data lies.
    pub store: StoreConfig,
    /// Delivery and retries.
    pub delivery: DeliveryConfig,
    /// The operator's ceiling for all egress.
    pub egress: EgressConfig,
    /// The guests' engine.
    pub engine: EngineConfig,
    /// What one send may use.
    pub limits: Limits,
    /// What one tenant may use.
    pub tenant_limits: TenantLimits,
    /// What the server may take of its machine.
    pub node_limits: NodeLimits,
    /// Whether a start may begin a new database where there was one; no file says it.
    #[serde(skip)]
    pub new_database: bool,
    /// What comes with the program; no file says it.
    #[serde(skip)]
    pub built_in: BuiltIn,
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Milliseconds that a front door's caller waits for the first attempt.
    pub front_door_wait_ms: u64,
    /// Milliseconds that sends under way have at the end.
    pub drain_ms: u64,
    /// Milliseconds that a connection may be idle between two requests; longer than a reverse proxy keeps its own.
    pub keep_alive_ms: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            front_door_wait_ms: 8_000,
            drain_ms: 20_000,
            keep_alive_ms: 75_000,
        }
    }
}

impl ServerConfig {
    /// The least of each number.
    pub const MINIMA: Self = Self {
        listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        front_door_wait_ms: 0,
        drain_ms: 0,
        keep_alive_ms: 1_000,
    };

    /// The most of each number.
    pub const MAXIMA: Self = Self {
        front_door_wait_ms: 60_000,
        drain_ms: 60 * 60 * 1_000,
        keep_alive_ms: 60 * 60 * 1_000,
        ..Self::MINIMA
    };

    /// How long a front door's caller waits.
    #[must_use]
    pub const fn front_door_wait(&self) -> Duration {
        Duration::from_millis(self.front_door_wait_ms)
    }
}

/// Where data lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Folder of the database, the keys and the compiled connectors; made with mode 0700.
    pub folder: PathBuf,
    /// File of the sealing keys, 64 hexadecimal digits a line, the current one last; `sealing.key` in the
    /// folder by default.
    pub sealing_key_file: Option<PathBuf>,
    /// File of the record of what ended; beside the sealing keys by default.
    pub ended_file: Option<PathBuf>,
    /// Milliseconds that a finished message is kept after it was accepted, at least a day; 0 keeps all.
    pub retention_ms: u64,
    /// Milliseconds after which a data key is renewed, from a day to three years.
    pub data_key_age_ms: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("sendbox-data"),
            sealing_key_file: None,
            ended_file: None,
            retention_ms: 30 * DAY,
            data_key_age_ms: 90 * DAY,
        }
    }
}

impl StoreConfig {
    /// The least of each number; no retention at all is 0.
    pub const MINIMA: Self = Self {
        folder: PathBuf::new(),
        sealing_key_file: None,
        ended_file: None,
        retention_ms: DAY,
        data_key_age_ms: DAY,
    };

    /// The most of each number.
    pub const MAXIMA: Self = Self {
        folder: PathBuf::new(),
        sealing_key_file: None,
        ended_file: None,
        retention_ms: 100 * 365 * DAY,
        data_key_age_ms: 3 * 365 * DAY,
    };
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        message: String,
    },
    /// A key is unknown or its value is not what it must be.
    #[error("{key} (from {origin}): {message}")]
    Value {
        /// The key with its section.
        key: String,
        /// The file, the variable or the flag.
        origin: String,
        /// What was expected.
        message: String,
    },
    /// A value is under its minimum.
    #[error("{key} (from {origin}): {value} is less than the minimum of {minimum}")]
    UnderMinimum {
        /// The key with its section.
        key: String,
        /// The file, the variable or the flag.
        origin: String,
        /// What was set.
        value: u64,
        /// The least that may be.
        minimum: u64,
    },
    /// A value is over its hard maximum.
    #[error("{key} (from {origin}): {value} is more than the hard maximum of {maximum}")]
    OverMaximum {
        /// The key with its section.
        key: String,
        /// The file, the variable or the flag.
        origin: String,
        /// What was set.
        value: u64,
        /// The most that may be.
        maximum: u64,
    },
    /// A pattern, a name or a file of `[egress]`.
    #[error(transparent)]
    Egress(#[from] EgressSetupError),
}
