//! `sendbox serve`.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::log::Log;
use super::{Bundle, ConfigArgs};
use crate::server::Server;
use crate::time::Clock;

/// The running program, even where its file was replaced since.
pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";

/// Where glibc reads its settings.
const GLIBC_TUNABLES: &str = "GLIBC_TUNABLES";
/// From how many bytes on it writes a copy past the processor's caches. By itself that is three quarters of the last
/// cache, which a virtual machine reports as its whole host's: what a large connector's memory is put back with then
/// drives everything else out of the caches that there are. docs/benchmarks.md has the difference.
const STREAMED_COPIES: &str = "glibc.cpu.x86_non_temporal_threshold=1048576";

/// Variables that redirect, trust or reveal elsewhere.
const IGNORED: [&str; 11] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
];

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// One JSON object a log line.
    #[arg(long)]
    log_json: bool,
    /// Begin an empty database though the data folder has had one.
    #[arg(long)]
    new_database: bool,
}

/// Starts this program anew in its place, once: glibc reads its settings at a program's start alone. Those that an
/// operator has made stand. Where it cannot be, the server is as it was.
pub(super) fn stream_large_copies() {
    let glibc = cfg!(all(target_env = "gnu", target_arch = "x86_64"));
    if !glibc || std::env::var_os(GLIBC_TUNABLES).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut words = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    // It returns only if it failed.
    let _ = command
        .args(words)
        .env(GLIBC_TUNABLES, STREAMED_COPIES)
        .exec();
}

pub(super) async fn run(args: ServeArgs, bundle: Bundle) -> anyhow::Result<ExitCode> {
    let mut loaded = args.config.load()?;
    let log = Log::start(args.log_json)?;
    let mut ends = Ends::listen()?;
    warn_of_ignored_variables();
    let compiler = &mut loaded.config.engine.compiler;
    compiler.get_or_insert_with(|| THIS_PROGRAM.into());
    loaded.config.built_in = bundle.built_in();
    loaded.config.new_database = args.new_database;
    let server = tokio::select! {
        server = Server::start(&loaded.config, Clock::System) => server?,
        () = ends.next() => {
            tracing::info!("ended at the start");
            return Ok(ExitCode::SUCCESS);
        }
    };
    tracing::info!(
        address = %server.address,
        operator_key_file = %server.operator_key_file.display(),
        "listening"
    );
    ends.next().await;
    tracing::info!("draining; a second signal ends at once");
    tokio::select! {
        () = server.stop() => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        () = ends.next() => {
            tracing::warn!("ended before the drain was over: what was under way is in doubt");
            drop(log);
            // No waiting for threads: whoever signals twice does not want to.
            std::process::exit(1)
        }
    }
}

/// What other programs would follow past the egress policy: said once, so that nobody counts on it.
fn warn_of_ignored_variables() {
    let set = |name: &&str| std::env::var_os(name).is_some();
    let ignored: Vec<_> = IGNORED.into_iter().filter(set).collect();
    if !ignored.is_empty() {
        tracing::warn!(
            variables = ignored.join(" "),
            "ignored: the configuration alone says how sends leave and whom they trust"
        );
    }
}

/// The signals that end the server: each is a wish to drain.
pub(super) struct Ends {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Ends {
    /// What a closed terminal sends, or who takes this for another server: by themselves they would end it at once.
    const IGNORED: [SignalKind; 4] = [
        SignalKind::hangup(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::alarm(),
    ];

    /// From now on none of them ends the process by itself.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn listen() -> std::io::Result<Self> {
        for kind in Self::IGNORED {
            // Its handler stays when nobody listens.
            drop(signal(kind)?);
        }
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Until SIGTERM, SIGINT or SIGQUIT.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
