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

/// `name: value` lines, nested by indentation; fields without a value are left out.
fn plain(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| match scalar(value) {
                Some(text) => format!("{indent}{name}: {text}\n"),
                None => format!("{indent}{name}:\n{}", plain(value, depth + 1)),
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| match scalar(item) {
                Some(text) => format!("{indent}- {text}\n"),
                None => format!("{indent}-\n{}", plain(item, depth + 1)),
            })
            .collect(),
        other => scalar(other).unwrap_or_default(),
    }
}

/// A value that fits on one line: a short list of texts does too.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.is_empty() => Some("none".to_owned()),
        Value::Object(fields) if fields.values().all(Value::is_null) => Some("yes".to_owned()),
        Value::Array(items) if items.len() <= 2 && items.iter().all(Value::is_string) => Some(
            items
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        ),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::plain;

    #[test]
    fn a_result_reads_as_indented_lines() {
        let value = json!({
            "id": "mail", "none": null, "titles": [["en", "Mail"], ["de", "Post"]], "secrets": [],
            "exchanges": [{ "status": 200 }],
        });
        let expected = "id: mail\ntitles:\n  - en, Mail\n  - de, Post\nsecrets: none\nexchanges:\n  -\n    status: 200\n";
        assert_eq!(plain(&value, 0), expected);
    }
}
