//! One call of a guest: a fresh store, limits and a deadline, and an end in every case.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::ConnectorRuntime;
use super::background::Moved;
use super::bindings::{ConnectorPre, types};
use super::catalog::LoadedConnector;
use super::class::ConnectorClass;
use super::clock::GuestClock;
use super::convert;
use super::error::ConnectorError;
use super::host_log::Log;
use super::memory::Need;
use super::meter::{Meter, Used};
use super::state::{self, CallParts, State};
use crate::egress::EgressScope;
use crate::id::{SourceName, TenantId};
use crate::limits::{Limit, Limits};
use crate::message::{Content, OutgoingMessage};
use crate::outcome::{Failure, Receipt, WireRecord};
use crate::redaction::Redaction;
use crate::settings::Placeholders;

/// How long after the deadline a guest may stay asleep in a host call that does not know the deadline.
/// After that its store is dropped with everything in it.
const GRACE: Duration = Duration::from_millis(250);

/// CPU and wall clock of `describe`.
const DESCRIBE: Duration = Duration::from_secs(2);

/// One send. It has no `Debug`: settings and message are nobody's business.
pub struct Call {
    /// The settings' text, a placeholder in place of each secret.
    pub settings: String,
    /// The message.
    pub message: OutgoingMessage,
    /// The message before another guest composed it: recipient, code and link are redacted by it.
    pub original: Option<OutgoingMessage>,
    /// This send's way out.
    pub egress: Arc<EgressScope>,
    /// The placeholders in `settings`: what keys are made of, and what is redacted from the guest's words.
    pub placeholders: Placeholders,
    /// Its limits.
    pub limits: Arc<Limits>,
    /// When it ends, whatever the guest does.
    pub deadline: Instant,
    /// What the guest takes for time and chance.
    pub clock: GuestClock,
}

/// What came of a call.
#[derive(Debug)]
pub struct CallReport {
    /// The guest's answer; or the host's failure with a code such as `limit.cpu` or `connector.trap`.
    pub result: Result<Receipt, Failure>,
    /// Whether it is that of the secrets which the last rotation replaced, after the newest were refused.
    pub earlier_secrets: bool,
    /// What the guest handed over for the operator's integration to send.
    pub handover: Option<Content>,
    /// What the host saw on the wire.
    pub wire: WireRecord,
    /// The source that the send left by, or would have left by.
    pub source: Option<SourceName>,
    /// The guest's words, capped and redacted.
    pub log: Vec<String>,
    /// Limits that it met and that did not end it.
    pub met: Vec<Limit>,
    /// From the call to its end, waiting for a slot included.
    pub duration: Duration,
    /// Whether the guest was ended against its will.
    pub trapped: bool,
    /// What the guest used of its limits.
    pub used: Used,
}

/// Runs one send. Await it to its end: a caller that drops it gives up the wire record with it.
pub(super) async fn send(
    runtime: &ConnectorRuntime,
    connector: &LoadedConnector,
    mut call: Call,
) -> CallReport {
    let started = Instant::now();
    let private = call.original.as_ref().unwrap_or(&call.message);
    let redaction = Redaction::of(call.placeholders.clone(), private);
    let log = Log::new(Arc::clone(&call.limits), redaction.clone());
    let meter = Arc::new(Meter::default());
    let answer = answer_of(runtime, connector, &mut call, log.clone(), &meter).await;
    let (wire, source) = (call.egress.wire(), call.egress.source());
    let (answer, handover) = match answer {
        Ok((answer, handover)) => (Ok(answer), handover),
        Err(error) => (Err(error.after(log.last_words())), None),
    };
    if let Err(ConnectorError::Trap { functions, .. }) = &answer {
        for function in functions {
            log.add("trap", &format!("in {function}"));
        }
    }
    let answer = answer.and_then(|answer| convert::result(answer, &call.limits, &redaction));
    // Whatever the guest makes of it, by whichever import it asked.
    let answer = match answer {
        Ok(Err(_)) if call.egress.held_back() => Err(ConnectorError::NotArmed),
        answer => answer,
    };
    let (log, met) = log.take();
    let trapped = answer.as_ref().is_err_and(ConnectorError::trapped);
    CallReport {
        result: answer.unwrap_or_else(|error| Err(error.failure(wire.completed()))),
        earlier_secrets: false,
        handover,
        wire,
        source,
        log,
        met,
        duration: started.elapsed(),
        trapped,
        used: meter.used(),
    }
}

type Answer = Result<types::Receipt, types::Failure>;

async fn answer_of(
    runtime: &ConnectorRuntime,
    connector: &LoadedConnector,
    call: &mut Call,
    log: Log,
    meter: &Arc<Meter>,
) -> Result<(Answer, Option<Content>), ConnectorError> {
    let pool = runtime.pools.of(connector.class);
    let (tenant, need) = (Some(call.egress.tenant()), &connector.need);
    // Memory first: a slot is not held by who waits for it.
    let lease = runtime
        .memory
        .lease(tenant, connector.class, need, call.deadline)
        .await?;
    let _turn = pool.turn(tenant, need.memories, call.deadline).await?;
    let (in_flight, mut landed) = mpsc::channel(1);
    let parts = CallParts {
        egress: Some(Arc::clone(&call.egress)),
        log,
        placeholders: call.placeholders.clone(),
        limits: Arc::clone(&call.limits),
        deadline: call.deadline,
        clock: call.clock.clone(),
        meter: Arc::clone(meter),
        lease,
        in_flight,
    };
    let (settings, message) = (
        std::mem::take(&mut call.settings),
        convert::message(call.message.clone()),
    );
    let pre = connector.pre().clone();
    let mut store = state::store(&pool.engine, parts);
    let moved = store.data().moved();
    let guest = async move {
        let guest = pre.instantiate_async(&mut store).await?;
        let exports = guest.sendbox_connector_send_message();
        let answer = exports.call_send(&mut store, &settings, &message).await?;
        Ok((answer, store.data_mut().handover.take()))
    };
    let answer = run(
        runtime,
        tenant,
        &moved,
        meter,
        &call.limits,
        call.deadline,
        guest,
    )
    .await;
    // The store is gone, and with it the guest's last hold on any request. Those still under way are
    // being aborted: wait until each has left its mark on the wire record.
    while landed.recv().await.is_some() {}
    if answer.is_ok() {
        need.took(meter.used().memory);
    }
    answer
}

/// The clock that a connector is described under.
pub(super) const fn still() -> GuestClock {
    GuestClock::Frozen {
        now_ms: 0,
        random: bytes::Bytes::new(),
    }
}

/// Asks for the connector's description, with no capability granted.
pub(super) async fn describe(
    runtime: &ConnectorRuntime,
    class: ConnectorClass,
    need: &Need,
    connector: &ConnectorPre<State>,
    clock: GuestClock,
) -> Result<types::ConnectorInfo, ConnectorError> {
    let limits = Arc::new(Limits {
        cpu_ms: u64::try_from(DESCRIBE.as_millis()).unwrap_or(u64::MAX),
        wall_ms: u64::try_from(DESCRIBE.as_millis()).unwrap_or(u64::MAX),
        ..Limits::default()
    });
    let deadline = Instant::now() + DESCRIBE;
    let pool = runtime.pools.of(class);
    let lease = runtime.memory.lease(None, class, need, deadline).await?;
    let _turn = pool.turn(None, need.memories, deadline).await?;
    let (in_flight, _landed) = mpsc::channel(1);
    let log = Log::new(Arc::clone(&limits), Redaction::none());
    let meter = Arc::new(Meter::default());
    let parts = CallParts {
        egress: None,
        log: log.clone(),
        placeholders: Placeholders::none(),
        limits: Arc::clone(&limits),
        deadline,
        clock,
        meter: Arc::clone(&meter),
        lease,
        in_flight,
    };
    let (pre, mut store) = (connector.clone(), state::store(&pool.engine, parts));
    let moved = store.data().moved();
    let guest = async move {
        let guest = pre.instantiate_async(&mut store).await?;
        let exports = guest.sendbox_connector_send_message();
        let answer = exports.call_describe(&mut store).await;
        store.data().called()?;
        answer
    };
    let answer = run(runtime, None, &moved, &meter, &limits, deadline, guest).await;
    answer.map_err(|error| error.after(log.last_words()))
}

/// Runs a guest, start functions included, until it answers, traps or is too late. `guest` owns its store:
/// whatever is left of one that slept through its deadline goes with it, before anyone else could touch it.
async fn run<T: Send + 'static>(
    runtime: &ConnectorRuntime,
    tenant: Option<&TenantId>,
    moved: &Moved,
    meter: &Arc<Meter>,
    limits: &Limits,
    deadline: Instant,
    guest: impl Future<Output = wasmtime::Result<T>> + Send + 'static,
) -> Result<T, ConnectorError> {
    let guest = contained(Box::pin(guest));
    let guest = runtime.background.run(tenant, moved, meter, guest);
    match timeout_at(deadline + GRACE, guest).await {
        Ok(Some(Some(Ok(answer)))) => Ok(answer),
        Ok(Some(Some(Err(error)))) => Err(ConnectorError::of(error, limits)),
        Ok(Some(None) | None) => Err(ConnectorError::HostPanic),
        Err(_) => Err(ConnectorError::wall(limits)),
    }
}

/// The output of `future`, or none if it panicked: one host defect is one failed send. In a box of its own, because
/// each wrapper around a future by value makes room for it twice.
fn contained<T>(
    mut future: Pin<Box<impl Future<Output = T>>>,
) -> impl Future<Output = Option<T>> + Unpin {
    std::future::poll_fn(move |context| {
        // The state that a panic may leave broken is this send's alone, and is dropped with it.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
}
