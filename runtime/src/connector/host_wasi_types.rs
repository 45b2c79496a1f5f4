//! What of `wasi:http/types` would keep a text of any length: a request's method and authority. They are bounded
//! here, as wasi:http itself bounds its fields, its paths and its schemes.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{HostOutgoingRequest, Method};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest as OutgoingRequest;

use super::state::State;

/// The interface as wasmtime-wasi-http links it.
const TYPES: &str = "wasi:http/types@0.2.12";
/// Bytes of a method: those that may be sent have six.
const METHOD_MAX: usize = 16;
/// Bytes of an authority: a name has 253, a port five.
const AUTHORITY_MAX: usize = 300;

/// Replaces the two functions in `linker`.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: StoreContextMut<'_, State>,
         (request, method): (Resource<OutgoingRequest>, Method)| {
            let long = matches!(&method, Method::Other(name) if name.len() > METHOD_MAX);
            Ok((match long {
                true => Err(()),
                false => store.data_mut().http().set_method(request, method)?,
            },))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, State>,
         (request, authority): (Resource<OutgoingRequest>, Option<String>)| {
            let long = authority
                .as_ref()
                .is_some_and(|authority| authority.len() > AUTHORITY_MAX);
            Ok((match long {
                true => Err(()),
                false => store.data_mut().http().set_authority(request, authority)?,
            },))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
