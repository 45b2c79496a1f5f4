//! An integration's secrets in two versions: new values are written, and the ones they replace are retired later.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::App;
use super::auth::ForTenant;
use super::body::Json;
use super::error::{ApiError, FieldError};
use super::integrations::{asked, check, find, param, shown};
use super::path::Path;
use crate::secret::Secret;
use crate::settings::{Asked, BoundSecret};
use crate::tenant::Integration;

/// New values by the JSON pointers of the secrets. It has no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotationBody {
    secrets: BTreeMap<String, String>,
}

/// `POST …/integrations/{integration}/secrets`: sends try the new values first, and those that they replace
/// where a provider refuses them. One rotation at a time.
pub(super) async fn rotate(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
    Json(body): Json<RotationBody>,
) -> Result<Answer<Value>, ApiError> {
    let mut integration = find(&app, &caller.tenant, param(&params)).await?;
    if !integration.earlier_secrets.is_empty() {
        let words = "the secrets before the last rotation are still kept: retire them first";
        return Err(ApiError::Conflict(words.to_owned()));
    }
    let connector = app.delivery.roster().connector(integration.digest).await?;
    let asked = asked(&connector.info, &integration.settings)?;
    take(&mut integration, body, &asked)?;
    check(
        &connector.schema,
        &integration.settings,
        &integration.secrets,
    )?;
    integration.updated_at = app.clock.now();
    let saved = app.store.put_integration(&integration).await?;
    app.delivery.changed(&saved.tenant, &saved.id);
    Ok(Answer(shown(&saved)))
}

/// Puts the new values in place of the known ones, which are kept.
fn take(
    integration: &mut Integration,
    body: RotationBody,
    asked: &Asked<'_>,
) -> Result<(), ApiError> {
    let mut wrong = Vec::new();
    for (pointer, value) in body.secrets {
        let problem = match integration.secrets.get_mut(&pointer) {
            None => "no secret is set there",
            Some(_) if value.is_empty() => "must not be empty",
            Some(known) if known.secret.expose() == value => "must differ from the secret in use",
            Some(known) => {
                let new = BoundSecret {
                    secret: Secret::new(value),
                    bound_to: asked.of(&pointer),
                };
                let earlier = std::mem::replace(known, new);
                integration.earlier_secrets.insert(pointer, earlier);
                continue;
            }
        };
        wrong.push(FieldError {
            pointer: format!("/secrets/{}", pointer.replace('~', "~0").replace('/', "~1")),
            message: problem.to_owned(),
        });
    }
    match (wrong.is_empty(), integration.earlier_secrets.is_empty()) {
        (false, _) => Err(ApiError::Invalid(wrong)),
        (true, true) => Err(ApiError::field("/secrets", "must name at least one secret")),
        (true, false) => Ok(()),
    }
}

/// `DELETE …/integrations/{integration}/secrets/earlier`: from now on only the newest are used.
pub(super) async fn retire(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<StatusCode, ApiError> {
    let mut integration = find(&app, &caller.tenant, param(&params)).await?;
    if integration.earlier_secrets.is_empty() {
        return Err(ApiError::NotFound("earlier version of the secrets"));
    }
    integration.earlier_secrets.clear();
    integration.updated_at = app.clock.now();
    app.store.put_integration(&integration).await?;
    Ok(StatusCode::NO_CONTENT)
}
