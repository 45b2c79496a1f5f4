//! Tenants and their keys: an operator's work.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::auth::{Operator, generate};
use super::body::Json;
use super::error::{ApiError, FieldError};
use crate::egress::{Author, HostPattern};
use crate::id::{PoolName, TenantId};
use crate::tenant::{ApiKey, Tenant};

/// What an operator says of a tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantBody {
    #[serde(default)]
    title: String,
    egress_pool: Option<PoolName>,
    allowed_hosts: Option<Vec<String>>,
}

/// `GET /v1/tenants`.
pub(super) async fn list(_: Operator, State(app): State<App>) -> Result<Answer<Value>, ApiError> {
    Ok(Answer(json!({ "data": app.store.tenants().await? })))
}

/// `PUT /v1/tenants/{tenant}`: makes or changes a tenant.
pub(super) async fn put(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
    Json(body): Json<TenantBody>,
) -> Result<(StatusCode, Answer<Tenant>), ApiError> {
    let id: TenantId = id.parse()?;
    if let Some(pool) = &body.egress_pool
        && app.store.pool(pool).await?.is_none()
    {
        return Err(ApiError::field(
            "/egress_pool",
            format!("there is no egress pool {pool}: make it first"),
        ));
    }
    check_hosts(body.allowed_hosts.as_deref().unwrap_or_default())?;
    let known = app.store.tenant(&id).await?;
    let status = if known.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let tenant = Tenant {
        id,
        title: body.title,
        egress_pool: body.egress_pool,
        allowed_hosts: body.allowed_hosts,
        created_at: known.map_or_else(|| app.clock.now(), |known| known.created_at),
    };
    app.store.put_tenant(&tenant).await?;
    Ok((status, Answer(tenant)))
}

fn check_hosts(hosts: &[String]) -> Result<(), ApiError> {
    let wrong = hosts.iter().enumerate().filter_map(|(index, host)| {
        let error = HostPattern::parse(host, Author::Tenant).err()?;
        Some(FieldError {
            pointer: format!("/allowed_hosts/{index}"),
            message: error.to_string(),
        })
    });
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Invalid(wrong))
    }
}

/// `GET /v1/tenants/{tenant}`.
pub(super) async fn get(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<Tenant>, ApiError> {
    find(&app, &id).await.map(Answer)
}

/// `DELETE /v1/tenants/{tenant}`: refused while it has integrations.
pub(super) async fn delete(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let tenant = find(&app, &id).await?;
    app.store.delete_tenant(&tenant.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, id: &str) -> Result<Tenant, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound("tenant"))?;
    app.store
        .tenant(&id)
        .await?
        .ok_or(ApiError::NotFound("tenant"))
}

/// What a key is for, in words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyBody {
    #[serde(default)]
    title: String,
}

/// A new key: the only time that its text is shown.
#[derive(Debug, Serialize)]
pub(super) struct NewKey {
    #[serde(flatten)]
    record: ApiKey,
    key: String,
}

/// `POST /v1/tenants/{tenant}/keys`.
pub(super) async fn create_key(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
    Json(body): Json<KeyBody>,
) -> Result<(StatusCode, Answer<NewKey>), ApiError> {
    let tenant = find(&app, &id).await?;
    let (record, text) = generate(Some(tenant.id), body.title, app.clock.now())?;
    app.store.put_api_key(&record).await?;
    Ok((
        StatusCode::CREATED,
        Answer(NewKey {
            record,
            key: text.expose().to_owned(),
        }),
    ))
}

/// `GET /v1/tenants/{tenant}/keys`: without their texts.
pub(super) async fn list_keys(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<Value>, ApiError> {
    let tenant = find(&app, &id).await?;
    Ok(Answer(
        json!({ "data": app.store.api_keys(&tenant.id).await? }),
    ))
}

/// `DELETE /v1/tenants/{tenant}/keys/{key}`: it stops to work at once.
pub(super) async fn revoke_key(
    _: Operator,
    State(app): State<App>,
    Path((id, key)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let tenant = find(&app, &id).await?;
    if app
        .store
        .revoke_api_key(&tenant.id, &key, app.clock.now())
        .await?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("key"))
    }
}
