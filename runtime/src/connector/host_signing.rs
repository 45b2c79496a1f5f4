//! The `signing` import. This host does not sign: no key can be made, so none is ever used.

use wasmtime::component::Resource;

use super::bindings::signing;
use super::state::State;

/// A key that a guest holds. Without inhabitants: `from-secret` is the only way to the first one.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum SigningKey {}

impl signing::Host for State {}

impl signing::HostKey for State {
    fn from_secret(
        &mut self,
        _prefix: String,
        _secret: String,
        _suffix: String,
    ) -> wasmtime::Result<Result<Resource<SigningKey>, signing::SigningError>> {
        Ok(Err(signing::SigningError::NotSupported))
    }

    fn derive(
        &mut self,
        _key: Resource<SigningKey>,
        _data: Vec<u8>,
    ) -> wasmtime::Result<Result<Resource<SigningKey>, signing::SigningError>> {
        Ok(Err(signing::SigningError::NotSupported))
    }

    fn sign(
        &mut self,
        _key: Resource<SigningKey>,
        _algorithm: signing::Algorithm,
        _data: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, signing::SigningError>> {
        Ok(Err(signing::SigningError::NotSupported))
    }

    fn drop(&mut self, key: Resource<SigningKey>) -> wasmtime::Result<()> {
        self.table.delete(key)?;
        Ok(())
    }
}
