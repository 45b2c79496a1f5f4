//! From a file, the environment and flags to a configuration that holds, or an error that names its key.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, ConfigError};

/// Environment variables that set a value: `SENDBOX__SERVER__LISTEN` is `listen` in `[server]`.
const ENVIRONMENT_PREFIX: &str = "SENDBOX__";

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
        environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
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
        let variables = variables(environment)?;
        let flags = flags
            .iter()
            .map(|(key, text)| ((*key).to_owned(), text.clone(), format!("a flag ({key})")));
        for (key, text, origin) in variables.into_iter().chain(flags) {
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
        let origin = |key: &str| origins.get(key).cloned().unwrap_or_default();
        config.check_bounds(origin)?;
        Ok(Self { config, origins })
    }
}

/// The variables of our own: key, text and name.
///
/// # Errors
/// One that is no UTF-8. What others are is not our business.
fn variables(
    environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Result<Vec<(String, String, String)>, ConfigError> {
    let mut own = Vec::new();
    for (name, text) in environment {
        let (name, text) = (name.into(), text.into());
        let origin = name.to_string_lossy().into_owned();
        let Some(key) = origin.strip_prefix(ENVIRONMENT_PREFIX) else {
            continue;
        };
        let key = key.to_ascii_lowercase().replace("__", ".");
        match (name.to_str(), text.into_string()) {
            (Some(_), Ok(text)) => own.push((key, text, origin)),
            _ => {
                return Err(ConfigError::Value {
                    key,
                    origin,
                    message: "it is not UTF-8".to_owned(),
                });
            }
        }
    }
    Ok(own)
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
    fn a_variable_that_is_no_utf_8_is_refused_if_it_is_ours() {
        use std::os::unix::ffi::OsStringExt;
        let broken = || OsString::from_vec(vec![b'c', 0xe9]);
        let load = |name: &str| Loaded::load(None, [(OsString::from(name), broken())], &[]);
        assert!(load("NAME").is_ok());
        assert!(load("SENDBOX_NAME").is_ok());
        assert_eq!(
            load("SENDBOX__SERVER__LISTEN").unwrap_err().to_string(),
            "server.listen (from SENDBOX__SERVER__LISTEN): it is not UTF-8"
        );
        let name = [b"SENDBOX__A".as_slice(), &[0xe9]].concat();
        assert!(Loaded::load(None, [(OsString::from_vec(name), "1")], &[]).is_err());
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
