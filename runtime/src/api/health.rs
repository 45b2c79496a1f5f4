//! Whether the server lives and can accept, and what is limited.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;

use super::App;
use super::error::ApiError;
use crate::config::Bound;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the node has room and the store can be written, so a message would be accepted. It needs no key, so it costs one commit a
/// second at most.
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    app.admission.room()?;
    app.store.ready().await?;
    Ok("ready\n")
}

/// `GET /v1/limits`: every number of the configuration, with its minimum and its hard maximum.
pub(super) async fn limits(State(app): State<App>) -> Json<BTreeMap<String, Bound>> {
    Json(app.limits.as_ref().clone())
}
