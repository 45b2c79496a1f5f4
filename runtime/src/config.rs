//! The server's configuration: a TOML file, over it the environment, over it flags.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::built_in::BuiltIn;
use crate::connector::EngineConfig;
use crate::delivery::DeliveryConfig;
use crate::egress::EgressConfig;
use crate::limits::{Limits, NodeLimits, TenantLimits};

mod bounds;

pub use bounds::Bound;

/// Environment variables that set a value: `SENDBOX__SERVER__LISTEN` is `listen` in `[server]`.
const ENVIRONMENT_PREFIX: &str = "SENDBOX__";

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
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            front_door_wait_ms: 8_000,
            drain_ms: 20_000,
        }
    }
}

impl ServerConfig {
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
    /// Milliseconds after which a data key is renewed, from [`DATA_KEY_AGE_MIN_MS`] to [`DATA_KEY_AGE_MAX_MS`].
    pub data_key_age_ms: u64,
}

/// The shortest age at which data keys are renewed: a day.
pub const DATA_KEY_AGE_MIN_MS: u64 = 24 * 60 * 60 * 1_000;
/// The longest: three years.
pub const DATA_KEY_AGE_MAX_MS: u64 = 3 * 365 * DATA_KEY_AGE_MIN_MS;

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("sendbox-data"),
            sealing_key_file: None,
            ended_file: None,
            retention_ms: 30 * 24 * 60 * 60 * 1_000,
            data_key_age_ms: 90 * DATA_KEY_AGE_MIN_MS,
        }
    }
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
}

/// A configuration, and where each value came from.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// `section.key` to its origin, for what is not a default.
    pub origins: BTreeMap<String, String>,
}

impl Loaded {
    /// Layers a file, the environment and flags (`section.key` with a value).
    ///
    /// # Errors
    /// [`ConfigError`] names the key, its origin and the expected shape.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(&str, String)],
    ) -> Result<Self, ConfigError> {
        let (mut table, mut origins) = (Table::new(), BTreeMap::new());
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
                path: path.to_owned(),
                source,
            })?;
            table = text
                .parse()
                .map_err(|error: toml::de::Error| ConfigError::Syntax {
                    path: path.to_owned(),
                    message: error.to_string(),
                })?;
            note(&table, "", &path.display().to_string(), &mut origins);
        }
        let variables = environment.into_iter().filter_map(|(name, text)| {
            let key = name
                .strip_prefix(ENVIRONMENT_PREFIX)?
                .to_ascii_lowercase()
                .replace("__", ".");
            Some((key, text, name))
        });
        let flags = flags
            .iter()
            .map(|(key, text)| ((*key).to_owned(), text.clone(), format!("a flag ({key})")));
        for (key, text, origin) in variables.chain(flags) {
            set(&mut table, &key, &text);
            origins.insert(key, origin);
        }
        let config = serde_path(&table).map_err(|(key, message)| {
            let origin = origins
                .iter()
                .find(|(known, _)| **known == key || key.starts_with(&format!("{known}.")));
            let origin = origin.map_or_else(|| "the file".to_owned(), |(_, origin)| origin.clone());
            ConfigError::Value {
                key,
                origin,
                message,
            }
        })?;
        for (key, Bound { value, maximum }) in config.bounds() {
            if value > maximum {
                let origin = origins.get(&key).cloned().unwrap_or_default();
                return Err(ConfigError::OverMaximum {
                    key,
                    origin,
                    value,
                    maximum,
                });
            }
        }
        let (value, minimum) = (config.store.data_key_age_ms, DATA_KEY_AGE_MIN_MS);
        if value < minimum {
            let key = "store.data_key_age_ms".to_owned();
            let origin = origins.get(&key).cloned().unwrap_or_default();
            return Err(ConfigError::UnderMinimum {
                key,
                origin,
                value,
                minimum,
            });
        }
        Ok(Self { config, origins })
    }
}

fn note(table: &Table, prefix: &str, origin: &str, out: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            Value::Table(inner) => note(inner, &key, origin, out),
            _ => {
                out.insert(key, origin.to_owned());
            }
        }
    }
}

/// Sets `a.b` to a TOML value, or to the text itself where it is none.
fn set(table: &mut Table, key: &str, text: &str) {
    let value = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("value"));
    let value = value.unwrap_or_else(|| Value::String(text.to_owned()));
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                set(inner, rest, text);
            }
        }
    }
}

/// Reads the configuration section by section, so that an error knows its key.
fn serde_path(table: &Table) -> Result<Config, (String, String)> {
    for (section, value) in table {
        let Value::Table(entries) = value else {
            continue;
        };
        for (name, value) in entries {
            let one = Table::from_iter([(
                section.clone(),
                Value::Table(Table::from_iter([(name.clone(), value.clone())])),
            )]);
            if let Err(error) = Config::deserialize(Value::Table(one)) {
                return Err((format!("{section}.{name}"), error.message().to_owned()));
            }
        }
    }
    Config::deserialize(Value::Table(table.clone()))
        .map_err(|error| ("the configuration".to_owned(), error.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn the_environment_wins_over_the_file_and_a_flag_over_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sendbox.toml");
        std::fs::write(
            &path,
            "[server]\nlisten = \"127.0.0.1:1\"\ndrain_ms = 5\n[limits]\ncpu_ms = 100\n",
        )
        .unwrap();
        let environment = [
            variable("SENDBOX__SERVER__LISTEN", "127.0.0.1:2"),
            variable("SENDBOX__LIMITS__CPU_MS", "50"),
        ];
        let flags = [("server.listen", "127.0.0.1:3".to_owned())];
        let loaded = Loaded::load(Some(&path), environment, &flags).unwrap();
        assert_eq!(loaded.config.server.listen.port(), 3);
        assert_eq!(loaded.config.server.drain_ms, 5);
        assert_eq!(loaded.config.limits.cpu_ms, 50);
        assert_eq!(loaded.origins["limits.cpu_ms"], "SENDBOX__LIMITS__CPU_MS");
        assert_eq!(
            loaded.origins["server.drain_ms"],
            path.display().to_string()
        );
    }

    #[test]
    fn a_value_over_its_hard_maximum_is_refused_with_key_value_and_maximum() {
        for (name, key, maximum) in [
            ("SENDBOX__LIMITS__CPU_MS", "limits.cpu_ms", 2_000),
            ("SENDBOX__LIMITS__MEMORY", "limits.memory", 256 << 20),
            ("SENDBOX__ENGINE__POOL_SLOTS", "engine.pool_slots", 2_048),
            (
                "SENDBOX__ENGINE__COMPONENT_BYTES",
                "engine.component_bytes",
                32_u64 << 20,
            ),
            (
                "SENDBOX__STORE__DATA_KEY_AGE_MS",
                "store.data_key_age_ms",
                DATA_KEY_AGE_MAX_MS,
            ),
        ] {
            let load = |value: u64| Loaded::load(None, [variable(name, &value.to_string())], &[]);
            assert!(load(maximum).is_ok(), "{name}");
            let refused = load(maximum + 1).unwrap_err().to_string();
            let words = format!(
                "{key} (from {name}): {} is more than the hard maximum of {maximum}",
                maximum + 1
            );
            assert_eq!(refused, words);
        }
    }

    #[test]
    fn data_keys_that_were_renewed_all_the_time_are_refused() {
        let name = "SENDBOX__STORE__DATA_KEY_AGE_MS";
        let load = |value: u64| Loaded::load(None, [variable(name, &value.to_string())], &[]);
        assert!(load(86_400_000).is_ok());
        assert_eq!(
            load(86_399_999).unwrap_err().to_string(),
            "store.data_key_age_ms (from SENDBOX__STORE__DATA_KEY_AGE_MS): 86399999 is less than the minimum of \
             86400000"
        );
    }

    #[test]
    fn an_unknown_key_and_a_wrong_value_are_named_with_their_origin() {
        let unknown = Loaded::load(None, [variable("SENDBOX__SERVER__LISTN", "x")], &[])
            .unwrap_err()
            .to_string();
        assert!(
            unknown.contains("server.listn") && unknown.contains("SENDBOX__SERVER__LISTN"),
            "{unknown}"
        );
        let wrong = Loaded::load(None, [variable("SENDBOX__LIMITS__CPU_MS", "fast")], &[])
            .unwrap_err()
            .to_string();
        assert!(
            wrong.contains("limits.cpu_ms") && wrong.contains("expected"),
            "{wrong}"
        );
    }
}
