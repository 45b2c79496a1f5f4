//! The built-in e-mail service: what the operator lends, and what a tenant has used of it.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::App;
use super::auth::{ForTenant, Operator};
use super::body::Json;
use super::egress::gone;
use super::error::ApiError;
use crate::delivery::RosterError;
use crate::email_service::{EmailService, Month};
use crate::message::Channel;
use crate::tenant::IntegrationState;

/// Components that may hand over.
const CONNECTORS_MAX: usize = 32;
/// Tenants with a cap of their own.
const TENANT_CAPS_MAX: usize = 10_000;

/// `GET /v1/email-service`.
pub(super) async fn get(
    _: Operator,
    State(app): State<App>,
) -> Result<Answer<EmailService>, ApiError> {
    let service = app.store.email_service().await?;
    service
        .map(Answer)
        .ok_or(ApiError::NotFound("e-mail service"))
}

/// `PUT /v1/email-service`: takes effect with the next attempt.
pub(super) async fn put(
    _: Operator,
    State(app): State<App>,
    Json(mut service): Json<EmailService>,
) -> Result<Answer<EmailService>, ApiError> {
    let named = service.connectors.take();
    service.connectors = named.or_else(|| Some(app.built_in.hands_over()));
    let wrong = |message: &str| ApiError::field("/integration", message);
    let id = &service.integration;
    let integration = app.store.integration(&service.tenant, id).await?;
    let integration = integration.ok_or_else(|| wrong("the tenant has no such integration"))?;
    if integration.state != IntegrationState::Active {
        return Err(wrong("is a draft: activate it first"));
    }
    let connector = app.delivery.roster().connector(integration.digest).await?;
    if connector.info.channel != Channel::Email {
        return Err(wrong("must send e-mail"));
    }
    if connector.hands_over {
        return Err(wrong("must send by itself, and its connector hands over"));
    }
    if service.tenant_caps.len() > TENANT_CAPS_MAX {
        let message = format!("must name at most {TENANT_CAPS_MAX} tenants");
        return Err(ApiError::field("/tenant_caps", message));
    }
    check_connectors(&app, &service).await?;
    app.store.put_email_service(&service).await?;
    app.delivery.wake();
    Ok(Answer(service))
}

/// Whom the operator lends to: components that were uploaded and hand over.
async fn check_connectors(app: &App, service: &EmailService) -> Result<(), ApiError> {
    let wrong = |message: String| Err(ApiError::field("/connectors", message));
    let connectors = service.connectors.iter().flatten();
    if connectors.clone().count() > CONNECTORS_MAX {
        return wrong(format!("must name at most {CONNECTORS_MAX} components"));
    }
    for digest in connectors {
        match app.delivery.roster().connector(*digest).await {
            Ok(connector) if !connector.hands_over => {
                return wrong(format!("{digest} sends by itself: it hands nothing over"));
            }
            Ok(_) => {}
            // This server's own is uploaded when a tenant first needs it.
            Err(RosterError::Missing) if app.built_in.hands_over().contains(digest) => {}
            Err(RosterError::Missing) => {
                return wrong(format!("there is no component {digest}: upload it first"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// `DELETE /v1/email-service`: the integrations that rely on it fail from now on.
pub(super) async fn delete(_: Operator, State(app): State<App>) -> Result<StatusCode, ApiError> {
    gone(app.store.delete_email_service().await?, "e-mail service")
}

/// `GET …/email-use`: this month's, in UTC.
pub(super) async fn usage(
    caller: ForTenant,
    State(app): State<App>,
) -> Result<Answer<Value>, ApiError> {
    let month = Month::of(app.clock.now());
    let service = app.store.email_service().await?;
    Ok(Answer(json!({
        "month": month,
        "count": app.store.email_use(&caller.tenant, &month).await?,
        "cap": service.map(|service| service.cap(&caller.tenant)),
    })))
}
