//! What a send costs: `cargo bench -p sendbox --bench send [-- --json FILE] [--only PART]`.
//!
//! | part | module | what is measured |
//! |---|---|---|
//! | `sandbox` | [`sandbox`] | a guest's call without a network, and the first send of a connector |
//! | `wire` | [`wire`] | sends over loopback: sandboxed, by the egress floor alone, and by hyper alone |
//! | `outbox` | [`outbox`] | durable accepts, and whole deliveries |
//! | `mail` | [`mail`] | mail over kept SMTP sessions, beside lettre; a signed send |
//! | `sizes` | | the components of the bundle |
//! | `neighbours` | [`neighbours`] | an ordinary tenant beside hostile guests, and what those leave in memory |
//! | `providers` | [`providers`] | a healthy tenant beside dead providers, a fallback, a backlog |
//! | `languages` | [`languages`] | one connector in five languages, from the folder that `SENDBOX_LANGUAGE_GUESTS` names |
//! | `memory` | [`memory`] | what a loaded connector and a send in flight keep resident |
//!
//! The provider, and the process whose memory is measured, are this program again with another role,
//! so that their CPU and memory are counted apart. Parts without a disk run on one core, the provider
//! on another; compare ratios within one run, not runs of two machines.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

#[path = "send/fixture.rs"]
mod fixture;
#[path = "send/house.rs"]
mod house;
#[path = "send/languages.rs"]
mod languages;
#[path = "send/load.rs"]
mod load;
#[path = "send/mail.rs"]
mod mail;
#[path = "send/memory.rs"]
mod memory;
#[path = "send/neighbours.rs"]
mod neighbours;
#[path = "send/outbox.rs"]
mod outbox;
#[path = "send/provider.rs"]
mod provider;
#[path = "send/providers.rs"]
mod providers;
#[path = "send/report.rs"]
mod report;
#[path = "send/sandbox.rs"]
mod sandbox;
#[path = "send/sink.rs"]
mod sink;
#[path = "send/usage.rs"]
mod usage;
#[path = "send/wire.rs"]
mod wire;

use report::Report;

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What this process is asked to be.
#[derive(Default)]
struct Arguments {
    role: Option<String>,
    json: Option<PathBuf>,
    only: Option<String>,
    /// Of a role.
    rest: Vec<String>,
}

impl Arguments {
    fn read() -> Result<Self> {
        let mut read = Self::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--role" => read.role = Some(value()?),
                "--json" => read.json = Some(value()?.into()),
                "--only" => read.only = Some(value()?),
                _ if read.role.is_some() => read.rest.push(argument),
                other => bail!("unknown argument {other}"),
            }
        }
        Ok(read)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments = Arguments::read()?;
    match arguments.role.as_deref() {
        None => measure(&arguments),
        Some(provider::ROLE) => provider::serve(&arguments.rest),
        Some(memory::ROLE) => memory::child(&arguments.rest),
        Some(wire::ROLE) => profile(arguments.only.as_deref()),
        Some(other) => bail!("unknown role {other}"),
    }
}

/// Sandboxed sends and nothing else, or mails with `--only mail`:
/// `perf record target/release/deps/send-… --role profile`.
fn profile(only: Option<&str>) -> Result<()> {
    let (folder, provider) = (folder()?, provider::Provider::start(true)?);
    let setting = setting(&folder, &provider);
    usage::on_one_core(|| match only {
        Some("mail") => mail::profile(&setting),
        _ => wire::profile(&setting),
    })
}

fn folder() -> Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

fn setting(folder: &tempfile::TempDir, provider: &provider::Provider) -> fixture::Setting {
    fixture::Setting {
        artifacts: folder.path().join("artifacts"),
        provider: provider.address.clone(),
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let wanted = |part| arguments.only.as_deref().is_none_or(|only| only == part);
    let mut report = Report::default();
    let (folder, provider) = (folder()?, provider::Provider::start(true)?);
    let setting = setting(&folder, &provider);
    if wanted("sandbox") {
        usage::on_one_core(|| sandbox::measure(&setting, &mut report))?;
    }
    if wanted("wire") {
        usage::on_one_core(|| wire::measure(&setting, &mut report))?;
    }
    if wanted("mail") {
        usage::on_one_core(|| mail::measure(&setting, &mut report))?;
    }
    if wanted("sizes") {
        sizes(&mut report);
    }
    if wanted("memory") {
        memory::measure(&setting, &mut report)?;
    }
    if wanted("outbox") {
        outbox::measure(&setting, folder.path(), &mut report)?;
    }
    drop(provider);
    if wanted("neighbours") {
        // One that sleeps while it has nothing to do: all cores are the server's.
        let provider = provider::Provider::start(false)?;
        neighbours::measure(&self::setting(&folder, &provider), &mut report)?;
    }
    if wanted("providers") {
        let provider = provider::Provider::start(false)?;
        let setting = self::setting(&folder, &provider);
        providers::measure(&setting, folder.path(), &mut report)?;
    }
    if wanted("languages")
        && let Some(guests) = std::env::var_os(languages::FOLDER)
    {
        let provider = provider::Provider::start(false)?;
        let setting = self::setting(&folder, &provider);
        languages::measure(&setting, guests.as_ref(), &mut report)?;
    }
    report.print();
    if let Some(path) = &arguments.json {
        std::fs::write(path, report.json()?)?;
    }
    Ok(())
}

/// Each component as it is uploaded.
fn sizes(report: &mut Report) {
    let mut table = report::Table::new("Components of the bundle", &["KiB"]);
    let mut largest: f64 = 0.0;
    for (name, component) in connector_bundle::BUNDLED {
        let size = component.len() as f64 / 1024.0;
        largest = largest.max(size);
        table.row(*name, vec![size]);
    }
    report.add(table);
    report.goal(
        "largest component (KiB)",
        largest,
        report::Bound::AtMost(300.0),
    );
}
