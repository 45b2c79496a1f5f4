//! What one call of a guest owns: its WASI context, its limits, its way out and its log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::background::Moved;
use super::clock::{self, GuestClock};
use super::engine::TICK_MS;
use super::error::ConnectorError;
use super::host_handover::Handover;
use super::host_log::{Log, STDERR};
use super::host_wasi_http::Outgoing;
use super::limits::SumLimiter;
use super::memory::{Kept, Lease};
use super::meter::Meter;
use super::streams::LineStream;
use crate::egress::EgressScope;
use crate::limits::Limits;
use crate::settings::Placeholders;

/// Component handles that a guest may hold; each of its own resources counts too.
const HANDLES: usize = 1_000;
/// Memory that one set of wasi:http header fields may take, its overhead included.
const FIELDS_MEMORY: usize = 64 << 10;

/// Ticks after which a guest computes for long: one may be the tick that every call can run into.
const LONG: u64 = 3;

/// The data of one store. Nothing in it outlives the call.
pub(super) struct State {
    pub(super) table: ResourceTable,
    pub(super) limits: Arc<Limits>,
    pub(super) deadline: Instant,
    pub(super) egress: Option<Arc<EgressScope>>,
    pub(super) log: Log,
    pub(super) placeholders: Placeholders,
    pub(super) signatures_left: u32,
    pub(super) handover: Handover,
    pub(super) kept: Kept,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    limiter: SumLimiter,
    ticks: u64,
    moved: Moved,
    meter: Arc<Meter>,
}

/// What a call is made of.
pub(super) struct CallParts {
    /// None: every capability is denied.
    pub(super) egress: Option<Arc<EgressScope>>,
    pub(super) log: Log,
    /// The placeholders that keys are made of.
    pub(super) placeholders: Placeholders,
    pub(super) limits: Arc<Limits>,
    pub(super) deadline: Instant,
    pub(super) clock: GuestClock,
    /// What it uses, read after its end.
    pub(super) meter: Arc<Meter>,
    /// The memory that it may take.
    pub(super) lease: Lease,
    /// A copy of it goes with every request under way; when all are gone, none is.
    pub(super) in_flight: mpsc::Sender<()>,
}

/// A fresh store under `parts.limits`.
pub(super) fn store(engine: &Engine, parts: CallParts) -> Store<State> {
    let limits = Arc::clone(&parts.limits);
    let mut store = Store::new(engine, State::new(parts));
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(limits.hostcall_bytes);
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let state = context.data_mut();
        state.spend_tick()?;
        // Others run while this guest waits for its next turn.
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(tokio::task::yield_now()),
        ))
    });
    store
}

impl State {
    fn new(parts: CallParts) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(parts.limits.resources);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_MEMORY);
        let mut wasi = WasiCtx::builder();
        wasi.allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(parts.limits.random_bytes)
            .stdout(LineStream::new("stdout", parts.log.clone()))
            .stderr(LineStream::new(STDERR, parts.log.clone()));
        clock::set(&mut wasi, parts.clock);
        Self {
            table,
            deadline: parts.deadline,
            log: parts.log,
            placeholders: parts.placeholders,
            signatures_left: parts.limits.signatures,
            handover: Handover::default(),
            kept: parts.lease.kept(),
            wasi: wasi.build(),
            http,
            outgoing: Outgoing {
                egress: parts.egress.clone(),
                limits: Arc::clone(&parts.limits),
                kept: parts.lease.kept(),
                meter: Arc::clone(&parts.meter),
                in_flight: parts.in_flight,
                refused: false,
            },
            egress: parts.egress,
            limiter: SumLimiter::new(&parts.limits, Arc::clone(&parts.meter), parts.lease),
            ticks: 0,
            moved: Moved::default(),
            meter: parts.meter,
            limits: parts.limits,
        }
    }

    /// Called at each tick that a guest runs into. A tick that passed while the guest waited in a host call counts
    /// once, however long that took; what a host call computes counts by the processor's clock.
    fn spend_tick(&mut self) -> Result<(), ConnectorError> {
        if Instant::now() >= self.deadline {
            return Err(ConnectorError::wall(&self.limits));
        }
        let allowed = Duration::from_millis(self.limits.cpu_ms);
        if self.ticks >= self.limits.cpu_ms.div_ceil(TICK_MS) || self.meter.spent_now() > allowed {
            return Err(ConnectorError::cpu(&self.limits));
        }
        self.ticks += 1;
        self.meter.set_ticks(self.ticks);
        if self.ticks >= LONG {
            self.moved.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The way out of a guest that calls `import`.
    ///
    /// # Errors
    /// [`ConnectorError::CalledInDescribe`], which ends it, where nothing is granted.
    pub(super) fn granted(&self, import: &'static str) -> Result<Arc<EgressScope>, ConnectorError> {
        let granted = self.egress.clone();
        granted.ok_or(ConnectorError::CalledInDescribe(import))
    }

    /// The import that was called where nothing is granted, and whose own error the guest was told.
    pub(super) fn called(&self) -> Result<(), ConnectorError> {
        match self.outgoing.refused {
            true => Err(ConnectorError::CalledInDescribe(
                "wasi:http/outgoing-handler",
            )),
            false => Ok(()),
        }
    }

    /// Set once the guest has computed for long.
    pub(super) fn moved(&self) -> Moved {
        Arc::clone(&self.moved)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outgoing,
        }
    }
}
