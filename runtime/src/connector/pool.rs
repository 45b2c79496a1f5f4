//! The pools that instances come from, one for each class of connectors: an engine, what is linked in it, and
//! turns for its slots.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use super::class::ConnectorClass;
use super::engine::{self, EngineConfig};
use super::error::ConnectorError;
use super::{bindings, host_io, state};
use crate::limits::Limit;

/// One pool. A component, its linker and its stores are of the same one.
pub(super) struct Pool {
    pub(super) engine: Engine,
    pub(super) linker: Linker<state::State>,
    turns: Semaphore,
}

/// All pools of a process.
pub(super) struct Pools {
    small: Pool,
    large: Pool,
}

impl Pools {
    /// Starts one for each class.
    pub(super) fn start(config: &EngineConfig) -> Result<Self, ConnectorError> {
        Ok(Self {
            small: Pool::start(config, ConnectorClass::Small)?,
            large: Pool::start(config, ConnectorClass::Large)?,
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
    fn start(config: &EngineConfig, class: ConnectorClass) -> Result<Self, ConnectorError> {
        let engine = engine::start(config, class)?;
        let linker = link(&engine).map_err(ConnectorError::engine)?;
        let slots = config.slots(class).max(1) as usize;
        Ok(Self {
            engine,
            linker,
            turns: Semaphore::new(slots),
        })
    }

    /// A turn to run, one for each slot; first come, first served.
    pub(super) async fn turn(
        &self,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, ConnectorError> {
        match timeout_at(deadline, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(ConnectorError::Limit {
                limit: Limit::Concurrency,
                detail: "too many sends are under way: no slot became free in time".to_owned(),
            }),
        }
    }
}

/// Everything that a guest can import: the contract, WASI 0.2, and wasi:http by way of the egress floor.
fn link(engine: &Engine) -> wasmtime::Result<Linker<state::State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    host_io::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    bindings::Connector::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}
