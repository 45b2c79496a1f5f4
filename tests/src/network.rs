//! What tests of the network need of the machine: root, and programs that a package brings.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// Whether what a test needs is there. Where not, a message says so; with `SENDBOX_REQUIRE_NETWORK` in the
/// environment that is a failure.
#[must_use]
pub fn can_start(needs: &str, is_there: bool) -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if is_there && root {
        return true;
    }
    let required = std::env::var_os("SENDBOX_REQUIRE_NETWORK").is_some();
    assert!(!required, "{needs} and root are required");
    eprintln!("skipped: {needs} or root is missing");
    false
}
