//! A guest's call without a network, and the first call of a connector that is not in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use sendbox::egress::{Answer, Capture, Transport};
use serde_json::Value;

use super::fixture::{self, Component, Ready, Setting};
use super::load::{micros, middle};
use super::report::{Bound, Report, Table};

const CALLS: usize = 4_000;
const WARM_UP: usize = 500;
/// Processes of the past would have been this often started anew.
const STARTS: usize = 15;

pub(crate) fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            calls(setting, report).await?;
            starts(setting, report).await
        })
}

/// A transport that answers one request at once.
fn answer() -> Transport {
    Transport::Capture(Arc::new(Capture::new(vec![Answer::Response {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Bytes::from_static(br#"{"ErrorCode":0,"MessageID":"b7bc2f4a","Message":"OK"}"#),
    }])))
}

async fn calls(setting: &Setting, report: &mut Report) -> Result<()> {
    let (runtime, egress) = (setting.engine()?, setting.egress()?);
    let mut table = Table::new("A call, without a network (µs)", &["p50", "p99"]);
    let mut worst: f64 = 0.0;
    for (name, settings) in connectors() {
        let component = Component::bundled(name)?;
        let ready = Ready::new(&runtime, &egress, &component, settings).await?;
        let (mut refused, mut sent) = (Vec::new(), Vec::new());
        for _ in 0..WARM_UP + CALLS {
            let call = ready.call(ready.open(answer()));
            let started = Instant::now();
            ready.refuse(call).await?;
            refused.push(started.elapsed());
            let call = ready.call(ready.open(answer()));
            let started = Instant::now();
            ready.send(call).await?;
            sent.push(started.elapsed());
        }
        table.row(
            format!("{name}: instantiate, refuse, drop"),
            quantiles(&mut refused),
        );
        let figures = quantiles(&mut sent);
        worst = worst.max(figures.first().copied().unwrap_or(f64::NAN));
        table.row(format!("{name}: with one host call"), figures);
    }
    report.add(table);
    report.goal(
        "instantiate, call, one host call, drop (µs, worst connector)",
        worst,
        Bound::AtMost(30.0),
    );
    Ok(())
}

fn connectors() -> [(&'static str, Value); 2] {
    [
        (
            "http-email",
            fixture::http_email("https://hooks.example.com/send"),
        ),
        ("postmark", fixture::postmark()),
    ]
}

fn quantiles(times: &mut Vec<Duration>) -> Vec<f64> {
    times.drain(..WARM_UP.min(times.len()));
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied();
    [50, 99]
        .map(|share| micros(at(share).unwrap_or_default()))
        .to_vec()
}

/// Each start is a new engine over the same artifacts, busy with another connector before.
async fn starts(setting: &Setting, report: &mut Report) -> Result<()> {
    let egress = setting.egress()?;
    let (subject, other) = (
        Component::bundled("http-email")?,
        Component::bundled("postmark")?,
    );
    let settings = fixture::http_email("https://hooks.example.com/send");
    let (mut first, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let runtime = setting.engine()?;
        let other = Ready::new(&runtime, &egress, &other, fixture::postmark()).await?;
        for _ in 0..20 {
            other.send(other.call(other.open(answer()))).await?;
        }
        let started = Instant::now();
        let ready = Ready::new(&runtime, &egress, &subject, settings.clone()).await?;
        ready.send(ready.call(ready.open(answer()))).await?;
        first.push(micros(started.elapsed()));
        for _ in 0..20 {
            let started = Instant::now();
            ready.send(ready.call(ready.open(answer()))).await?;
            warm.push(micros(started.elapsed()));
        }
    }
    let (first, warm) = (middle(first), middle(warm));
    let mut table = Table::new("The first send of a connector (µs)", &["p50"]);
    table.row("artifact on disk: load and send", vec![first]);
    table.row("in memory: send", vec![warm]);
    report.add(table);
    report.goal(
        "first send from an artifact, over a warm one (ms)",
        (first - warm) / 1000.0,
        Bound::AtMost(2.0),
    );
    Ok(())
}
