//! An ordinary tenant's sends, alone and beside hostile guests, on all cores; and the memory that ten
//! thousand hostile sends leave behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use sendbox::connector::ConnectorRuntime;
use sendbox::egress::{Capture, Egress, Transport};
use sendbox_tests::guests;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Interval;

use super::fixture::{self, Component, Ready, Setting};
use super::load::{Client, rounds};
use super::report::{Bound, Report, Table};
use super::usage;
use super::wire::Sandboxed;

const HOSTILE: usize = 64;
/// What they do, in turns: compute, take memory, nest, talk, keep, die, wait, and have the host compute and
/// record, for as long as they can.
const ACTS: [&str; 12] = [
    "endless-loop",
    "sleep",
    "memory-bomb",
    "deep-recursion",
    "log-flood",
    "huge-result",
    "resource-flood",
    "panic",
    "blank-lines",
    "placeholders",
    "tiny-requests",
    "wasi-flood",
];
/// The first of them, which take their whole time.
const LONG: usize = 2;
/// Slots of the pool whose memory is looked at: each keeps some of it, which is no leak.
const SLOTS: u32 = 32;
/// Hostile sends after which every slot keeps what it may, and those that are looked at.
const SETTLED: usize = 2_000;
const SENDS: usize = SETTLED + 10_000;

/// Between two sends of one of the ordinary tenant's clients.
const PACE: Duration = Duration::from_millis(5);

const ROUND: Duration = Duration::from_secs(2);

pub(crate) fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let (runtime, egress) = (setting.engine()?, setting.egress()?);
            beside(setting, &runtime, &egress, report).await?;
            memory(&setting.engine_of(SLOTS)?, &egress, report).await
        })
}

async fn beside(
    setting: &Setting,
    runtime: &Arc<ConnectorRuntime>,
    egress: &Arc<Egress>,
    report: &mut Report,
) -> Result<()> {
    let settings = fixture::http_email(&format!("http://{}/send", setting.provider.plain));
    let component = Component::bundled("http-email")?;
    let ready = Arc::new(Ready::new(runtime, egress, &component, settings).await?);
    let mut table = Table::new(
        "An ordinary tenant, all cores",
        &["sends/s", "CPU µs", "p50 µs", "p99 µs"],
    );
    let mut ratios = (0_f64, 0_f64);
    for at_once in [1, 8] {
        let mut clients: Vec<_> = (0..at_once)
            .map(|_| Ordinary::new(&ready, egress))
            .collect();
        let quiet = rounds(&mut clients, ROUND, ROUND).await?;
        let hostile = Hostile::start(runtime, egress).await?;
        let busy = rounds(&mut clients, ROUND, ROUND).await?;
        let ended = hostile.stop().await?;
        table.row(format!("{at_once} at once: alone"), quiet.row());
        table.row(
            format!("{at_once} at once: beside {HOSTILE} hostile guests"),
            busy.row(),
        );
        eprintln!("{ended} hostile sends ended meanwhile");
        ratios.0 = ratios.0.max(busy.p50 / quiet.p50);
        ratios.1 = ratios.1.max(busy.p99 / quiet.p99);
    }
    report.add(table);
    report.goal(
        "beside hostile guests: median, times the quiet one",
        ratios.0,
        Bound::AtMost(1.5),
    );
    report.goal(
        "beside hostile guests: p99, times the quiet one",
        ratios.1,
        Bound::AtMost(2.0),
    );
    Ok(())
}

/// Sends now and then, as people sign in.
struct Ordinary {
    send: Sandboxed,
    pace: Interval,
}

impl Ordinary {
    fn new(ready: &Arc<Ready>, egress: &Arc<Egress>) -> Self {
        Self {
            send: Sandboxed::new(ready, egress),
            pace: tokio::time::interval(PACE),
        }
    }
}

impl Client for Ordinary {
    async fn once(&mut self) -> Result<()> {
        self.send.once().await
    }

    async fn rest(&mut self) {
        self.pace.tick().await;
    }
}

/// One hostile tenant's integration for each act.
async fn hostile(
    runtime: &Arc<ConnectorRuntime>,
    egress: &Egress,
    acts: &[&str],
) -> Result<Vec<Arc<Ready>>> {
    let component = Component::new(Bytes::from_static(guests::ACTS));
    let mut ready = Vec::new();
    for act in acts {
        let settings = json!({ "act": act, "secret": "6ff5f7e1b1c04f1a8d0e" });
        ready.push(Arc::new(
            Ready::of("mallory", runtime, egress, &component, settings).await?,
        ));
    }
    Ok(ready)
}

/// One hostile send; the host must survive it.
async fn attack(ready: &Ready) -> Result<()> {
    let exit = ready.open(Transport::Capture(Arc::new(Capture::new(Vec::new()))));
    let report = ready.run(ready.call(exit)).await;
    let code = report.result.err().and_then(|failure| failure.code);
    ensure!(code.as_deref() != Some("host.panic"), "the host panicked");
    Ok(())
}

/// Guests that attack until they are stopped.
struct Hostile {
    stop: Arc<AtomicBool>,
    working: JoinSet<Result<usize>>,
}

impl Hostile {
    async fn start(runtime: &Arc<ConnectorRuntime>, egress: &Egress) -> Result<Self> {
        let ready = hostile(runtime, egress, &ACTS).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut working = JoinSet::new();
        for ready in ready.iter().cycle().take(HOSTILE) {
            let (ready, stop) = (ready.clone(), stop.clone());
            working.spawn(async move {
                let mut ended = 0;
                while !stop.load(Ordering::Relaxed) {
                    attack(&ready).await?;
                    ended += 1;
                }
                Ok(ended)
            });
        }
        Ok(Self { stop, working })
    }

    /// How many of their sends came to their end.
    async fn stop(mut self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = 0;
        while let Some(ended) = self.working.join_next().await {
            all += ended??;
        }
        Ok(all)
    }
}

/// Resident memory (KiB) once hostile sends have taken what the process ever takes, and long after.
async fn memory(
    runtime: &Arc<ConnectorRuntime>,
    egress: &Egress,
    report: &mut Report,
) -> Result<()> {
    let ready = hostile(runtime, egress, &ACTS[LONG..]).await?;
    let done = Arc::new(AtomicUsize::new(0));
    let mut table = Table::new(
        "Resident memory after hostile sends (KiB)",
        &["all", "not shared"],
    );
    let mut resident = Vec::new();
    for until in [SETTLED, SENDS] {
        let mut working = JoinSet::new();
        for worker in 0..8 {
            let (ready, done) = (ready.clone(), done.clone());
            working.spawn(async move {
                for ready in ready.iter().cycle().skip(worker) {
                    if done.fetch_add(1, Ordering::Relaxed) >= until {
                        break;
                    }
                    attack(ready).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = working.join_next().await {
            ended??;
        }
        done.store(until, Ordering::Relaxed);
        let (all, own) = usage::resident()?;
        table.row(format!("after {until}"), vec![all as f64, own as f64]);
        resident.push(own as f64);
    }
    report.add(table);
    let rise = resident
        .last()
        .zip(resident.first())
        .map_or(f64::NAN, |(last, first)| last - first);
    report.goal(
        "resident: rise over 10,000 hostile sends (KiB)",
        rise,
        Bound::AtMost(4096.0),
    );
    Ok(())
}
