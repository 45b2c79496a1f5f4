//! The shared cases, one JSON object a line.

use std::path::PathBuf;

use serde_json::Value;

/// The cases of a file such as `bad-input.jsonl`: from the folder that `SENDBOX_SHARED` names, or `shared`
/// beside the workspace. None, with a message, where it is not there.
#[must_use]
pub fn shared(file: &str) -> Option<Vec<Value>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let folder =
        std::env::var_os("SENDBOX_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = folder.join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    let parse = |line| serde_json::from_str(line).expect("one JSON object a line");
    Some(text.lines().map(parse).collect())
}
