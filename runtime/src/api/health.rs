//! Whether the server lives and can accept, and what is limited.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::App;
use super::error::ApiError;
use crate::config::Bound;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the store can be written, so messages can be accepted. It needs no key, so it costs one commit a
/// second at most.
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.store.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (
            ApiError::Unavailable.status(),
            "the store is not available\n",
        ),
    }
}

/// `GET /v1/limits`: every bounded value of the configuration, with its hard maximum.
pub(super) async fn limits(State(app): State<App>) -> Json<BTreeMap<String, Bound>> {
    Json(app.limits.as_ref().clone())
}
