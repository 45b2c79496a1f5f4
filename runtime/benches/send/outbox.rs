//! Durable accepts, and whole deliveries from the accept to the record of the attempt.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sendbox::attempt::MessageState;
use sendbox::delivery::{Delivery, DeliveryConfig};
use sendbox::id::TenantId;
use sendbox::store::{Accepted, Store};

use super::fixture::Setting;
use super::house::{House, first_attempt, message};
use super::load::{Client, micros, middle, rounds};
use super::report::{Bound, Report, Table};

const ROUND: Duration = Duration::from_millis(1500);
const WARM_UP: Duration = Duration::from_millis(200);

pub(crate) fn measure(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    let mut table = Table::new("The disk (µs)", &["p50"]);
    table.row("fdatasync after 4 KiB over old ones", vec![sync(folder)?]);
    report.add(table);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            accepts(folder, report).await?;
            deliveries(setting, folder, report).await
        })
}

/// The floor under every commit.
fn sync(folder: &Path) -> Result<f64> {
    let mut file = std::fs::File::create(folder.join("sync"))?;
    file.write_all(&[0; 64 << 10])?;
    file.sync_all()?;
    let mut times = Vec::new();
    for number in 0..400_u64 {
        let started = Instant::now();
        file.seek(SeekFrom::Start(number % 16 * 4096))?;
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(micros(started.elapsed()));
    }
    Ok(middle(times))
}

const COLUMNS: &[&str] = &["a second", "CPU µs", "p50 µs", "p99 µs"];

async fn accepts(folder: &Path, report: &mut Report) -> Result<()> {
    let mut table = Table::new("Durable accepts, all cores", COLUMNS);
    for clients in [1, 32, 256] {
        let path = folder.join(format!("accepts-{clients}.db"));
        let store = Store::open(&path, Setting::ring()?).await?;
        let client = || Accepting(store.clone());
        let mut clients_at_once: Vec<_> = (0..clients).map(|_| client()).collect();
        let figures = rounds(&mut clients_at_once, WARM_UP, ROUND).await?;
        store.close().await;
        let per_second = figures.per_second;
        table.row(format!("{clients} clients"), figures.row());
        if clients == 256 {
            report.goal(
                "durable accepts with 256 clients, a second",
                per_second,
                Bound::AtLeast(11_000.0),
            );
        }
    }
    report.add(table);
    Ok(())
}

struct Accepting(Store);

impl Client for Accepting {
    async fn once(&mut self) -> Result<()> {
        let accepted = self.0.accept(&message(&tenant()?)?, None).await?;
        ensure!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
        Ok(())
    }
}

fn tenant() -> Result<TenantId> {
    Ok("acme".parse()?)
}

async fn deliveries(setting: &Setting, folder: &Path, report: &mut Report) -> Result<()> {
    let config = DeliveryConfig {
        tenant_concurrency: 256,
        ..DeliveryConfig::default()
    };
    let mut house = House::open(setting, &folder.join("deliveries.db"), &config).await?;
    let endpoint = format!("http://{}/send", setting.provider.plain);
    house.tenant("acme", &[endpoint]).await?;
    house.run();
    let mut table = Table::new(
        "Whole deliveries (accept, arm, send, record), all cores",
        COLUMNS,
    );
    for clients in [32, 256] {
        let client = || Delivering(house.delivery.clone());
        let mut clients_at_once: Vec<_> = (0..clients).map(|_| client()).collect();
        let figures = rounds(&mut clients_at_once, WARM_UP, ROUND).await?;
        table.row(format!("{clients} in flight"), figures.row());
    }
    report.add(table);
    house.close().await
}

struct Delivering(Delivery);

impl Client for Delivering {
    async fn once(&mut self) -> Result<()> {
        let ended = first_attempt(&self.0, &tenant()?).await?;
        ensure!(ended.state == MessageState::Sent, "{ended:?}");
        Ok(())
    }
}
