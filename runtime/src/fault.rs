//! Faults on purpose, so that tests can break the built program at an exact step: in builds with debug
//! assertions only, and there only where an environment variable names a plan. A release has no trace of it.
//!
//! A plan is a file that is read at each step, one fault a line: `arm.committed kill 3` kills the process
//! when it passes `arm.committed` for the third time, `clock -3600000` sets its clock back by an hour.

#[cfg(debug_assertions)]
pub use planned::{PLAN, clock, pass};

/// The process passes a step.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn pass(_step: &str) {}

/// Milliseconds by which the machine's clock is wrong.
#[cfg(not(debug_assertions))]
#[must_use]
#[inline]
pub const fn clock() -> i64 {
    0
}

#[cfg(debug_assertions)]
mod planned {
    use std::collections::{BTreeMap, HashMap};
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    // To this very thread: a signal to the process may stop it only after the step.
    use nix::sys::signal::{Signal, raise};
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads};

    /// Environment variable with the path of the plan.
    pub const PLAN: &str = "SENDBOX_FAULT_PLAN";

    /// The process passes a step. What the plan has for it happens now.
    pub fn pass(step: &str) {
        for line in plan().lines() {
            let mut words = line.split_whitespace();
            if words.next() != Some(step) {
                continue;
            }
            let action = words.next().unwrap_or_default();
            let nth = words.next().and_then(|nth| nth.parse().ok()).unwrap_or(1);
            if passes(line) == nth {
                act(action);
            }
        }
    }

    /// Milliseconds by which the machine's clock is wrong.
    #[must_use]
    pub fn clock() -> i64 {
        let plan = plan();
        let mut lines = plan.lines();
        let offset = lines.find_map(|line| line.strip_prefix("clock ")?.trim().parse().ok());
        offset.unwrap_or(0)
    }

    fn plan() -> String {
        static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
        let path = PATH.get_or_init(|| std::env::var_os(PLAN).map(PathBuf::from));
        let text = path.as_ref().map(std::fs::read_to_string);
        text.and_then(Result::ok).unwrap_or_default()
    }

    /// How often a line has matched, this time included.
    fn passes(line: &str) -> u32 {
        static PASSES: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);
        let mut passes = PASSES.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passes.get_or_insert_default().entry(line.to_owned());
        *count.and_modify(|count| *count += 1).or_insert(1)
    }

    fn act(action: &str) {
        let done = match action {
            "kill" => raise(Signal::SIGKILL).map_err(|error| error.to_string()),
            "stop" => raise(Signal::SIGSTOP).map_err(|error| error.to_string()),
            "no-sync" => refuse(&[libc::SYS_fsync, libc::SYS_fdatasync]),
            "no-write" => refuse(&[libc::SYS_pwrite64, libc::SYS_pwritev]),
            other => Err(format!("no fault is called {other:?}")),
        };
        if let Err(why) = done {
            tracing::error!(why, "a planned fault did not happen");
        }
    }

    /// From now on the kernel answers these system calls of this process with an I/O error.
    fn refuse(calls: &[i64]) -> Result<(), String> {
        let problem = |error: &dyn std::fmt::Display| error.to_string();
        let architecture = std::env::consts::ARCH
            .try_into()
            .map_err(|error: seccompiler::BackendError| problem(&error))?;
        let rules: BTreeMap<_, _> = calls.iter().map(|call| (*call, Vec::new())).collect();
        let io_error = SeccompAction::Errno(libc::EIO.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, io_error, architecture)
            .map_err(|error| problem(&error))?;
        let program: BpfProgram = filter
            .try_into()
            .map_err(|error: seccompiler::BackendError| problem(&error))?;
        apply_filter_all_threads(&program).map_err(|error| problem(&error))
    }
}
