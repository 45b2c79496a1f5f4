//! Routes: the ordered integrations of a channel.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::auth::ForTenant;
use super::body::Json;
use super::egress::gone;
use super::error::ApiError;
use super::path::Path;
use crate::id::IntegrationId;
use crate::message::Channel;
use crate::tenant::{IntegrationState, Route};

/// Integrations of a route.
const INTEGRATIONS_MAX: usize = 8;

/// A route as its tenant writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteBody {
    integrations: Vec<IntegrationId>,
}

fn channel(params: &BTreeMap<String, String>) -> Result<Channel, ApiError> {
    params
        .get("channel")
        .and_then(|word| Channel::parse(word))
        .ok_or(ApiError::NotFound("channel"))
}

/// `GET …/routes`.
pub(super) async fn list(
    caller: ForTenant,
    State(app): State<App>,
) -> Result<Answer<Value>, ApiError> {
    let mut routes = Vec::new();
    for channel in [Channel::Email, Channel::Sms] {
        routes.extend(app.store.route(&caller.tenant, channel).await?);
    }
    Ok(Answer(json!({ "data": routes })))
}

/// `GET …/routes/{channel}`.
pub(super) async fn get(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<Answer<Route>, ApiError> {
    let route = app.store.route(&caller.tenant, channel(&params)?).await?;
    route.map(Answer).ok_or(ApiError::NotFound("route"))
}

/// `PUT …/routes/{channel}`: takes effect with the next attempt.
pub(super) async fn put(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
    Json(body): Json<RouteBody>,
) -> Result<Answer<Route>, ApiError> {
    let channel = channel(&params)?;
    let ids = body.integrations;
    if ids.is_empty() || ids.len() > INTEGRATIONS_MAX {
        return Err(ApiError::field(
            "/integrations",
            format!("must list 1 to {INTEGRATIONS_MAX} integrations"),
        ));
    }
    for (index, id) in ids.iter().enumerate() {
        let wrong =
            |message: String| Err(ApiError::field(format!("/integrations/{index}"), message));
        if ids.iter().take(index).any(|earlier| earlier == id) {
            return wrong(format!("{id} stands in the list twice"));
        }
        let Some(integration) = app.store.integration(&caller.tenant, id).await? else {
            return wrong(format!("there is no integration {id}"));
        };
        if integration.state != IntegrationState::Active {
            return wrong(format!("{id} is a draft: activate it first"));
        }
        let connector = app.delivery.roster().connector(integration.digest).await?;
        if connector.info.channel != channel {
            return wrong(format!("{id} sends by {}", connector.info.channel.as_str()));
        }
    }
    let earlier = app.store.route(&caller.tenant, channel).await?;
    let route = Route {
        channel,
        integrations: ids,
    };
    app.store.put_route(&caller.tenant, &route).await?;
    for integration in earlier.into_iter().flat_map(|route| route.integrations) {
        app.delivery.rerouted(&caller.tenant, &integration);
    }
    app.delivery.wake();
    Ok(Answer(route))
}

/// `DELETE …/routes/{channel}`: messages of the channel fail from now on.
pub(super) async fn delete(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<StatusCode, ApiError> {
    gone(
        app.store
            .delete_route(&caller.tenant, channel(&params)?)
            .await?,
        "route",
    )
}
