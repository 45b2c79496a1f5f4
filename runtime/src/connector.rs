//! Guests: WebAssembly components that speak to one provider each, run in a sandbox of their own for
//! every send.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::about::ConnectorInfo;
use crate::id::Digest;
use crate::secret::DataKey;
use bytes::Bytes;
use serde::Serialize;

mod advisories;
mod artifact;
mod background;
mod bindings;
mod call;
mod catalog;
mod class;
mod clock;
mod compile;
mod convert;
mod describe;
mod engine;
mod error;
mod fair;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod host_handover;
mod host_http;
mod host_io;
mod host_log;
mod host_signing;
mod host_smtp;
mod host_wasi_http;
mod host_wasi_types;
mod inspect;
mod limits;
mod memory;
mod meter;
mod pool;
mod powers;
mod remedy;
mod shares;
mod snapshot;
mod state;
mod streams;

pub use advisories::{Advisories, AdvisoriesError, Advisory, ENGINE_VERSION, Severity};
pub use call::{Call, CallReport};
pub use catalog::LoadedConnector;
pub use class::ConnectorClass;
pub use clock::{GuestClock, Probe};
pub use compile::{Compilation, CompilationState, compile_standard_input};
pub use engine::{EngineConfig, TICK};
pub use error::{ConnectorError, UploadError};
pub use inspect::Needs;
pub use meter::Used;
pub use powers::Power;
pub use snapshot::{SnapshotError, started};

/// Everything that runs guests. One for a process.
pub struct ConnectorRuntime {
    pools: pool::Pools,
    memory: memory::Memory,
    background: background::Background,
    compiler: compile::Compiler,
    catalog: catalog::Catalog,
    trust: advisories::Trust,
    component_bytes: usize,
}

impl std::fmt::Debug for ConnectorRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorRuntime")
            .field("compiler", &self.compiler)
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
    /// Which pool its instances come from.
    pub class: ConnectorClass,
    /// What it imports, in the component's order.
    pub imports: Vec<String>,
    /// What these let it do.
    pub powers: Vec<Power>,
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
        let trust = trust(&config.built_in).map_err(ConnectorError::Engine)?;
        let memory = memory::Memory::new(config);
        let pools = pool::Pools::start(config, &memory)?;
        // What is compiled for one class is compiled for all.
        let engine = &pools.of(ConnectorClass::Small).engine;
        let artifacts = match &config.artifacts {
            Some(folder) => Some(artifact::Artifacts::open(folder, key, engine)?),
            None => None,
        };
        Ok(Self {
            compiler: compile::Compiler::new(artifacts, config),
            catalog: catalog::Catalog::new(config.loaded),
            component_bytes: config.component_bytes.min(engine::COMPONENT_BYTES_MAX),
            background: background::Background::start()?,
            trust,
            pools,
            memory,
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
            class: loaded.class,
            powers: powers::of(&shape.imports),
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

    /// The compilations that wait or are under way, the first that was asked for first.
    #[must_use]
    pub fn compilations(&self) -> Vec<Compilation> {
        self.compiler.underway()
    }

    /// Bytes that all guests may take beside what their slots keep, and how many of them they hold.
    #[must_use]
    pub fn shared_memory(&self) -> (u64, u64) {
        self.memory.shared()
    }

    /// Runs one send in a sandbox of its own. Waits for memory and for a slot of the pool, first come, first
    /// served, but that a tenant with its share of either lets others pass.
    pub async fn call(&self, connector: &Arc<LoadedConnector>, call: Call) -> CallReport {
        call::send(self, connector, call).await
    }
}

/// Whose components the engine of this build may run.
fn trust(built_in: &BTreeSet<Digest>) -> Result<advisories::Trust, String> {
    let table = Advisories::ours().map_err(|error| error.to_string())?;
    let version = ENGINE_VERSION.parse();
    let version = version.map_err(|error| format!("the version {ENGINE_VERSION}: {error}"))?;
    Ok(advisories::Trust::in_engine(&version, &table, built_in))
}
