//! The connector `http-sms` in every language, each as its SDK's example has it.
//!
//! The components are files `<language>.wasm` of a folder, because each language has a toolchain of its own;
//! docs/writing-connectors.md says how they are built.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sendbox::connector::ConnectorRuntime;
use sendbox::egress::{Egress, EgressScope, Transport};
use sendbox::outcome::Progress;

use super::fixture::{self, Component, Ready, Setting};
use super::load::{Figures, drive, micros, rounds};
use super::provider::{FEW, FEW_PATH};
use super::report::{Bound, Report, Table};
use super::usage;
use super::wire::{ROUND, Sandboxed, WARM_UP};

/// Names the folder of components.
pub(crate) const FOLDER: &str = "SENDBOX_LANGUAGE_GUESTS";

/// With the sends a second that each must reach on two cores.
const LANGUAGES: [(&str, &str, f64); 5] = [
    ("rust", "rust: sends a second, 32 at once", 0.0),
    ("c", "c: sends a second, 32 at once", 0.0),
    ("go", "go: sends a second, 32 at once", 800.0),
    ("js", "js: sends a second, 32 at once", 800.0),
    ("python", "python: sends a second, 32 at once", 400.0),
];

const COLUMNS: &[&str] = &[
    "KiB",
    "compile ms",
    "first ms",
    "p50 µs at 1",
    "KiB in flight",
    "sends/s at 32",
    "CPU µs at 32",
];

pub(crate) fn measure(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut table = Table::new("http-sms in five languages, all cores", COLUMNS);
            // What an engine gives back when it ends would be missing from the next one's figures.
            let mut engines = Vec::new();
            for (language, goal, least) in LANGUAGES {
                let path = folder.join(language).with_extension("wasm");
                let bytes = match language {
                    "rust" => Component::bundled("http-sms")?.bytes,
                    _ => std::fs::read(&path)
                        .with_context(|| path.display().to_string())?
                        .into(),
                };
                let row = language_row(setting, Component::new(bytes), &mut engines).await?;
                if least > 0.0 {
                    report.goal(goal, row.at_32.per_second, Bound::AtLeast(least));
                }
                table.row(language, row.figures());
            }
            report.add(table);
            Ok(())
        })
}

struct Row {
    size: f64,
    compile: f64,
    first: f64,
    median: f64,
    in_flight: f64,
    at_32: Figures,
}

impl Row {
    fn figures(&self) -> Vec<f64> {
        vec![
            self.size,
            self.compile,
            self.first,
            self.median,
            self.in_flight,
            self.at_32.per_second,
            self.at_32.cpu,
        ]
    }
}

async fn language_row(
    setting: &Setting,
    component: Component,
    engines: &mut Vec<Arc<ConnectorRuntime>>,
) -> Result<Row> {
    let compile = {
        let runtime = setting.engine_of(4)?;
        engines.push(runtime.clone());
        let inspection = runtime.inspect(component.bytes.clone()).await?;
        ensure!(inspection.compile_ms > 0, "it was compiled before");
        inspection.compile_ms as f64
    };
    // As after a restart: the artifact is on disk.
    let (runtime, egress) = (setting.engine_of(64)?, setting.egress()?);
    engines.push(runtime.clone());
    let endpoint = |path: &str| format!("http://{}{path}", setting.provider.plain);
    let started = Instant::now();
    let settings = fixture::http_email(&endpoint("/send"));
    let ready = Arc::new(Ready::new(&runtime, &egress, &component, settings).await?);
    ready
        .send(ready.call(ready.open(Transport::Live(egress.clone()))))
        .await?;
    let first = micros(started.elapsed()) / 1_000.0;
    let held = fixture::http_email(&endpoint(FEW_PATH));
    let held = Arc::new(Ready::new(&runtime, &egress, &component, held).await?);
    let in_flight = memory(&held, &egress).await?;
    let mut one = vec![Sandboxed::new(&ready, &egress)];
    let median = rounds(&mut one, WARM_UP, ROUND).await?.p50;
    let mut many: Vec<_> = (0..32).map(|_| Sandboxed::new(&ready, &egress)).collect();
    drive(&mut many, WARM_UP).await?;
    let at_32 = rounds(&mut many, ROUND, ROUND * 4).await?;
    Ok(Row {
        size: component.bytes.len() as f64 / 1_024.0,
        compile,
        first,
        median,
        in_flight,
        at_32,
    })
}

/// KiB of this process's own memory for each of some sends that wait for their answer.
async fn memory(ready: &Arc<Ready>, egress: &Arc<Egress>) -> Result<f64> {
    let (_, before) = usage::resident()?;
    let (mut sends, mut scopes) = (Vec::new(), Vec::new());
    for _ in 0..FEW {
        let exit = ready.open(Transport::Live(egress.clone()));
        scopes.push(exit.scope.clone());
        let ready = ready.clone();
        sends.push(tokio::spawn(
            async move { ready.send(ready.call(exit)).await },
        ));
    }
    while !scopes.iter().all(|scope| has_asked(scope)) {
        tokio::task::yield_now().await;
    }
    let (_, busy) = usage::resident()?;
    let last = ready.open(Transport::Live(egress.clone()));
    ready.send(ready.call(last)).await?;
    for send in sends {
        send.await??;
    }
    Ok((busy as f64 - before as f64) / f64::from(FEW))
}

/// Whether a send's request has left: it waits for its answer.
pub(crate) fn has_asked(scope: &EgressScope) -> bool {
    let wire = scope.wire();
    let mut exchanges = wire.exchanges.iter();
    exchanges.any(|exchange| exchange.progress >= Progress::Complete)
}
