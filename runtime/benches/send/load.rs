//! Load: some clients, each with one request at a time, for a while.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use super::usage;

/// One of the clients of a load.
pub(crate) trait Client: Send + Sized + 'static {
    /// One request and its answer.
    fn once(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// What it does before the next, at no time's cost.
    fn rest(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What a load measured. Times are microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    /// User and system time of this process for one request.
    pub(crate) cpu: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Figures {
    /// In the order of the fields.
    pub(crate) fn row(self) -> Vec<f64> {
        vec![self.per_second, self.cpu, self.p50, self.p99]
    }
}

/// Lets every client work for `length`. Clients keep what they opened for the next load.
pub(crate) async fn drive<C: Client>(clients: &mut Vec<C>, length: Duration) -> Result<Figures> {
    let (started, used) = (Instant::now(), usage::cpu()?);
    let end = started + length;
    let working: Vec<_> = std::mem::take(clients)
        .into_iter()
        .map(|client| tokio::spawn(work(client, end)))
        .collect();
    let mut times = Vec::new();
    for worker in working {
        let (client, own) = worker.await??;
        clients.push(client);
        times.extend(own);
    }
    let (elapsed, used) = (started.elapsed(), usage::cpu()?.saturating_sub(used));
    ensure!(!times.is_empty(), "nothing was done in {length:?}");
    let count = times.len() as f64;
    times.sort_unstable();
    Ok(Figures {
        per_second: count / elapsed.as_secs_f64(),
        cpu: micros(used) / count,
        p50: micros(quantile(&times, 0.50)),
        p99: micros(quantile(&times, 0.99)),
    })
}

async fn work<C: Client>(mut client: C, end: Instant) -> Result<(C, Vec<Duration>)> {
    let mut times = Vec::new();
    loop {
        let started = Instant::now();
        if started >= end {
            return Ok((client, times));
        }
        client.once().await?;
        times.push(started.elapsed());
        client.rest().await;
    }
}

/// Of sorted times.
fn quantile(times: &[Duration], share: f64) -> Duration {
    let last = times.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    times.get(at).copied().unwrap_or_default()
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Rounds of one load.
const ROUNDS: usize = 3;

/// Lets every client work for `warm_up`, and then for some rounds of `length`: the median of these.
pub(crate) async fn rounds<C: Client>(
    clients: &mut Vec<C>,
    warm_up: Duration,
    length: Duration,
) -> Result<Figures> {
    drive(clients, warm_up).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(drive(clients, length).await?);
    }
    Ok(median(&rounds))
}

/// The median of each figure over several rounds.
pub(crate) fn median(rounds: &[Figures]) -> Figures {
    let of = |field: fn(&Figures) -> f64| middle(rounds.iter().map(field).collect());
    Figures {
        per_second: of(|round| round.per_second),
        cpu: of(|round| round.cpu),
        p50: of(|round| round.p50),
        p99: of(|round| round.p99),
    }
}

/// The median of numbers.
pub(crate) fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
