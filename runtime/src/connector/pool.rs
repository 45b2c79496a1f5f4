//! The pools that instances come from, one for each class of connectors: an engine, what is linked in it, and
//! turns for its slots.

use std::sync::Arc;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use tokio::time::Instant;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use super::class::ConnectorClass;
use super::engine::{self, EngineConfig};
use super::error::ConnectorError;
use super::fair::{Fair, Share};
use super::memory::{Memory, Slots};
use super::{bindings, host_io, host_wasi_types, state};
use crate::id::TenantId;
use crate::limits::Limit;

/// One pool. A component, its linker and its stores are of the same one.
pub(super) struct Pool {
    pub(super) engine: Engine,
    pub(super) linker: Linker<state::State>,
    turns: Arc<Fair>,
}

/// All pools of a process.
pub(super) struct Pools {
    small: Pool,
    large: Pool,
}

impl Pools {
    /// Starts one for each class, with the slots that `memory` has room for.
    pub(super) fn start(config: &EngineConfig, memory: &Memory) -> Result<Self, ConnectorError> {
        let start = |class| Pool::start(config, class, memory.slots(class));
        Ok(Self {
            small: start(ConnectorClass::Small)?,
            large: start(ConnectorClass::Large)?,
        })
    }

    pub(super) const fn of(&self, class: ConnectorClass) -> &Pool {
        match class {
            ConnectorClass::Small => &self.small,
            ConnectorClass::Large => &self.large,
        }
    }
}

impl Pool {
    fn start(
        config: &EngineConfig,
        class: ConnectorClass,
        slots: Slots,
    ) -> Result<Self, ConnectorError> {
        let engine = engine::start(config, class, slots)
            .map_err(|error| with_address_space(error, class, slots))?;
        let linker = link(&engine).map_err(ConnectorError::engine)?;
        Ok(Self {
            engine,
            linker,
            turns: Fair::new(u64::from(slots.count.max(1)), 1),
        })
    }

    /// A turn for a guest of `tenant` with so many memories: a slot for each of them. First come, first served,
    /// but that a tenant with its share of the slots lets others pass.
    pub(super) async fn turn(
        &self,
        tenant: Option<&TenantId>,
        memories: u32,
        deadline: Instant,
    ) -> Result<Share, ConnectorError> {
        let slots = u64::from(memories).clamp(1, self.turns.all());
        let turn = self.turns.take(tenant, slots, deadline).await;
        turn.ok_or_else(|| ConnectorError::Limit {
            limit: Limit::Concurrency,
            detail: "too many sends are under way: no slot became free in time".to_owned(),
        })
    }
}

/// Everything that a guest can import: the contract, WASI 0.2, and wasi:http by way of the egress floor.
fn link(engine: &Engine) -> wasmtime::Result<Linker<state::State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    host_io::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    host_wasi_types::add_to_linker(&mut linker)?;
    bindings::Connector::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}
/// Where the process may not reserve what slots need, its limit is at fault, which no word of the system says.
fn with_address_space(
    error: ConnectorError,
    class: ConnectorClass,
    slots: Slots,
) -> ConnectorError {
    let limit = getrlimit(Resource::RLIMIT_AS).map_or(RLIM_INFINITY, |(soft, _)| soft);
    let words = match error {
        ConnectorError::Engine(words) if limit != RLIM_INFINITY => words,
        error => return error,
    };
    let key = match class {
        ConnectorClass::Small => "engine.pool_slots",
        ConnectorClass::Large => "engine.large_pool_slots",
    };
    ConnectorError::Engine(format!(
        "{words}. The process may use {limit} bytes of address space, and {count} slots reserve more, most of which is never \
         used: lift that limit (ulimit -v, LimitAS in systemd), or set {key} lower",
        count = slots.count
    ))
}
