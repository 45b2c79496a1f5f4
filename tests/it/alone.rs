//! A test in a process of its own, where memory and time of the processor are its alone.

use std::process::Command;

const ALONE: &str = "SENDBOX_TEST_ALONE";
const DONE: &str = "done alone";

/// Runs `test`, which is the test of that name, in a process that runs nothing else, on one thread.
pub(crate) fn alone<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F) {
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test());
        println!("{DONE}");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains(DONE),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// KiB of a line of /proc/self/status: `VmRSS` is resident, `VmHWM` was at most.
pub(crate) fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(name)).unwrap();
    let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

/// Forgets what was at most. Returns what is, in KiB.
pub(crate) fn reset_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS")
}
