//! The HTTP API under `/v1`, and the router that holds it and the front doors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};

use crate::admission::Admission;
use crate::built_in::BuiltIn;
use crate::config::Bound;
use crate::connector::ConnectorRuntime;
use crate::counts::Tally;
use crate::delivery::Delivery;
use crate::front_doors;
use crate::message::{Channel, UsageType};
use crate::store::Store;
use crate::time::Clock;

pub mod auth;
pub mod body;
mod browse;
mod connectors;
mod data_keys;
mod egress;
mod email_service;
pub mod error;
mod health;
mod integrations;
mod keys;
pub mod messages;
mod metrics;
pub mod path;
mod routes;
mod sealing_keys;
mod secrets;
mod templates;
mod tenants;
mod test_sends;

use error::ApiError;

/// What the doors stand on. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Records and the outbox.
    pub store: Store,
    /// Where uploads are inspected.
    pub runtime: Arc<ConnectorRuntime>,
    /// Where messages go.
    pub delivery: Delivery,
    /// What is limited by configuration, with the hard maxima.
    pub limits: Arc<BTreeMap<String, Bound>>,
    /// What comes with the program.
    pub built_in: Arc<BuiltIn>,
    /// Uploads since the process started, by result: `accepted` or the code of the refusal.
    pub uploads: Arc<Tally<1>>,
    /// What may come in.
    pub admission: Arc<Admission>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Bounds of the doors.
    pub bounds: Bounds,
}

/// What the doors give and allow.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long a front door's caller waits for the first attempt.
    pub front_door_wait: Duration,
    /// How long a message lives unless its caller says less.
    pub time_to_live: Duration,
    /// The same for an invitation.
    pub invitation_time_to_live: Duration,
    /// Bytes of an uploaded component.
    pub upload: usize,
}

impl Bounds {
    /// How long a message of a usage type, by its word on the wire, lives unless its caller says less.
    #[must_use]
    pub fn life(&self, usage_type: &str) -> Duration {
        match UsageType::parse(usage_type) {
            Ok(UsageType::OrganizationInvitation) => self.invitation_time_to_live,
            _ => self.time_to_live,
        }
    }
}

/// Every route.
pub fn router(app: App) -> Router {
    let tenant = tenant_routes();
    let v1 = Router::new()
        .route("/limits", get(health::limits))
        .route("/tenants", get(tenants::list))
        .route(
            "/tenants/{tenant}",
            put(tenants::put).get(tenants::get).delete(tenants::delete),
        )
        .route("/tenants/{tenant}/keys", post(keys::create).get(keys::list))
        .route(
            "/tenants/{tenant}/keys/{key}",
            axum::routing::delete(keys::revoke),
        )
        .route(
            "/operator-keys",
            post(keys::create_operators).get(keys::list_operators),
        )
        .route(
            "/operator-keys/{key}",
            axum::routing::delete(keys::revoke_operators),
        )
        .route(
            "/email-service",
            put(email_service::put)
                .get(email_service::get)
                .delete(email_service::delete),
        )
        .route("/tenants/{tenant}/egress/explain", get(egress::explain))
        .route("/egress/addresses", get(egress::addresses))
        .route("/egress/sources", get(egress::list_sources))
        .route(
            "/egress/sources/{name}",
            put(egress::put_source)
                .get(egress::get_source)
                .delete(egress::delete_source),
        )
        .route("/egress/pools", get(egress::list_pools))
        .route(
            "/egress/pools/{name}",
            put(egress::put_pool)
                .get(egress::get_pool)
                .delete(egress::delete_pool),
        )
        .route(
            "/connectors",
            post(connectors::upload).get(connectors::list),
        )
        .route("/connectors/inspect", post(connectors::inspect))
        .route("/compilations", get(connectors::compilations))
        .route("/connectors/{connector}", get(connectors::versions))
        .route(
            "/connectors/{connector}/versions/{digest}",
            get(connectors::get).delete(connectors::delete),
        )
        .nest("/tenants/{tenant}", tenant.clone())
        .merge(tenant)
        .merge(sealing_routes());
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::get))
        .nest("/v1", v1)
        .merge(front_doors::router())
        .fallback(async || ApiError::NotFound("route"))
        .method_not_allowed_fallback(async || ApiError::Method)
        .with_state(app)
}

/// What a tenant has: below its name, and below `/v1` for the tenant that the key belongs to.
fn tenant_routes() -> Router<App> {
    Router::new()
        .route("/integrations", get(integrations::list))
        .route(
            "/integrations/{integration}",
            put(integrations::put)
                .get(integrations::get)
                .delete(integrations::delete),
        )
        .route(
            "/integrations/{integration}/activate",
            post(integrations::activate),
        )
        .route("/integrations/{integration}/test", post(test_sends::post))
        .route("/integrations/{integration}/secrets", post(secrets::rotate))
        .route(
            "/integrations/{integration}/secrets/earlier",
            axum::routing::delete(secrets::retire),
        )
        .route("/routes", get(routes::list))
        .route(
            "/routes/{channel}",
            put(routes::put).get(routes::get).delete(routes::delete),
        )
        .nest("/email-templates", templates::routes(Channel::Email))
        .nest("/sms-templates", templates::routes(Channel::Sms))
        .route(
            "/languages",
            put(templates::put_languages).get(templates::languages),
        )
        .route("/email-use", get(email_service::usage))
        .route("/messages", post(messages::post).get(messages::list))
        .route(
            "/messages/{message}",
            get(messages::get).delete(messages::cancel),
        )
}

/// What seals, and what seals that.
fn sealing_routes() -> Router<App> {
    Router::new()
        .route("/sealing-keys", get(sealing_keys::list))
        .route("/sealing-keys/rotate", post(sealing_keys::rotate))
        .route(
            "/sealing-keys/{key}",
            axum::routing::delete(sealing_keys::delete),
        )
        .route("/data-keys", get(data_keys::list))
        .route("/data-keys/renew", post(data_keys::renew))
}
