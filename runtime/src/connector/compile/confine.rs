//! What the compiling process takes from itself before it reads a byte of the component.

use std::collections::BTreeMap;

use rustix::process::{Resource, Rlimit, nice, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// What a compilation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Seconds of CPU.
    pub(super) cpu: u64,
    /// Bytes of address space.
    pub(super) memory: u64,
}

/// What is left to a process that computes, beside its three pipes: memory, and its end. Everything
/// else, files, sockets and other programs among it, is answered with `EPERM`.
const SYSTEM_CALLS: [i64; 26] = [
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Gives up everything but computing within `allowance`. There is no way back.
pub(super) fn confine(allowance: Allowance) -> Result<(), String> {
    let at_most = |resource, value: u64| {
        let limit = Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        setrlimit(resource, limit).map_err(|error| format!("a resource limit: {error}"))
    };
    at_most(Resource::Core, 0)?;
    at_most(Resource::Fsize, 0)?;
    at_most(Resource::As, allowance.memory)?;
    // The soft limit ends the process by SIGXCPU, which says why; the hard one is behind it.
    let cpu = Rlimit {
        current: Some(allowance.cpu),
        maximum: Some(allowance.cpu.saturating_add(1)),
    };
    setrlimit(Resource::Cpu, cpu).map_err(|error| format!("the CPU limit: {error}"))?;
    // Sends go first. Where that is not possible they still get their share.
    let _ = nice(10);
    apply_filter(&filter()?).map_err(|error| format!("the system call filter: {error}"))
}

fn filter() -> Result<BpfProgram, String> {
    let problem = |error: &dyn std::fmt::Display| format!("the system call filter: {error}");
    let target = std::env::consts::ARCH
        .try_into()
        .map_err(|error: seccompiler::BackendError| problem(&error))?;
    let on = |pipe: u64| {
        let is = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, pipe);
        is.and_then(|is| SeccompRule::new(vec![is]))
            .map_err(|error| problem(&error))
    };
    let mut allowed: BTreeMap<_, _> = SYSTEM_CALLS.iter().map(|call| (*call, vec![])).collect();
    // By number, so that a descriptor that was inherited by mistake is of no use.
    allowed.insert(libc::SYS_read, vec![on(0)?]);
    allowed.insert(libc::SYS_write, vec![on(1)?, on(2)?]);
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(allowed, refused, SeccompAction::Allow, target);
    let filter = filter.map_err(|error| problem(&error))?;
    filter
        .try_into()
        .map_err(|error: seccompiler::BackendError| problem(&error))
}
