//! The `smtp` import. This host does not offer it.

use super::bindings::smtp;
use super::state::State;

impl smtp::Host for State {
    async fn submit(
        &mut self,
        _server: smtp::Server,
        _envelope: smtp::Envelope,
        _data: Vec<u8>,
    ) -> wasmtime::Result<Result<smtp::Reply, smtp::SmtpError>> {
        Ok(Err(smtp::SmtpError::NotSupported))
    }
}
