//! Deletes finished messages, and forgets what is remembered for a time only, when that is over.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::api::App;

/// How often the store is looked through.
const EVERY: Duration = Duration::from_secs(600);

/// Looks through the store at the start and then every ten minutes, until `shutdown`, and lets it note that time
/// has passed. No message is deleted where `keep` is zero; what was remembered for a time goes all the same.
pub(super) async fn run(app: App, keep: Duration, shutdown: CancellationToken) {
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turn.tick() => {}
            () = shutdown.cancelled() => return,
        }
        if let Err(error) = app.store.mark().await {
            tracing::warn!(%error, "a restored backup of this hour would not be noticed");
        }
        let now = app.clock.now();
        if let Err(error) = app.store.forget_idempotency_keys(now).await {
            tracing::warn!(%error, "idempotency keys could not be forgotten");
        }
        if let Err(error) = app.store.forget_spent(now).await {
            tracing::warn!(%error, "what limits have given could not be forgotten");
        }
        if keep.is_zero() {
            continue;
        }
        match app.store.purge(now, keep).await {
            Ok(0) => {}
            Ok(messages) => tracing::info!(messages, "deleted finished messages"),
            Err(error) => tracing::warn!(%error, "finished messages could not be deleted"),
        }
    }
}
