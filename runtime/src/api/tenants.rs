//! Tenants: an operator's work.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::App;
use super::auth::Operator;
use super::body::{Json, Named};
use super::browse::PageOf;
use super::error::{ApiError, FieldError};
use super::path::Path;
use crate::egress::{Author, HostPattern};
use crate::id::{PoolName, TenantId};
use crate::store::Page;
use crate::tenant::Tenant;

/// What an operator says of a tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantBody {
    #[serde(default)]
    title: String,
    #[serde(default)]
    egress_pool: Named<PoolName>,
    #[serde(default)]
    allowed_hosts: Named<Vec<String>>,
}

/// `GET /v1/tenants`.
pub(super) async fn list(
    _: Operator,
    State(app): State<App>,
    page: PageOf,
) -> Result<Response, ApiError> {
    let store = app.browse(None).await?;
    let mut data = store.tenants(page.cursor.as_deref(), page.reach()).await?;
    let next = page.cut(&mut data, |tenant| tenant.id.to_string());
    store.answer(&app, &Page { data, next }).await
}

/// `PUT /v1/tenants/{tenant}`: makes or changes a tenant. Its pool and its hosts are lost only by a `null`.
pub(super) async fn put(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
    Json(body): Json<TenantBody>,
) -> Result<(StatusCode, Answer<Tenant>), ApiError> {
    let id: TenantId = id.parse()?;
    let known = app.store.tenant(&id).await?;
    let bounds = known.as_ref();
    let has_pool = bounds.is_some_and(|known| known.egress_pool.is_some());
    let egress_pool = body.egress_pool.instead_of(has_pool, "/egress_pool")?;
    let has_hosts = bounds.is_some_and(|known| known.allowed_hosts.is_some());
    let allowed_hosts = body.allowed_hosts.instead_of(has_hosts, "/allowed_hosts")?;
    if let Some(pool) = &egress_pool
        && app.store.pool(pool).await?.is_none()
    {
        return Err(ApiError::field(
            "/egress_pool",
            format!("there is no egress pool {pool}: make it first"),
        ));
    }
    check_hosts(allowed_hosts.as_deref().unwrap_or_default())?;
    let status = if known.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let tenant = Tenant {
        id,
        title: body.title,
        egress_pool,
        allowed_hosts,
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

pub(super) async fn find(app: &App, id: &str) -> Result<Tenant, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound("tenant"))?;
    app.store
        .tenant(&id)
        .await?
        .ok_or(ApiError::NotFound("tenant"))
}
