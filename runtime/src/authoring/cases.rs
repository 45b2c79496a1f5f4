//! Recorded cases of a project: read from its files, each with the place that it stands at.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::replay::ReplayCase;

/// A case, its text kept so that another can be made of it.
pub struct Case {
    /// The case, answered by a stand-in where it records no answer.
    pub replay: ReplayCase,
    /// Its line.
    pub text: String,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its settings hold secrets.
        f.debug_struct("Case")
            .field("id", &self.replay.id)
            .finish_non_exhaustive()
    }
}

/// Why cases cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The file.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// A line.
    #[error("{file}, line {line}: {error}")]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

impl Case {
    /// The case of one line of JSON.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let replay: ReplayCase = serde_json::from_str(text)?;
        Ok(Self {
            replay: replay.or_stand_in(),
            text: text.to_owned(),
        })
    }

    /// The same case with another message: other codes and another idempotency key.
    ///
    /// # Errors
    /// Never for a case that was parsed.
    pub(super) fn with_another_message(&self) -> Result<Self, serde_json::Error> {
        let mut case: Value = serde_json::from_str(&self.text)?;
        if let Some(Value::String(id)) = case.get_mut("id") {
            id.push_str("/another");
        }
        if let Some(Value::Object(payload)) = case.pointer_mut("/message/payload") {
            for value in payload.values_mut() {
                change(value);
            }
        }
        Self::parse(&case.to_string())
    }
}

/// Another code of the same shape; a link with one more parameter.
fn change(value: &mut Value) {
    let Value::String(text) = value else { return };
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let next = |digit: u8| char::from(b'0' + (digit - b'0' + 1) % 10);
        *text = text.bytes().map(next).collect();
    } else if text.starts_with("https://") {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str("another=1");
    }
}

/// Reads the cases of files of one JSON object a line.
///
/// # Errors
/// [`CaseError`] names file and line.
pub fn read(files: &[PathBuf]) -> Result<Vec<Case>, CaseError> {
    let mut cases = Vec::new();
    for file in files {
        read_file(file, &mut cases)?;
    }
    Ok(cases)
}

fn read_file(file: &Path, cases: &mut Vec<Case>) -> Result<(), CaseError> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| CaseError::Unreadable(file.to_owned(), error))?;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let case = Case::parse(line).map_err(|error| CaseError::Malformed {
            file: file.to_owned(),
            line: index + 1,
            error,
        })?;
        cases.push(case);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = r#"{"id":"x/1","settings":{},"message":{"to":"1","type":"Generic","payload":{"code":"1299","link":"https://e.example/?a=1","name":"Bo"}}}"#;

    #[test]
    fn another_message_has_other_codes_in_the_same_order() {
        let case = Case::parse(CASE).unwrap();
        let other = case.with_another_message().unwrap();
        assert_eq!(other.replay.id, "x/1/another");
        assert_eq!(
            other.replay.message.payload.get(),
            r#"{"code":"2300","link":"https://e.example/?a=1&another=1","name":"Bo"}"#
        );
    }

    #[test]
    fn a_line_that_is_no_case_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        std::fs::write(&file, format!("{CASE}\n\n{{\"id\":7}}\n")).unwrap();
        let words = read(std::slice::from_ref(&file)).unwrap_err().to_string();
        assert!(words.contains("a.jsonl, line 3:"), "{words}");
    }
}
