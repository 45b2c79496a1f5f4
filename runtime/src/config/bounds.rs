//! Hard maxima: what an operator cannot allow, because more than one send would pay for it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Config, DATA_KEY_AGE_MAX_MS};
use crate::connector::EngineConfig;
use crate::limits::{Limits, NodeLimits, TenantLimits};

/// A value of the configuration, and the most that it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// What is set.
    pub value: u64,
    /// The hard maximum.
    pub maximum: u64,
}

impl Config {
    /// Every bounded value by its key, such as `limits.cpu_ms`.
    #[must_use]
    pub fn bounds(&self) -> BTreeMap<String, Bound> {
        let limits = pairs("limits", &self.limits, &Limits::MAXIMA);
        limits
            .chain(pairs("engine", &self.engine, &EngineConfig::MAXIMA))
            .chain(pairs(
                "tenant_limits",
                &self.tenant_limits,
                &TenantLimits::MAXIMA,
            ))
            .chain(pairs("node_limits", &self.node_limits, &NodeLimits::MAXIMA))
            .chain([(
                "store.data_key_age_ms".to_owned(),
                Bound {
                    value: self.store.data_key_age_ms,
                    maximum: DATA_KEY_AGE_MAX_MS,
                },
            )])
            .collect()
    }
}

/// The numbers of a section beside those of its maxima, which are of the same type: no field can be forgotten.
fn pairs<T: Serialize>(
    section: &str,
    values: &T,
    maxima: &T,
) -> impl Iterator<Item = (String, Bound)> {
    let maxima = fields(maxima);
    fields(values).into_iter().filter_map(move |(name, value)| {
        let maximum = maxima.get(&name).and_then(Value::as_u64)?;
        let value = value.as_u64()?;
        Some((format!("{section}.{name}"), Bound { value, maximum }))
    })
}

fn fields(section: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(section) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_maximum_and_the_defaults_keep_it() {
        let config = Config::default();
        let bounds = config.bounds();
        for (section, values) in [
            ("limits", fields(&config.limits)),
            ("engine", fields(&config.engine)),
            ("tenant_limits", fields(&config.tenant_limits)),
            ("node_limits", fields(&config.node_limits)),
        ] {
            for (name, _) in values.iter().filter(|(_, value)| value.is_number()) {
                let bound = bounds[&format!("{section}.{name}")];
                assert!(bound.value <= bound.maximum, "{section}.{name}");
            }
        }
    }
}
