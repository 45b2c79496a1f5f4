//! What commands print: results on standard output, everything else on standard error.

use std::io::Write;

use serde_json::Value;

use super::Output;

/// Prints a result: JSON on one line, or for people.
pub(super) fn result(output: Output, value: &Value) {
    let text = match output {
        Output::Json => value.to_string(),
        Output::Text => plain(value, 0),
    };
    line(text.trim_end());
}

/// Prints one line to standard output. A closed pipe is no error.
pub(super) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints one line to standard error.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints an error with its causes.
pub(super) fn error(error: &anyhow::Error) {
    note(&format!("error: {error:#}"));
}

/// `name: value` lines, nested by indentation.
fn plain(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| match value {
                Value::Object(inner) if !inner.is_empty() => {
                    format!("{indent}{name}:\n{}", plain(value, depth + 1))
                }
                Value::Array(items) if !items.is_empty() => {
                    format!("{indent}{name}:\n{}", plain(value, depth + 1))
                }
                _ => format!("{indent}{name}: {}\n", plain(value, 0)),
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::Object(_) => format!("{indent}-\n{}", plain(item, depth + 1)),
                _ => format!("{indent}- {}\n", plain(item, 0)),
            })
            .collect(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
