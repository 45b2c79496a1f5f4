//! API keys: who calls, and for which tenant.

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
use crate::tenant::ApiKey;
use crate::time::Timestamp;

/// Random bytes of a key.
const KEY_BYTES: usize = 32;

/// A new key: what is stored, and the text that is shown once.
///
/// # Errors
/// [`ApiError::Internal`] when the machine has no randomness.
pub fn generate(
    tenant: Option<TenantId>,
    title: String,
    now: Timestamp,
) -> Result<(ApiKey, Secret), ApiError> {
    let mut random = [0_u8; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| ApiError::Internal)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let id = id.get(..16).unwrap_or(&id).to_owned();
    let kind = if tenant.is_some() { "sbx" } else { "sbxop" };
    let text = format!("{kind}_{id}_{}", URL_SAFE_NO_PAD.encode(random));
    let key = ApiKey {
        id,
        tenant,
        title,
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
pub async fn authenticate(store: &Store, text: &str) -> Result<ApiKey, ApiError> {
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

/// The key in a request's `Authorization`, with or without the word `Bearer`.
///
/// # Errors
/// As [`authenticate`].
pub async fn caller(store: &Store, parts: &Parts) -> Result<ApiKey, ApiError> {
    let value = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or(ApiError::Unauthorized)?;
    let text = match value.split_at_checked(7) {
        Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer ") => text,
        _ => value,
    };
    authenticate(store, text.trim()).await
}

/// The caller is an operator.
#[derive(Debug)]
pub struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match caller(&app.store, parts).await?.tenant {
            None => Ok(Self),
            Some(_) => Err(ApiError::Forbidden),
        }
    }
}

/// The caller has a key that works.
#[derive(Debug)]
pub struct Known;

impl FromRequestParts<App> for Known {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        caller(&app.store, parts).await.map(|_| Self)
    }
}

/// The caller has a key that works: whose it is.
#[derive(Debug)]
pub struct Caller {
    /// None for an operator's.
    pub tenant: Option<TenantId>,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let tenant = caller(&app.store, parts).await?.tenant;
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
        let key = caller(&app.store, parts).await?;
        if let Some(tenant) = &key.tenant {
            app.admission.call(tenant, app.clock.now())?;
        }
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::NotFound("tenant"))?;
        let named = params
            .iter()
            .find(|(name, _)| *name == "tenant")
            .map(|(_, value)| value.to_owned());
        match (named, key.tenant) {
            (None, Some(tenant)) => Ok(Self {
                tenant,
                operator: false,
            }),
            (None, None) => Err(ApiError::BadRequest(
                "an operator names the tenant: use /v1/tenants/{tenant}/…".to_owned(),
            )),
            // A foreign tenant and one that does not exist get the same answer.
            (Some(named), Some(tenant)) if named == tenant.as_str() => Ok(Self {
                tenant,
                operator: false,
            }),
            (Some(_), Some(_)) => Err(ApiError::NotFound("tenant")),
            (Some(named), None) => {
                let id = named.parse().map_err(|_| ApiError::NotFound("tenant"))?;
                let tenant = app
                    .store
                    .tenant(&id)
                    .await?
                    .ok_or(ApiError::NotFound("tenant"))?;
                Ok(Self {
                    tenant: tenant.id,
                    operator: true,
                })
            }
        }
    }
}
