//! API keys: a tenant's, and the server's own. An operator makes and revokes them.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use super::auth::{Grant, Operator, generate};
use super::body::Json;
use super::egress::gone;
use super::error::ApiError;
use super::path::Path;
use super::tenants::find;
use crate::id::TenantId;
use crate::tenant::{ApiKey, Role};

/// What a key is for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyBody {
    #[serde(default)]
    title: String,
    role: Option<Role>,
}

/// A new key: the only time that its text is shown.
#[derive(Debug, Serialize)]
pub(super) struct NewKey {
    #[serde(flatten)]
    record: ApiKey,
    key: String,
}

/// `POST /v1/tenants/{tenant}/keys`: a tenant's administrator unless the body says otherwise.
pub(super) async fn create(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
    Json(body): Json<KeyBody>,
) -> Result<(StatusCode, Answer<NewKey>), ApiError> {
    let tenant = find(&app, &id).await?;
    make(&app, Some(tenant.id), Role::TenantAdmin, body).await
}

/// `GET /v1/tenants/{tenant}/keys`: without their texts.
pub(super) async fn list(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let tenant = find(&app, &id).await?;
    let store = app.browse(None).await?;
    let keys = store.api_keys(Some(&tenant.id)).await?;
    store.answer(&app, &json!({ "data": keys })).await
}

/// `DELETE /v1/tenants/{tenant}/keys/{key}`: it stops to work at once.
pub(super) async fn revoke(
    _: Operator,
    State(app): State<App>,
    Path((id, key)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let tenant = find(&app, &id).await?;
    let (store, now) = (&app.store, app.clock.now());
    gone(
        store.revoke_api_key(Some(&tenant.id), &key, now).await?,
        "key",
    )
}

/// `POST /v1/operator-keys`: an operator's unless the body says otherwise.
pub(super) async fn create_operators(
    _: Operator,
    State(app): State<App>,
    Json(body): Json<KeyBody>,
) -> Result<(StatusCode, Answer<NewKey>), ApiError> {
    make(&app, None, Role::Operator, body).await
}

/// `GET /v1/operator-keys`: without their texts.
pub(super) async fn list_operators(
    _: Operator,
    State(app): State<App>,
) -> Result<Response, ApiError> {
    let store = app.browse(None).await?;
    let keys = store.api_keys(None).await?;
    store.answer(&app, &json!({ "data": keys })).await
}

/// `DELETE /v1/operator-keys/{key}`: it stops to work at once; refused for the last operator's.
pub(super) async fn revoke_operators(
    _: Operator,
    State(app): State<App>,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    let (store, now) = (&app.store, app.clock.now());
    gone(store.revoke_api_key(None, &key, now).await?, "key")
}

async fn make(
    app: &App,
    tenant: Option<TenantId>,
    usual: Role,
    body: KeyBody,
) -> Result<(StatusCode, Answer<NewKey>), ApiError> {
    let role = body.role.unwrap_or(usual);
    if role.is_tenants() != tenant.is_some() {
        let words: Vec<_> = Role::ALL
            .into_iter()
            .filter(|role| role.is_tenants() == tenant.is_some())
            .map(Role::as_str)
            .collect();
        let message = format!("must be {}", words.join(" or "));
        return Err(ApiError::field("/role", message));
    }
    let grant = Grant {
        role,
        tenant,
        title: body.title,
    };
    let (record, text) = generate(grant, app.clock.now())?;
    app.store.put_api_key(&record).await?;
    let key = text.expose().to_owned();
    Ok((StatusCode::CREATED, Answer(NewKey { record, key })))
}
