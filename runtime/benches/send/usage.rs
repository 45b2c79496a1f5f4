//! What this process uses: CPU, memory, and which cores.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::Pid;

/// User and system time of the whole process.
pub(crate) fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or(0);
    Ok(Duration::from_micros(
        micros(usage.user_time()) + micros(usage.system_time()),
    ))
}

/// KiB that are resident: all, and those that belong to this process alone.
pub(crate) fn resident() -> Result<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .with_context(|| format!("no {name} in /proc/self/status"))
    };
    Ok((field("VmRSS:")?, field("RssAnon:")?))
}

/// Keeps this thread, and those that it starts, to the `wanted`th core that it may use, if there is one.
pub(crate) fn pin(wanted: usize) -> Result<()> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this)?;
    let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
    if let Some(core) = cores.nth(wanted) {
        let mut only = CpuSet::new();
        only.set(core)?;
        sched_setaffinity(this, &only)?;
    }
    Ok(())
}

/// Runs `work` with all the threads that it starts on the first core.
pub(crate) fn on_one_core<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(0)?;
            work()
        });
        thread
            .join()
            .map_err(|_| anyhow!("a measurement panicked"))?
    })
}
