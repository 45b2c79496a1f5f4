//! What commands print: results on standard output, everything else on standard error.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

use serde_json::Value;

use super::Output;
use crate::about::is_invisible;

/// Why a line could not be printed.
static LOST: OnceLock<std::io::Error> = OnceLock::new();

/// Prints a result: JSON on one line, or for people.
pub(super) fn result(output: Output, value: &Value) {
    let text = match output {
        Output::Json => value.to_string(),
        Output::Text => visible(&plain(value, 0)).into_owned(),
    };
    line(text.trim_end());
}

/// Prints one line to standard output. A reader that has gone wants no more; any other failure is [`lost`].
pub(super) fn line(text: &str) {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => _ = LOST.set(error),
        _ => {}
    }
}

/// Why a line of a result was lost, such as a full disk: then the command has failed.
pub(super) fn lost() -> Option<&'static std::io::Error> {
    LOST.get()
}

/// Prints one line to standard error.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints an error with its causes.
pub(super) fn error(error: &anyhow::Error) {
    note(&format!("error: {}", visible(&format!("{error:#}"))));
}

/// A text as it may stand on a terminal: what others wrote moves no cursor, rings no bell and turns no line around.
fn visible(text: &str) -> Cow<'_, str> {
    let is_bad = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || is_invisible(c);
    if text.contains(is_bad) {
        text.replace(is_bad, "\u{fffd}").into()
    } else {
        text.into()
    }
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

    use super::{plain, visible};

    #[test]
    fn a_result_reads_as_indented_lines() {
        let value = json!({
            "id": "mail", "none": null, "titles": [["en", "Mail"], ["de", "Post"]], "secrets": [],
            "exchanges": [{ "status": 200 }],
        });
        let expected = "id: mail\ntitles:\n  - en, Mail\n  - de, Post\nsecrets: none\nexchanges:\n  -\n    status: 200\n";
        assert_eq!(plain(&value, 0), expected);
    }

    #[test]
    fn what_others_wrote_moves_nothing_on_a_terminal() {
        assert_eq!(visible("Post\n\tMail é 中"), "Post\n\tMail é 中");
        assert_eq!(
            visible("a\u{1b}[2Jb\u{7}c\u{202e}d\re"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e"
        );
    }
}
