//! Renews data keys that have come of age, and goes on with renewals that were interrupted.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::api::App;

/// How often the keys are looked at.
const EVERY: Duration = Duration::from_secs(600);

/// Looks at the keys at the start and then every ten minutes, until `shutdown`. A renewal that `shutdown` interrupts
/// goes on at the next start.
pub(super) async fn run(app: App, age: Duration, shutdown: CancellationToken) {
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let renewing = async {
            turn.tick().await;
            app.store.renew_data_keys(app.clock.now(), age).await
        };
        let renewed = tokio::select! {
            renewed = renewing => renewed,
            () = shutdown.cancelled() => return,
        };
        match renewed {
            Ok(renewed) if renewed.data_keys > 0 => {
                let (data_keys, records) = (renewed.data_keys, renewed.records);
                tracing::info!(data_keys, records, "renewed data keys");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "data keys could not be renewed"),
        }
    }
}
