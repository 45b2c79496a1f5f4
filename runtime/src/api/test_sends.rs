//! Test sends: one attempt through one integration, with its saved settings or unsaved ones.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::App;
use super::auth::ForTenant;
use super::body::Json;
use super::error::ApiError;
use super::integrations::{Written, build, param};
use super::messages::{Fields, message};
use super::path::Path;
use crate::attempt::Outcome;
use crate::id::{ConnectorId, Digest, IntegrationId};
use crate::message::Origin;
use crate::replay::{ReplayResult, ReplayedOutcome, ReplayedRequest};

/// A test send: to whom, and with which settings where not the saved ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestBody {
    to: String,
    #[serde(rename = "type")]
    usage_type: Option<String>,
    payload: Option<Box<RawValue>>,
    locale: Option<String>,
    /// Needed with `settings` where the integration is not saved yet.
    connector: Option<ConnectorId>,
    digest: Option<Digest>,
    settings: Option<Value>,
    /// Whether nothing is sent, and what would have left is the answer.
    #[serde(default)]
    dry_run: bool,
}

/// `POST …/integrations/{integration}/test`: a message like others, that is sent now, once, past the
/// route. Like Logto's test it is a `Generic` message with the code 000000 unless the body says otherwise.
pub(super) async fn post(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
    Json(body): Json<TestBody>,
) -> Result<Answer<Value>, ApiError> {
    let id: IntegrationId = param(&params).parse()?;
    let known = app.store.integration(&caller.tenant, &id).await?;
    let integration = match (body.settings, known) {
        (None, Some(known)) => known,
        (None, None) => return Err(ApiError::NotFound("integration")),
        (Some(settings), known) => {
            let connector = body
                .connector
                .or_else(|| known.as_ref().map(|known| known.connector.clone()));
            let connector = connector
                .ok_or_else(|| ApiError::field("/connector", "name the connector to try"))?;
            let digest = body
                .digest
                .or_else(|| known.as_ref().map(|known| known.digest));
            let egress_pool = known.as_ref().and_then(|known| known.egress_pool.clone());
            let body = Written {
                connector,
                digest,
                settings,
                egress_pool,
            };
            build(&app, caller.tenant.clone(), id, body, known).await?
        }
    };
    let ready = app.delivery.roster().prepare(integration).await?;
    let payload = match body.payload {
        Some(payload) => payload,
        None => RawValue::from_string(r#"{"code":"000000"}"#.to_owned())
            .map_err(|_| ApiError::Internal)?,
    };
    let usage_type = body.usage_type.as_deref().unwrap_or("Generic");
    let fields = Fields {
        origin: Origin::Test,
        channel: ready.connector.info.channel,
        to: &body.to,
        usage_type,
        payload: &payload,
        locale: body.locale,
        ip: None,
        expires_in: app.bounds.life(usage_type),
        idempotency_key: None,
    };
    let message = message(app.clock.now(), caller.tenant, fields)?;
    if body.dry_run {
        let run = app.delivery.dry_run(&ready, &message).await?;
        let seen = ReplayResult::of(&message.id.to_string(), run.report, &run.capture);
        return Ok(Answer(would_leave(&seen)));
    }
    let spending = app.admission.message(&message).await?;
    let id = message.id;
    let attempt = app.delivery.test(ready, message, spending).await?;
    let duration = attempt.start.started_at.until(attempt.ended_at);
    Ok(Answer(json!({
        "id": id,
        "ok": matches!(attempt.outcome, Outcome::Receipt(_)),
        "outcome": attempt.outcome,
        "earlier_secrets": attempt.earlier_secrets,
        "exchanges": attempt.exchanges,
        "log": attempt.log,
        "duration_ms": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
    })))
}

/// What a dry run saw, each body as text where it is one. In place of each secret stands its pointer.
fn would_leave(seen: &ReplayResult) -> Value {
    let request = |request: &ReplayedRequest| {
        let body = match std::str::from_utf8(&request.body) {
            Ok(text) => json!(text),
            Err(_) => json!({ "base64": STANDARD.encode(&request.body) }),
        };
        json!({
            "method": request.method, "url": request.url, "headers": request.headers, "body": body,
        })
    };
    json!({
        "dry_run": true,
        "ok": matches!(seen.outcome, ReplayedOutcome::Receipt { .. }),
        "outcome": seen.outcome,
        "requests": seen.requests.iter().map(request).collect::<Vec<_>>(),
        "mails": seen.smtp,
        "content": seen.content,
        "log": seen.log,
    })
}
