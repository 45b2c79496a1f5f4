//! Sealing keys: which there are, a new current one, and the end of an earlier one. Operators only.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::App;
use super::auth::Operator;
use super::egress::gone;
use super::error::ApiError;
use super::path::Path;
use crate::secret::KeyId;

/// `GET /v1/sealing-keys`.
pub(super) async fn list(_: Operator, State(app): State<App>) -> Result<Answer<Value>, ApiError> {
    let keys = app.store.sealing_keys().await?;
    Ok(Answer(json!({ "data": keys })))
}

/// `POST /v1/sealing-keys/rotate`: answers when the new key wraps every data key.
pub(super) async fn rotate(_: Operator, State(app): State<App>) -> Result<Answer<Value>, ApiError> {
    // To its end, also when the caller goes away.
    let store = app.store.clone();
    let rotated = tokio::spawn(async move { store.rotate_sealing_key().await }).await;
    let keys = rotated.map_err(|_| ApiError::Internal)??;
    Ok(Answer(json!({ "data": keys })))
}

/// `DELETE /v1/sealing-keys/{key}`: refused while it wraps anything.
pub(super) async fn delete(
    _: Operator,
    State(app): State<App>,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    let key = KeyId::from_stored(key);
    gone(app.store.remove_sealing_key(&key).await?, "sealing key")
}
