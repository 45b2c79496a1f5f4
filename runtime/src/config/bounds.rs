//! What an operator cannot set: under a minimum nothing works, and over a hard maximum more than one send pays for it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Config, ConfigError, ServerConfig, StoreConfig};
use crate::connector::EngineConfig;
use crate::delivery::DeliveryConfig;
use crate::egress::EgressConfig;
use crate::limits::{Limits, NodeLimits, TenantLimits};

/// The one number that may be under its minimum: 0 keeps all.
const RETENTION: &str = "store.retention_ms";

/// A value of the configuration, and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// What is set.
    pub value: u64,
    /// The least that works.
    pub minimum: u64,
    /// The hard maximum.
    pub maximum: u64,
}

impl Config {
    /// Every number by its key, such as `limits.cpu_ms`. One that is not set has no entry.
    #[must_use]
    pub fn bounds(&self) -> BTreeMap<String, Bound> {
        let mut bounds = BTreeMap::new();
        let out = &mut bounds;
        section(
            "server",
            &self.server,
            &ServerConfig::MINIMA,
            &ServerConfig::MAXIMA,
            out,
        );
        section(
            "store",
            &self.store,
            &StoreConfig::MINIMA,
            &StoreConfig::MAXIMA,
            out,
        );
        section(
            "delivery",
            &self.delivery,
            &DeliveryConfig::MINIMA,
            &DeliveryConfig::MAXIMA,
            out,
        );
        section(
            "egress",
            &self.egress,
            &EgressConfig::MINIMA,
            &EgressConfig::MAXIMA,
            out,
        );
        section(
            "engine",
            &self.engine,
            &EngineConfig::MINIMA,
            &EngineConfig::MAXIMA,
            out,
        );
        section(
            "limits",
            &self.limits,
            &Limits::MINIMA,
            &Limits::MAXIMA,
            out,
        );
        let (tenant, node) = (&self.tenant_limits, &self.node_limits);
        section(
            "tenant_limits",
            tenant,
            &TenantLimits::MINIMA,
            &TenantLimits::MAXIMA,
            out,
        );
        section(
            "node_limits",
            node,
            &NodeLimits::MINIMA,
            &NodeLimits::MAXIMA,
            out,
        );
        bounds
    }

    /// Holds every number against its bounds. `origin` says where a key's value came from.
    ///
    /// # Errors
    /// [`ConfigError::UnderMinimum`] and [`ConfigError::OverMaximum`].
    pub(super) fn check_bounds(&self, origin: impl Fn(&str) -> String) -> Result<(), ConfigError> {
        for (key, bound) in self.bounds() {
            let Bound {
                value,
                minimum,
                maximum,
            } = bound;
            let origin = origin(&key);
            if value < minimum && !(key == RETENTION && value == 0) {
                return Err(ConfigError::UnderMinimum {
                    key,
                    origin,
                    value,
                    minimum,
                });
            }
            if value > maximum {
                return Err(ConfigError::OverMaximum {
                    key,
                    origin,
                    value,
                    maximum,
                });
            }
        }
        Ok(())
    }
}

/// A section beside its bounds, which are of the same type: no field can be forgotten.
fn section<T: Serialize>(
    name: &str,
    values: &T,
    minima: &T,
    maxima: &T,
    out: &mut BTreeMap<String, Bound>,
) {
    // A path that is no text has no number in it.
    let json = |section: &T| serde_json::to_value(section).unwrap_or_default();
    collect(name, &json(values), &json(minima), &json(maxima), out);
}

fn collect(
    key: &str,
    value: &Value,
    minimum: &Value,
    maximum: &Value,
    out: &mut BTreeMap<String, Bound>,
) {
    if let Value::Object(fields) = value {
        for (name, value) in fields {
            let of = |section: &Value| section.get(name).cloned().unwrap_or_default();
            let key = format!("{key}.{name}");
            collect(&key, value, &of(minimum), &of(maximum), out);
        }
    } else if let (Some(value), Some(minimum), Some(maximum)) =
        (value.as_u64(), minimum.as_u64(), maximum.as_u64())
    {
        let bound = Bound {
            value,
            minimum,
            maximum,
        };
        out.insert(key.to_owned(), bound);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Loaded;
    use super::*;

    fn numbers(key: &str, value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let key = match key {
                        "" => name.clone(),
                        key => format!("{key}.{name}"),
                    };
                    numbers(&key, value, out);
                }
            }
            Value::Number(_) => out.push(key.to_owned()),
            _ => {}
        }
    }

    #[test]
    fn every_number_has_bounds_and_the_defaults_keep_them() {
        let config = Config::default();
        let mut all = Vec::new();
        numbers("", &serde_json::to_value(&config).unwrap(), &mut all);
        assert!(all.len() > 60, "{all:?}");
        let bounds = config.bounds();
        for key in all {
            let bound = bounds.get(&key).expect(&key);
            assert!(bound.minimum <= bound.value, "{key}");
            assert!(bound.value <= bound.maximum, "{key}");
        }
    }

    /// A value that is not set by default gets one here, so that its bounds are there.
    #[test]
    fn a_value_out_of_its_bounds_is_refused_with_key_value_and_bound() {
        let mut config = Config {
            tenant_limits: TenantLimits::MAXIMA,
            node_limits: NodeLimits::MAXIMA,
            ..Config::default()
        };
        config.engine.guest_memory = Some(1 << 30);
        for (key, bound) in config.bounds() {
            let name = format!("SENDBOX__{}", key.to_uppercase().replace('.', "__"));
            let load = |value: u64| {
                let refused = Loaded::load(None, [(name.as_str(), value.to_string())], &[]);
                refused.err().map(|error| error.to_string())
            };
            let (minimum, maximum) = (bound.minimum, bound.maximum);
            assert_eq!(load(minimum), None);
            assert_eq!(load(maximum), None);
            let (over, words) = (maximum + 1, "is more than the hard maximum of");
            let words = format!("{key} (from {name}): {over} {words} {maximum}");
            let refused = load(over).expect(&words);
            assert!(
                refused == words || refused.contains("invalid value"),
                "{refused}"
            );
            if minimum > 0 && key != RETENTION {
                let (under, words) = (minimum - 1, "is less than the minimum of");
                let words = format!("{key} (from {name}): {under} {words} {minimum}");
                assert_eq!(load(under), Some(words));
            }
        }
    }

    #[test]
    fn no_retention_is_0_and_less_than_a_day_is_refused() {
        let load = |text: &str| Loaded::load(None, [("SENDBOX__STORE__RETENTION_MS", text)], &[]);
        assert_eq!(load("0").unwrap().config.store.retention_ms, 0);
        assert!(load("86400000").is_ok());
        assert_eq!(
            load("1").unwrap_err().to_string(),
            "store.retention_ms (from SENDBOX__STORE__RETENTION_MS): 1 is less than the minimum of 86400000"
        );
    }
}
