//! What a loaded connector and a send in flight keep resident, in a process that does nothing else.

use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use sendbox::egress::Transport;
use serde::{Deserialize, Serialize};

use super::fixture::{self, Component, Ready, Setting};
use super::languages::has_asked;
use super::provider::{Address, HELD, HOLD_PATH};
use super::report::{Bound, Report, Table};
use super::usage;

/// This process's role when its memory is measured.
pub(crate) const ROLE: &str = "memory";

/// Connectors that are loaded, one after another.
const LOADED: u16 = 24;

/// KiB that are resident, and of these those that no other process could share.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Resident {
    all: f64,
    own: f64,
}

impl Resident {
    fn now() -> Result<Self> {
        let (all, own) = usage::resident()?;
        Ok(Self {
            all: all as f64,
            own: own as f64,
        })
    }

    /// The rise from `before` to `self` for each of `count`.
    fn rise(self, before: Self, count: u16) -> Self {
        Self {
            all: (self.all - before.all) / f64::from(count),
            own: (self.own - before.own) / f64::from(count),
        }
    }

    fn row(self) -> Vec<f64> {
        vec![self.all, self.own]
    }
}

#[derive(Serialize, Deserialize)]
struct Measured {
    connector: Resident,
    in_flight: Resident,
    end: Resident,
}

pub(crate) fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    // Compiled here, so that the child loads artifacts and nothing else.
    runtime()?.block_on(async {
        let runtime = setting.engine()?;
        for component in variants()? {
            component.load(&runtime).await?;
        }
        anyhow::Ok(())
    })?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--role", ROLE])
        .arg(&setting.artifacts)
        .arg(serde_json::to_string(&setting.provider)?)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the measured process failed");
    let measured: Measured = serde_json::from_slice(&output.stdout)?;
    let mut table = Table::new("Resident memory (KiB)", &["all", "not shared"]);
    table.row("a loaded connector", measured.connector.row());
    table.row(
        format!("a send in flight, {HELD} at once"),
        measured.in_flight.row(),
    );
    table.row("the process after that", measured.end.row());
    report.add(table);
    report.goal(
        "resident for a loaded connector (KiB)",
        measured.connector.all,
        Bound::AtMost(1024.0),
    );
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?)
}

/// The same connector with different digests: a custom section tells one from another.
fn variants() -> Result<Vec<Component>> {
    let original = Component::bundled("http-email")?;
    (0..LOADED)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            // Section 0 of four bytes: a name of one byte, and two bytes more.
            let section = [0, 4, 1, b'n', high, low];
            Ok(Component::new(Bytes::from(
                [original.bytes.as_ref(), &section].concat(),
            )))
        })
        .collect()
}

/// The measured process: its arguments are the folder of artifacts and the provider's address.
pub(crate) fn child(arguments: &[String]) -> Result<()> {
    let [artifacts, provider] = arguments else {
        anyhow::bail!("the measured process needs two arguments");
    };
    let provider: Address = serde_json::from_str(provider)?;
    let setting = Setting {
        artifacts: artifacts.into(),
        provider,
    };
    let measured = runtime()?.block_on(watch(&setting))?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

async fn watch(setting: &Setting) -> Result<Measured> {
    let (runtime, egress) = (setting.engine()?, setting.egress()?);
    let settings = fixture::http_email(&format!("http://{}{HOLD_PATH}", setting.provider.plain));
    let mut variants = variants()?.into_iter();
    // The first one brings in code that all share.
    let first = variants.next().context("no connector to load")?;
    let ready = Ready::new(&runtime, &egress, &first, settings).await?;
    let empty = Resident::now()?;
    let mut kept = Vec::new();
    for component in variants {
        kept.push(component.load(&runtime).await?);
    }
    let loaded = Resident::now()?;
    let ready = Arc::new(ready);
    let (mut sends, mut scopes) = (Vec::new(), Vec::new());
    for _ in 0..HELD {
        let (ready, exit) = (ready.clone(), ready.open(Transport::Live(egress.clone())));
        scopes.push(exit.scope.clone());
        sends.push(tokio::spawn(
            async move { ready.send(ready.call(exit)).await },
        ));
    }
    while !scopes.iter().all(|scope| has_asked(scope)) {
        tokio::task::yield_now().await;
    }
    let busy = Resident::now()?;
    let last = ready.open(Transport::Live(egress));
    ready.send(ready.call(last)).await?;
    for send in sends {
        send.await??;
    }
    Ok(Measured {
        connector: loaded.rise(empty, LOADED - 1),
        in_flight: busy.rise(loaded, HELD),
        end: Resident::now()?,
    })
}
