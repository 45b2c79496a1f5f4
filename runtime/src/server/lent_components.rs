//! Whom an operator of an older version lent the e-mail service to.

use crate::built_in::BuiltIn;
use crate::store::{Store, StoreError};

/// Names the components that may hand over where an older version named none: this server's own, and each version
/// of it that was uploaded before, so that integrations which hold one go on. Every other must be named by the
/// operator.
///
/// # Errors
/// Those of the store.
pub(super) async fn name(store: &Store, built_in: &BuiltIn) -> Result<(), StoreError> {
    if store.email_service_names_connectors().await? {
        return Ok(());
    }
    let Some(mut service) = store.email_service().await? else {
        return Ok(());
    };
    let mut named = built_in.hands_over();
    if let Some((id, _)) = &built_in.email_service {
        let versions = store.connector_versions(id).await?.into_iter();
        named.extend(versions.map(|version| version.digest));
    }
    service.connectors = Some(named);
    store.put_email_service(&service).await
}
