//! Whom an operator of an older version lent the e-mail service to.

use crate::store::{Store, StoreError};

/// Names the components that may hand over where an older version named none: this server's own, and each version
/// of it that was uploaded before, so that integrations which hold one go on. Every other must be named by the
/// operator.
///
/// # Errors
/// Those of the store.
pub(super) async fn name(store: &Store) -> Result<(), StoreError> {
    if store.email_service_names_connectors().await? {
        return Ok(());
    }
    // What is read without names has this server's own.
    let Some(mut service) = store.email_service().await? else {
        return Ok(());
    };
    if let Ok(id) = connector_bundle::EMAIL_SERVICE.parse() {
        let versions = store.connector_versions(&id).await?.into_iter();
        service
            .connectors
            .extend(versions.map(|version| version.digest));
    }
    store.put_email_service(&service).await
}
