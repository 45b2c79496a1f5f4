//! Recorded cases: files in `corpus` and `golden` beside this crate, one JSON object a line.

use serde_json::Value;

use crate::repository;

/// The cases of a file such as `corpus/bad-input.jsonl`.
///
/// # Panics
/// Where there are none: whoever loops over them would test nothing.
#[must_use]
pub fn cases(file: &str) -> Vec<Value> {
    let path = repository::root().join("tests").join(file);
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parse = |line| serde_json::from_str(line).expect("one JSON object a line");
    let cases: Vec<Value> = text.lines().map(parse).collect();
    assert!(!cases.is_empty(), "{} is empty", path.display());
    cases
}
