//! API keys: who calls, for which tenant, and what the key's role lets pass.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::App;
use super::error::ApiError;
use crate::id::TenantId;
use crate::secret::Secret;
use crate::store::Store;
use crate::tenant::{ApiKey, Role};
use crate::time::Timestamp;

/// Random bytes of a key.
const KEY_BYTES: usize = 32;

/// Whose a new key will be, and what for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What it may do.
    pub role: Role,
    /// Whose it is: a tenant's where the role is one of a tenant.
    pub tenant: Option<TenantId>,
    /// A title for people.
    pub title: String,
}

impl Grant {
    /// An operator's key.
    #[must_use]
    pub const fn operator(title: String) -> Self {
        Self {
            role: Role::Operator,
            tenant: None,
            title,
        }
    }
}

/// A new key: what is stored, and the text that is shown once.
///
/// # Errors
/// [`ApiError::Internal`] when the machine has no randomness.
pub fn generate(grant: Grant, now: Timestamp) -> Result<(ApiKey, Secret), ApiError> {
    let mut random = [0_u8; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| ApiError::Internal)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let id = id.get(..16).unwrap_or(&id).to_owned();
    let kind = if grant.role.is_tenants() {
        "sbx"
    } else {
        "sbxop"
    };
    let text = format!("{kind}_{id}_{}", URL_SAFE_NO_PAD.encode(random));
    let key = ApiKey {
        id,
        role: grant.role,
        tenant: grant.tenant,
        title: grant.title,
        hash: hash(&text),
        created_at: now,
        revoked_at: None,
    };
    Ok((key, Secret::new(text)))
}

/// The stored key of a text, if the text is a key that works.
///
/// # Errors
/// [`ApiError::Unauthorized`], and those of the store.
pub async fn authenticate(store: &Store, text: &str) -> Result<Arc<ApiKey>, ApiError> {
    let id = text
        .split('_')
        .nth(1)
        .filter(|id| id.len() == 16)
        .ok_or(ApiError::Unauthorized)?;
    let key = store.api_key(id).await?.ok_or(ApiError::Unauthorized)?;
    verify_slices_are_equal(&key.hash, &hash(text)).map_err(|_| ApiError::Unauthorized)?;
    if key.revoked_at.is_some() {
        Err(ApiError::Unauthorized)
    } else {
        Ok(key)
    }
}

fn hash(text: &str) -> [u8; 32] {
    // The key has 256 random bits: a slow hash would add nothing.
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

/// The key in a request's `Authorization`, with or without the word `Bearer`. The call counts against its
/// tenant's rate here, before anything else of the request is looked at.
///
/// # Errors
/// As [`authenticate`], and [`ApiError::OverLimit`].
pub async fn caller(app: &App, parts: &Parts) -> Result<Arc<ApiKey>, ApiError> {
    let value = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or(ApiError::Unauthorized)?;
    let text = match value.split_at_checked(7) {
        Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer ") => text,
        _ => value,
    };
    let key = authenticate(&app.store, text.trim()).await?;
    if let Some(tenant) = &key.tenant {
        app.admission.call(tenant, app.clock.now())?;
    }
    Ok(key)
}

/// The caller's key, whose role must be one of `roles`.
async fn holder(parts: &Parts, app: &App, roles: &[Role]) -> Result<Arc<ApiKey>, ApiError> {
    let key = caller(app, parts).await?;
    if roles.contains(&key.role) {
        return Ok(key);
    }
    Err(match key.role {
        Role::TenantAdmin if roles.contains(&Role::Operator) => ApiError::Forbidden,
        role => ApiError::Role(role),
    })
}

/// The caller is an operator.
#[derive(Debug)]
pub struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let roles = [Role::Operator];
        holder(parts, app, &roles).await.map(|_| Self)
    }
}

/// The caller may read the counters.
#[derive(Debug)]
pub struct Watcher;

impl FromRequestParts<App> for Watcher {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let roles = [Role::Operator, Role::Metrics];
        holder(parts, app, &roles).await.map(|_| Self)
    }
}

/// The caller may read what all tenants share: whose the key is.
#[derive(Debug)]
pub struct Reader {
    /// None for an operator's.
    pub tenant: Option<TenantId>,
}

impl FromRequestParts<App> for Reader {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let roles = [Role::Operator, Role::TenantAdmin];
        let tenant = holder(parts, app, &roles).await?.tenant.clone();
        Ok(Self { tenant })
    }
}

/// The tenant that the request is about, and the caller may act for: the one in the path, or the key's own.
#[derive(Debug)]
pub struct ForTenant {
    /// The tenant.
    pub tenant: TenantId,
    /// Whether an operator acts for it.
    pub operator: bool,
}

impl FromRequestParts<App> for ForTenant {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let roles = [Role::Operator, Role::TenantAdmin];
        let key = holder(parts, app, &roles).await?;
        let (tenant, role) = concerned(parts, app, &key).await?;
        Ok(Self {
            tenant,
            operator: role == Role::Operator,
        })
    }
}

/// The tenant that a message is handed in for.
#[derive(Debug)]
pub struct ForSending {
    /// The tenant.
    pub tenant: TenantId,
    /// Whether the key may read what was handed in with another call.
    pub reads: bool,
}

impl FromRequestParts<App> for ForSending {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let roles = [Role::Operator, Role::TenantAdmin, Role::Sender];
        let key = holder(parts, app, &roles).await?;
        let (tenant, role) = concerned(parts, app, &key).await?;
        Ok(Self {
            tenant,
            reads: role != Role::Sender,
        })
    }
}

/// The tenant that a request is about, where `key` may act for it, and the key's role.
async fn concerned(
    parts: &mut Parts,
    app: &App,
    key: &ApiKey,
) -> Result<(TenantId, Role), ApiError> {
    let params = RawPathParams::from_request_parts(parts, app)
        .await
        .map_err(|_| ApiError::path())?;
    let named = params
        .iter()
        .find(|(name, _)| *name == "tenant")
        .map(|(_, value)| value.to_owned());
    let tenant = match (named, key.tenant.clone()) {
        (None, Some(own)) => own,
        (None, None) => {
            return Err(ApiError::BadRequest(
                "an operator names the tenant: use /v1/tenants/{tenant}/…".to_owned(),
            ));
        }
        // A foreign tenant and one that does not exist get the same answer.
        (Some(named), Some(own)) if named == own.as_str() => own,
        (Some(_), Some(_)) => return Err(ApiError::NotFound("tenant")),
        (Some(named), None) => {
            let id = named.parse().map_err(|_| ApiError::NotFound("tenant"))?;
            let tenant = app.store.tenant(&id).await?;
            tenant.ok_or(ApiError::NotFound("tenant"))?.id
        }
    };
    Ok((tenant, key.role))
}
