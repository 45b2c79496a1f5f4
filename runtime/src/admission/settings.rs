//! How large the settings of integrations may be: they are read whole whenever one is made ready or shown.

use std::io::Write;

use serde_json::Value;

use super::{Admission, OverLimit};
use crate::limits::Limit;

/// Counts what is written to it.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Bytes of a value as JSON.
fn bytes_of(value: &Value) -> u64 {
    let mut counter = Counter(0);
    // Counting cannot fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// Values in a value, itself included.
fn values_of(value: &Value) -> u64 {
    1 + match value {
        Value::Array(items) => items.iter().map(values_of).sum(),
        Value::Object(fields) => fields.values().map(values_of).sum(),
        _ => 0_u64,
    }
}

impl Admission {
    /// Whether one integration may have these settings, its secrets among them.
    ///
    /// # Errors
    /// Says what is allowed, and the key of the configuration that says so.
    pub fn settings(&self, settings: &Value) -> Result<(), String> {
        let (bytes, values) = (
            self.limits.integration_bytes,
            self.limits.integration_values,
        );
        if bytes_of(settings) > bytes {
            return Err(format!(
                "must have at most {bytes} bytes (tenant_limits.integration_bytes)"
            ));
        }
        if values_of(settings) > values {
            return Err(format!(
                "must have at most {values} values (tenant_limits.integration_values)"
            ));
        }
        Ok(())
    }

    /// Whether a tenant whose other integrations have `others` bytes of settings may have these as well.
    ///
    /// # Errors
    /// [`OverLimit`].
    pub fn settings_bytes(&self, settings: &Value, others: u64) -> Result<(), OverLimit> {
        let most = self.limits.settings_bytes;
        if others.saturating_add(bytes_of(settings)) <= most {
            return Ok(());
        }
        self.counted(Err(OverLimit {
            limit: Limit::SettingsBytes,
            detail: format!(
                "the settings of a tenant's integrations may have {most} bytes in all (tenant_limits.settings_bytes)"
            ),
            wait: None,
        }))
    }
}
