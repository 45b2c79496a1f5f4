//! Providers that are dead: what their messages cost a healthy tenant, how soon a fallback has said yes, and how fast a
//! backlog drains.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sendbox::attempt::MessageState;
use sendbox::delivery::{Delivery, DeliveryConfig};
use sendbox::id::TenantId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Interval;

use super::fixture::Setting;
use super::house::{House, first_attempt, message};
use super::load::{Client, micros, middle, rounds};
use super::report::{Bound, Report, Table};

/// How a provider is dead.
#[derive(Clone, Copy, Debug)]
enum Death {
    Hangs,
    Answers500,
    Resets,
    NeverEnds,
}

const DEATHS: [(&str, Death); 4] = [
    ("that hang", Death::Hangs),
    ("that are answered 500", Death::Answers500),
    ("that are reset", Death::Resets),
    ("whose answer never ends", Death::NeverEnds),
];
/// Sends to dead providers at once, of so many tenants.
const DEAD: (usize, usize) = (200, 4);
/// Between two messages of a client whose provider is dead and says so at once.
const DEAD_PACE: Duration = Duration::from_secs(1);
/// Between two messages of a client.
const PACE: Duration = Duration::from_millis(5);
const ROUND: Duration = Duration::from_secs(2);
/// Clients of the healthy tenant.
const CLIENTS: usize = 8;
/// Messages whose fallback says yes, and those that wait in a backlog.
const FALLBACKS: usize = 1_000;
const BACKLOG: usize = 10_000;
/// How long the backlog's provider takes.
const LATENCY: Duration = Duration::from_millis(5);

pub(crate) fn measure(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            beside(setting, folder, report).await?;
            fallback(setting, folder, report).await?;
            backlog(setting, folder, report).await
        })
}

/// Endpoint of a provider on loopback whose every connection goes to `serve`.
async fn provider<F, T>(serve: F) -> Result<String>
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    Ok(format!("http://{address}/send"))
}

async fn dead(death: Death) -> Result<String> {
    provider(move |mut stream| async move {
        let mut request = [0; 4096];
        while stream.read(&mut request).await? > 0 {
            match death {
                Death::Hangs => std::future::pending().await,
                Death::Answers500 => {
                    let answer = b"HTTP/1.1 500 Down\r\ncontent-length: 2\r\n\r\n{}";
                    stream.write_all(answer).await?;
                }
                Death::Resets => {
                    stream.set_zero_linger()?;
                    return Ok(());
                }
                Death::NeverEnds => {
                    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                    stream.write_all(head).await?;
                    let mut pace = tokio::time::interval(Duration::from_millis(20));
                    loop {
                        stream.write_all(b"1\r\nx\r\n").await?;
                        pace.tick().await;
                    }
                }
            }
        }
        Ok(())
    })
    .await
}

/// A tenant's client that hands messages in now and then and sees each of them sent.
struct Healthy {
    delivery: Delivery,
    tenant: TenantId,
    pace: Interval,
}

impl Healthy {
    fn new(house: &House, tenant: &TenantId) -> Self {
        Self {
            delivery: house.delivery.clone(),
            tenant: tenant.clone(),
            pace: tokio::time::interval(PACE),
        }
    }
}

impl Client for Healthy {
    async fn once(&mut self) -> Result<()> {
        let ended = first_attempt(&self.delivery, &self.tenant).await?;
        ensure!(ended.state == MessageState::Sent, "{ended:?}");
        Ok(())
    }

    async fn rest(&mut self) {
        self.pace.tick().await;
    }
}

async fn beside(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    let mut table = Table::new(
        "A healthy tenant's messages, accept to record, all cores",
        &["a second", "CPU µs", "p50 µs", "p99 µs"],
    );
    let mut worst = (0_f64, 0_f64);
    for (number, (name, death)) in DEATHS.into_iter().enumerate() {
        let path = folder.join(format!("providers-{number}.db"));
        let mut house = House::open(setting, &path, &DeliveryConfig::default()).await?;
        let plain = format!("http://{}/send", setting.provider.plain);
        let healthy = house.tenant("healthy", &[plain]).await?;
        house.run();
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|_| Healthy::new(&house, &healthy))
            .collect();
        let quiet = rounds(&mut clients, ROUND, ROUND).await?;
        let endpoint = dead(death).await?;
        let mut sending = JoinSet::new();
        let (all, tenants) = DEAD;
        for number in 0..tenants {
            let tenant = house
                .tenant(&format!("dead{number}"), std::slice::from_ref(&endpoint))
                .await?;
            for _ in 0..all / tenants {
                let (delivery, tenant) = (house.delivery.clone(), tenant.clone());
                sending.spawn(async move {
                    let mut pace = tokio::time::interval(DEAD_PACE);
                    loop {
                        // However it ends, the next one follows.
                        let _ = first_attempt(&delivery, &tenant).await;
                        pace.tick().await;
                    }
                });
            }
        }
        let busy = rounds(&mut clients, ROUND, ROUND).await?;
        sending.abort_all();
        house.close().await?;
        table.row(format!("alone, before the {all} {name}"), quiet.row());
        table.row(format!("beside {all} {name}"), busy.row());
        worst.0 = worst.0.max(busy.p50 / quiet.p50);
        worst.1 = worst.1.max(busy.p99 / quiet.p99);
    }
    report.add(table);
    let (median, p99) = worst;
    report.goal(
        "beside dead providers: median, times the quiet one",
        median,
        Bound::AtMost(1.5),
    );
    report.goal(
        "beside dead providers: p99, times the quiet one",
        p99,
        Bound::AtMost(2.0),
    );
    Ok(())
}

async fn fallback(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    let path = folder.join("providers-fallback.db");
    let mut house = House::open(setting, &path, &DeliveryConfig::default()).await?;
    house.run();
    let plain = || format!("http://{}/send", setting.provider.plain);
    let healthy = house.tenant("healthy", &[plain()]).await?;
    let behind = [dead(Death::Answers500).await?, plain()];
    let behind = house.tenant("behind", &behind).await?;
    // Until its circuit is open.
    for _ in 0..20 {
        first_attempt(&house.delivery, &behind).await?;
    }
    let (mut direct, mut second) = (Vec::new(), Vec::new());
    for _ in 0..FALLBACKS {
        for (tenant, times) in [(&healthy, &mut direct), (&behind, &mut second)] {
            let began = Instant::now();
            let ended = first_attempt(&house.delivery, tenant).await?;
            // One message tries the first now and then.
            if ended.state == MessageState::Sent {
                times.push(micros(began.elapsed()));
            }
        }
    }
    house.close().await?;
    let (direct, second) = (middle(direct), middle(second));
    let mut table = Table::new("Until a provider's yes is recorded (µs)", &["p50"]);
    table.row("a route whose provider is healthy", vec![direct]);
    table.row("a route whose first provider is down", vec![second]);
    report.add(table);
    report.goal(
        "fallback: median, times that of a healthy route",
        second / direct,
        Bound::AtMost(1.2),
    );
    Ok(())
}

async fn backlog(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    let slow = provider(|mut stream| async move {
        let mut request = [0; 4096];
        while stream.read(&mut request).await? > 0 {
            tokio::time::sleep_until(tokio::time::Instant::now() + LATENCY).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer).await?;
        }
        Ok(())
    })
    .await?;
    let config = DeliveryConfig::default();
    let path = folder.join("providers-backlog.db");
    let mut house = House::open(setting, &path, &config).await?;
    let tenant = house.tenant("acme", &[slow]).await?;
    let mut accepting = JoinSet::new();
    for _ in 0..64 {
        let (store, tenant) = (house.store.clone(), tenant.clone());
        accepting.spawn(async move {
            for _ in 0..BACKLOG.div_ceil(64) {
                store.accept(&message(&tenant)?, None).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = accepting.join_next().await {
        done??;
    }
    let began = Instant::now();
    house.run();
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !house.store.outbox().await?.is_empty() {
        look.tick().await;
    }
    let drained = BACKLOG as f64 / began.elapsed().as_secs_f64();
    // The same places, each taken by a caller.
    let began = Instant::now();
    let mut direct = JoinSet::new();
    for _ in 0..config.tenant_concurrency {
        let (delivery, tenant) = (house.delivery.clone(), tenant.clone());
        let each = BACKLOG.div_ceil(config.tenant_concurrency);
        direct.spawn(async move {
            for _ in 0..each {
                first_attempt(&delivery, &tenant).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = direct.join_next().await {
        done??;
    }
    let direct = BACKLOG as f64 / began.elapsed().as_secs_f64();
    house.close().await?;
    let mut table = Table::new(
        "10,000 messages at 5 ms, accepted before and handed in",
        &["a second"],
    );
    table.row("a backlog", vec![drained]);
    table.row("handed in one by one, the accept included", vec![direct]);
    report.add(table);
    report.goal(
        "backlog: rate, times that of messages handed in",
        drained / direct,
        Bound::AtLeast(1.0),
    );
    Ok(())
}
