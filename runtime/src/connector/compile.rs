//! From bytes to a component that is ready to run: by another process where the configuration names a
//! compiler, because no limit on a component's size bounds what its compilation costs.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::artifact::Artifacts;
use super::engine::EngineConfig;
use super::error::UploadError;
use crate::about::printable;
use crate::id::Digest;

mod child;
mod confine;
mod progress;

pub use child::compile_standard_input;
pub use progress::{Compilation, CompilationState};

/// Compiles, a few at a time, off the async threads.
#[derive(Debug)]
pub(super) struct Compiler {
    artifacts: Option<Artifacts>,
    child: Option<child::Compiler>,
    turns: Arc<Semaphore>,
    progress: Arc<progress::Progress>,
}

impl Compiler {
    pub(super) fn new(artifacts: Option<Artifacts>, config: &EngineConfig) -> Self {
        Self {
            artifacts,
            child: child::Compiler::of(config),
            turns: Arc::new(Semaphore::new(config.compilations.max(1))),
            progress: Arc::default(),
        }
    }

    /// The compilations that wait or are under way, the first that was asked for first.
    pub(super) fn underway(&self) -> Vec<Compilation> {
        self.progress.read()
    }

    /// The component of `digest` for `engine`, as this host compiled it before.
    pub(super) async fn compiled(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let (engine, artifacts) = (engine.clone(), self.artifacts.clone()?);
        let read = move || artifacts.read(&engine, digest);
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }

    /// Where compiled components are kept, if they are.
    pub(super) const fn artifacts(&self) -> Option<&Artifacts> {
        self.artifacts.as_ref()
    }

    /// Compiles `bytes`, whose shape was checked, for `engine`, and keeps the artifact.
    pub(super) async fn compile(
        &self,
        engine: &Engine,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<Component, UploadError> {
        let underway = self.progress.ask(digest, bytes.len());
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        underway.begin();
        let code = match &self.child {
            Some(child) => Some(child.compile(&bytes, &underway).await?),
            None => None,
        };
        let (engine, artifacts) = (engine.clone(), self.artifacts.clone());
        let work = move || {
            let _held = (turn, underway);
            let Some(artifacts) = artifacts else {
                return Component::new(&engine, &bytes).map_err(refused);
            };
            let code = match code {
                Some(code) => code,
                None => engine.precompile_component(&bytes).map_err(refused)?,
            };
            artifacts.write(digest, &code).map_err(|error| {
                UploadError::Host(format!("the compiled component could not be kept: {error}"))
            })?;
            artifacts.read(&engine, digest).ok_or_else(|| {
                UploadError::Host("the compiled component could not be mapped".to_owned())
            })
        };
        let compiled = tokio::task::spawn_blocking(work).await;
        compiled.map_err(gave_up)?
    }
}

/// Why a compilation ended without an answer. The compiler panics where what it makes itself, such as the code
/// between two components that are linked to each other, needs a feature that is off.
fn gave_up(error: tokio::task::JoinError) -> UploadError {
    let words = error.to_string();
    let first = words.split("\\n").next().unwrap_or_default();
    match error.is_panic() {
        true => UploadError::Compile(format!("the compiler gave up: {first}")),
        false => UploadError::Host(words),
    }
}

fn refused(error: wasmtime::Error) -> UploadError {
    UploadError::Compile(printable(&format!("{error:#}")))
}
