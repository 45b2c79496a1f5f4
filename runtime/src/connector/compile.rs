//! From bytes to a component that is ready to run. Cut so that compilation can move into a child process:
//! it takes bytes and returns an artifact's bytes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::artifact::Artifacts;
use super::error::UploadError;
use crate::id::Digest;

/// Compiles, a few at a time, off the async threads.
#[derive(Debug)]
pub(super) struct Compiler {
    engine: Engine,
    artifacts: Option<Artifacts>,
    turns: Arc<Semaphore>,
}

impl Compiler {
    pub(super) fn new(engine: Engine, artifacts: Option<Artifacts>, at_once: usize) -> Self {
        Self {
            engine,
            artifacts,
            turns: Arc::new(Semaphore::new(at_once.max(1))),
        }
    }

    /// The component of `digest` as this host compiled it before.
    pub(super) async fn compiled(&self, digest: Digest) -> Option<Component> {
        let (engine, artifacts) = (self.engine.clone(), self.artifacts.clone()?);
        let read = move || artifacts.read(&engine, digest);
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }

    /// Compiles `bytes`, whose shape was checked, and keeps the artifact.
    pub(super) async fn compile(
        &self,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<Component, UploadError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let (engine, artifacts) = (self.engine.clone(), self.artifacts.clone());
        let work = move || {
            let _turn = turn;
            let Some(artifacts) = artifacts else {
                return Component::new(&engine, &bytes).map_err(refused);
            };
            let code = engine.precompile_component(&bytes).map_err(refused)?;
            let kept = artifacts.write(digest, &code);
            if let Err(error) = &kept {
                tracing::warn!(%error, %digest, "a compiled component could not be kept");
            }
            match kept.ok().and_then(|()| artifacts.read(&engine, digest)) {
                Some(component) => Ok(component),
                None => Component::new(&engine, &bytes).map_err(refused),
            }
        };
        let compiled = tokio::task::spawn_blocking(work).await;
        compiled.map_err(|error| UploadError::Host(error.to_string()))?
    }
}

fn refused(error: wasmtime::Error) -> UploadError {
    UploadError::Compile(format!("{error:#}"))
}
