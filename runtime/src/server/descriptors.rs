//! File descriptors: as many as the machine allows, and enough of them for what goes out.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::Config;

/// What the process itself has open: database, log, timers, sockets of the resolver, compilers.
const OWN: u64 = 128;
/// Of a limit that is too small for all, callers have one part in so many.
const CALLERS: u64 = 4;

/// How many callers may be connected at once: as configured, or as many as descriptors are left beside what goes out.
pub(super) fn connections(config: &Config) -> usize {
    let (asked, needed) = (config.node_limits.connections, besides_callers(config));
    let limit = raise();
    let fit = fitting(asked, needed, limit);
    if fit < asked {
        let enough = asked.saturating_add(needed);
        tracing::warn!(
            limit,
            connections = fit,
            "the limit of open files is too small for node_limits.connections ({asked}) beside what goes out \
             ({needed}): raise it to {enough} (systemd: LimitNOFILE, containers: --ulimit nofile)"
        );
    }
    usize::try_from(fit).unwrap_or(usize::MAX)
}

/// Sends under way, kept connections and sessions, and a file for each connector that is ready.
fn besides_callers(config: &Config) -> u64 {
    let egress = &config.egress;
    let outside = [
        config.delivery.concurrency,
        egress.idle_connections,
        egress.smtp_sessions,
    ];
    let outside = outside.iter().map(|count| *count as u64).sum::<u64>();
    outside + config.engine.loaded + OWN
}

fn fitting(asked: u64, needed: u64, limit: u64) -> u64 {
    asked.min(limit.saturating_sub(needed).max(limit / CALLERS))
}

/// Raises the soft limit to the hard one, and answers what it is now.
fn raise() -> u64 {
    let files = Resource::RLIMIT_NOFILE;
    let Ok((soft, hard)) = getrlimit(files) else {
        return u64::MAX;
    };
    if soft < hard && setrlimit(files, hard, hard).is_err() {
        return soft;
    }
    hard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_out_keeps_its_share_of_any_limit() {
        for (asked, needed, limit, expected) in [
            (10_000, 2_000, 1 << 20, 10_000),
            (10_000, 2_000, 12_000, 10_000),
            (10_000, 2_000, 4_096, 2_096),
            (10_000, 2_000, 1_024, 256),
            (20, 2_000, 1_024, 20),
        ] {
            assert_eq!(fitting(asked, needed, limit), expected, "{limit}");
        }
    }

    #[test]
    fn the_defaults_fit_the_usual_hard_limit() {
        let config = Config::default();
        let needed = besides_callers(&config) + config.node_limits.connections;
        assert!(needed < 1 << 19, "{needed}");
    }
}
