//! Waiting, bounded: a guest asleep in `wasi:io/poll` wakes at its deadline and traps. The epoch
//! cannot end it there, because no guest code runs.

use tokio::time::{Instant, timeout_at};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi_io::bindings::wasi::io::poll::{self, Host, HostPollable};

use super::error::ConnectorError;
use super::state::State;
use crate::limits::Limit;

struct Bounded;

impl HasData for Bounded {
    type Data<'a> = BoundedIo<'a>;
}

struct BoundedIo<'a> {
    state: &'a mut State,
}

impl BoundedIo<'_> {
    fn parts(&mut self) -> (&mut ResourceTable, Instant, ConnectorError) {
        let late = ConnectorError::wall(&self.state.limits);
        (&mut self.state.table, self.state.deadline, late)
    }
}

/// Replaces the `wasi:io/poll` of `linker`.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    poll::add_to_linker::<State, Bounded>(linker, |state| BoundedIo { state })?;
    linker.allow_shadowing(false);
    Ok(())
}

impl Host for BoundedIo<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        // Each may stand there more than once; more than there can be at all is no question.
        let most = self.state.limits.resources;
        if pollables.len() > most {
            let detail = format!("the connector waits for more than {most} resources at once");
            return Err(ConnectorError::Limit {
                limit: Limit::Resources,
                detail,
            }
            .into());
        }
        let (table, deadline, late) = self.parts();
        match timeout_at(deadline, Host::poll(table, pollables)).await {
            Ok(ready) => ready,
            Err(_) => Err(late.into()),
        }
    }
}

impl HostPollable for BoundedIo<'_> {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        let (table, deadline, late) = self.parts();
        match timeout_at(deadline, HostPollable::block(table, pollable)).await {
            Ok(done) => done,
            Err(_) => Err(late.into()),
        }
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        HostPollable::ready(&mut self.state.table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        HostPollable::drop(&mut self.state.table, pollable)
    }
}
