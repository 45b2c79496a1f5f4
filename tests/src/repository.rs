//! Where this repository lies.

use std::path::{Path, PathBuf};

/// Its root.
#[must_use]
pub fn root() -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    above.expect("tests is a folder of it").to_owned()
}
