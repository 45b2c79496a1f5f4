//! Connectors that are ready to be called: each compiled, linked and described once.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::OnceCell;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::bindings::ConnectorPre;
use super::class::ConnectorClass;
use super::clock::GuestClock;
use super::error::{ConnectorError, UploadError};
use super::memory::Need;
use super::state::State;
use super::{ConnectorRuntime, call, describe, inspect};
use crate::about::{ConnectorInfo, printable};
use crate::id::Digest;
use crate::settings::SettingsSchema;

/// A connector that is ready to be called.
pub struct LoadedConnector {
    /// SHA-256 of its component.
    pub digest: Digest,
    /// What it says of itself.
    pub info: ConnectorInfo,
    /// Its settings schema, compiled.
    pub schema: SettingsSchema,
    /// Whether it only composes, and an integration that the operator lends sends.
    pub hands_over: bool,
    /// It imports SMTP, which takes its time.
    pub speaks_smtp: bool,
    /// Which pool its instances come from.
    pub class: ConnectorClass,
    pub(super) compile_ms: u64,
    /// Set once what it says of itself was compared with what was approved.
    approved: OnceLock<()>,
    pub(super) need: Need,
    pre: ConnectorPre<State>,
}

impl fmt::Debug for LoadedConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedConnector")
            .field("digest", &self.digest)
            .field("id", &self.info.id)
            .finish_non_exhaustive()
    }
}

impl LoadedConnector {
    /// Whether it was compared with what was approved.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.approved.get().is_some()
    }

    /// Compares what it says of itself with what it said when it was approved: only what was approved is run.
    ///
    /// # Errors
    /// [`ConnectorError::NotAsApproved`] names the first field that differs.
    pub fn approve(&self, approved: &ConnectorInfo) -> Result<(), ConnectorError> {
        if let Some(field) = self.info.differs_in(approved) {
            let digest = self.digest;
            return Err(ConnectorError::NotAsApproved { digest, field });
        }
        self.approved.get_or_init(|| ());
        Ok(())
    }

    pub(super) fn pre(&self) -> &ConnectorPre<State> {
        &self.pre
    }
}

/// Connectors by digest. Each is made once, however many ask for it at the same time.
pub(super) struct Catalog(Cache<Digest, Arc<OnceCell<Arc<LoadedConnector>>>>);

impl Catalog {
    pub(super) fn new(size: u64) -> Self {
        Self(Cache::new(size.max(1)))
    }

    fn place(&self, digest: Digest) -> Arc<OnceCell<Arc<LoadedConnector>>> {
        self.0.get_with(digest, Arc::default)
    }
}

impl ConnectorRuntime {
    /// The connector of `digest`, if it is in memory.
    #[must_use]
    pub fn loaded(&self, digest: Digest) -> Option<Arc<LoadedConnector>> {
        self.catalog.0.get(&digest)?.get().cloned()
    }

    /// Lets go of a connector that was deleted: no descriptor and no file is kept for it. Sends that run go on.
    pub async fn forget(&self, digest: Digest) {
        self.catalog.0.invalidate(&digest);
        let artifacts = self.compiler.artifacts().cloned();
        let delete = move || artifacts.map(|artifacts| artifacts.delete(digest));
        let _ = tokio::task::spawn_blocking(delete).await;
    }

    /// Deletes what is compiled of components other than `keep`, or for another engine.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn keep_only(&self, keep: BTreeSet<Digest>) -> std::io::Result<()> {
        let Some(artifacts) = self.compiler.artifacts().cloned() else {
            return Ok(());
        };
        let sweep = tokio::task::spawn_blocking(move || artifacts.keep_only(&keep));
        sweep.await.map_err(std::io::Error::other)?
    }

    /// The connector of `digest`: from memory, else from this host's artifact, else compiled from `bytes`.
    ///
    /// # Errors
    /// [`ConnectorError::WrongDigest`] and [`ConnectorError::Refused`].
    pub async fn load(
        &self,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<Arc<LoadedConnector>, ConnectorError> {
        self.trust.admits(digest)?;
        let place = self.catalog.place(digest);
        let connector = place
            .get_or_try_init(async || {
                let class = ConnectorClass::of(&bytes)?;
                let engine = &self.pools.of(class).engine;
                if let Some(component) = self.compiler.compiled(engine, digest).await {
                    return self.ready(digest, class, &component, Duration::ZERO).await;
                }
                let (read, limit) = (bytes.clone(), self.component_bytes);
                // Reading a large component takes milliseconds, which an async thread should not spend.
                let check =
                    tokio::task::spawn_blocking(move || match Digest::of(&read) == digest {
                        true => inspect::shape(&read, limit).map(drop).map_err(Into::into),
                        false => Err(ConnectorError::WrongDigest(digest)),
                    });
                let checked = check.await;
                checked.map_err(|error| ConnectorError::Engine(error.to_string()))??;
                let started = Instant::now();
                let component = self.compiler.compile(engine, digest, bytes).await?;
                let compiled_in = started.elapsed();
                self.ready(digest, class, &component, compiled_in).await
            })
            .await?;
        Ok(Arc::clone(connector))
    }

    /// Whether the functions of the contract are there, by name.
    fn exports(&self, component: &Component, class: ConnectorClass) -> Result<(), UploadError> {
        let engine = &self.pools.of(class).engine;
        let component_type = component.component_type();
        let export = component_type.get_export(engine, inspect::SEND_MESSAGE);
        let ComponentItem::ComponentInstance(interface) =
            export
                .map(|export| export.ty)
                .ok_or(UploadError::MissingExport {
                    name: inspect::SEND_MESSAGE,
                })?
        else {
            let words = format!("{} is no instance", inspect::SEND_MESSAGE);
            return Err(UploadError::Mismatch(words));
        };
        for (function, name) in inspect::FUNCTIONS {
            if interface.get_export(engine, function).is_none() {
                return Err(UploadError::MissingExport { name });
            }
        }
        Ok(())
    }

    /// Asks a connector once more what it is, in a fresh instance under another clock: it must always answer
    /// the same.
    ///
    /// # Errors
    /// Where it does not answer, or wrongly.
    pub async fn describe_again(
        &self,
        connector: &LoadedConnector,
        clock: GuestClock,
    ) -> Result<ConnectorInfo, UploadError> {
        let LoadedConnector {
            class, need, pre, ..
        } = connector;
        let answer = self.described(*class, need, pre, connector.hands_over, clock);
        Ok(answer.await?.0)
    }

    async fn described(
        &self,
        class: ConnectorClass,
        need: &Need,
        pre: &ConnectorPre<State>,
        hands_over: bool,
        clock: GuestClock,
    ) -> Result<(ConnectorInfo, SettingsSchema), UploadError> {
        let answer = call::describe(self, class, need, pre, clock).await;
        let info = answer.map_err(|error| match error {
            ConnectorError::CalledInDescribe(import) => UploadError::DescribeCalls { import },
            error => UploadError::Describe {
                code: error.code(),
                problem: printable(&error.to_string()),
            },
        })?;
        describe::check(info, hands_over)
    }

    /// Links and describes a compiled component.
    async fn ready(
        &self,
        digest: Digest,
        class: ConnectorClass,
        component: &Component,
        compiled_in: Duration,
    ) -> Result<Arc<LoadedConnector>, ConnectorError> {
        self.exports(component, class)?;
        let pool = self.pools.of(class);
        let linked = pool.linker.instantiate_pre(component);
        let pre = linked
            .and_then(ConnectorPre::new)
            .map_err(|error| UploadError::Mismatch(printable(&format!("{error:#}"))))?;
        let component_type = component.component_type();
        let imports = |wanted| {
            let mut imports = component_type.imports(&pool.engine);
            imports.any(|(name, _)| name == wanted)
        };
        let (hands_over, speaks_smtp) = (imports(inspect::HANDOVER), imports(inspect::SMTP));
        let need = Need::of(component);
        let (info, schema) = self
            .described(class, &need, &pre, hands_over, call::still())
            .await?;
        Ok(Arc::new(LoadedConnector {
            digest,
            info,
            schema,
            hands_over,
            speaks_smtp,
            class,
            compile_ms: u64::try_from(compiled_in.as_millis()).unwrap_or(u64::MAX),
            approved: OnceLock::new(),
            need,
            pre,
        }))
    }
}
