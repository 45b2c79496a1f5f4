//! What tests of the network need of the machine: root, and programs that a package brings.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// Whether what a test needs is there. Where not, a message says so; with `SENDBOX_REQUIRE_NETWORK` in the
/// environment that is a failure.
#[must_use]
pub fn can_start(needs: &str, is_there: bool) -> bool {
    is_offered(needs, is_there, "SENDBOX_REQUIRE_NETWORK")
}

/// The same with the name of the variable.
pub(crate) fn is_offered(needs: &str, is_there: bool, variable: &str) -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if is_there && root {
        return true;
    }
    let required = std::env::var_os(variable).is_some();
    assert!(!required, "{needs} and root are required");
    eprintln!("skipped: {needs} or root is missing");
    false
}
