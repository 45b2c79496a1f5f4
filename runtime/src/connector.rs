//! Guests: WebAssembly components that speak to one provider each, run in a sandbox of their own for
//! every send.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::about::ConnectorInfo;
use crate::id::Digest;
use crate::secret::DataKey;

mod advisories;
mod artifact;
mod background;
mod bindings;
mod call;
mod catalog;
mod clock;
mod compile;
mod convert;
mod describe;
mod engine;
mod error;
mod host_handover;
mod host_http;
mod host_io;
mod host_log;
mod host_signing;
mod host_smtp;
mod host_wasi_http;
mod inspect;
mod limits;
mod remedy;
mod shares;
mod state;

pub use advisories::{Advisories, AdvisoriesError, Advisory, ENGINE_VERSION, Severity};
pub use call::{Call, CallReport};
pub use catalog::LoadedConnector;
pub use clock::{GuestClock, Probe};
pub use compile::compile_standard_input;
pub use engine::{EngineConfig, TICK};
pub use error::{ConnectorError, UploadError};
pub use inspect::Needs;
pub use limits::Used;

/// Everything that runs guests. One for a process: types and code of two engines must not meet.
pub struct ConnectorRuntime {
    engine: Engine,
    linker: Linker<state::State>,
    background: background::Background,
    compiler: compile::Compiler,
    catalog: catalog::Catalog,
    turns: call::Turns,
    trust: advisories::Trust,
    component_bytes: usize,
}

impl std::fmt::Debug for ConnectorRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorRuntime")
            .field("compiler", &self.compiler)
            .field("turns", &self.turns)
            .finish_non_exhaustive()
    }
}

/// What an upload turned out to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// What it says of itself.
    pub info: ConnectorInfo,
    /// What it imports, in the component's order.
    pub imports: Vec<String>,
    /// What it starts with.
    #[serde(flatten)]
    pub needs: Needs,
    /// Milliseconds that it took to compile; 0 if this host had it compiled already.
    pub compile_ms: u64,
}

impl ConnectorRuntime {
    /// Starts the engine. `key` authenticates the compiled components in `config.artifacts`.
    ///
    /// # Errors
    /// [`ConnectorError::Engine`] where the machine cannot give it its address space or a thread, or the
    /// folder of compiled components cannot be made private.
    pub fn new(config: &EngineConfig, key: Arc<DataKey>) -> Result<Self, ConnectorError> {
        let trust = trust().map_err(ConnectorError::Engine)?;
        let engine = engine::start(config)?;
        let linker = link(&engine).map_err(ConnectorError::engine)?;
        let artifacts = match &config.artifacts {
            Some(folder) => Some(artifact::Artifacts::open(folder, key, &engine)?),
            None => None,
        };
        Ok(Self {
            compiler: compile::Compiler::new(engine.clone(), artifacts, config),
            catalog: catalog::Catalog::new(config.loaded),
            turns: call::Turns::new(config.pool_slots),
            component_bytes: config.component_bytes.min(engine::COMPONENT_BYTES_MAX),
            background: background::Background::start()?,
            trust,
            engine,
            linker,
        })
    }

    /// Looks at an uploaded component: its shape, its imports, how it compiles, and what it says of
    /// itself with no capability granted. It is ready to be called afterwards.
    ///
    /// # Errors
    /// [`UploadError`] says why it is refused.
    pub async fn inspect(&self, bytes: Bytes) -> Result<Inspection, UploadError> {
        let size = bytes.len() as u64;
        let limit = self.component_bytes;
        let read = bytes.clone();
        // Reading a large component takes milliseconds, which an async thread should not spend.
        let work = move || inspect::shape(&read, limit).map(|shape| (Digest::of(&read), shape));
        let read = tokio::task::spawn_blocking(work).await;
        let (digest, shape) = read.map_err(|error| UploadError::Host(error.to_string()))??;
        let loaded = self
            .load(digest, bytes)
            .await
            .map_err(|error| match error {
                ConnectorError::Refused(refused) => refused,
                other => UploadError::Host(other.to_string()),
            })?;
        Ok(Inspection {
            digest,
            size,
            info: loaded.info.clone(),
            imports: shape.imports,
            needs: shape.needs,
            compile_ms: loaded.compile_ms,
        })
    }

    /// The same for an author: every import and export that is not the contract's, not the first alone.
    ///
    /// # Errors
    /// All that is wrong.
    pub async fn examine(&self, bytes: Bytes) -> Result<Inspection, Vec<UploadError>> {
        let problems = inspect::problems(&bytes, self.component_bytes);
        if problems.is_empty() {
            return self.inspect(bytes).await.map_err(|error| vec![error]);
        }
        Err(problems)
    }

    /// Runs one send in a sandbox of its own. Waits for a slot of the pool, first come, first served.
    pub async fn call(&self, connector: &Arc<LoadedConnector>, call: Call) -> CallReport {
        call::send(self, connector, call).await
    }
}

/// Whose components the engine of this build may run.
fn trust() -> Result<advisories::Trust, String> {
    let table = Advisories::ours().map_err(|error| error.to_string())?;
    let version = ENGINE_VERSION.parse();
    let version = version.map_err(|error| format!("the version {ENGINE_VERSION}: {error}"))?;
    Ok(advisories::Trust::in_engine(&version, &table))
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
