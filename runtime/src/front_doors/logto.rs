//! The body that Logto's HTTP e-mail and HTTP SMS connectors post, and answers that Logto can show to people.
//!
//! Format: <https://docs.logto.io/integrations/http-email>, read 2026-11-21. Logto takes any 2xx as
//! success and shows the body of anything else to the person who signs in, so a refusal is one short
//! plain sentence without a provider's words.

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::auth::caller;
use crate::api::body::{JSON_MAX, parse, read};
use crate::api::error::ApiError;
use crate::api::messages::{Fields, message};
use crate::api::path::Path;
use crate::api::{App, Bounds};
use crate::attempt::{MessageState, Outcome};
use crate::delivery::{Ended, Submitted};
use crate::id::TenantId;
use crate::limits::Limit;
use crate::message::{Channel, Message, Origin};
use crate::outcome::FailureKind;
use crate::tenant::Role;
use crate::time::Timestamp;

/// Unknown fields are let through: a newer Logto may add some.
#[derive(Deserialize)]
struct LogtoBody {
    to: String,
    #[serde(rename = "type")]
    usage_type: String,
    payload: Box<RawValue>,
    ip: Option<String>,
}

/// `POST /front-doors/logto/{tenant}/{channel}`, a key of the tenant in `Authorization`: one with the role `sender`
/// is enough.
pub(super) async fn post(
    State(app): State<App>,
    names: Result<Path<(String, String)>, ApiError>,
    request: Request,
) -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    let accepted = match names {
        Ok(Path((tenant, channel))) => accept(&app, &tenant, &channel, request).await,
        Err(error) => Err(error),
    };
    let (status, body) = match accepted {
        Ok(answer) => answer,
        Err(error) => {
            let wait = error.retry_after().map(HeaderValue::from);
            headers.extend(wait.map(|wait| (RETRY_AFTER, wait)));
            (error.status(), format!("{}\n", sentence(&error)))
        }
    };
    let media_type = match status.is_success() {
        true => "application/json",
        false => "text/plain; charset=utf-8",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    (status, headers, body)
}

async fn accept(
    app: &App,
    tenant: &str,
    channel: &str,
    request: Request,
) -> Result<(StatusCode, String), ApiError> {
    let (parts, body) = request.into_parts();
    let key = caller(app, &parts).await?;
    let channel = Channel::parse(channel).ok_or(ApiError::NotFound("channel"))?;
    let tenant = match (key.role, &key.tenant) {
        (Role::Sender | Role::TenantAdmin, Some(own)) if own.as_str() == tenant => own.clone(),
        _ => return Err(ApiError::NotFound("tenant")),
    };
    let bytes = read(Request::from_parts(parts, body), JSON_MAX).await?;
    let own = Terms {
        tenant,
        channel,
        bounds: app.bounds,
        now: app.clock.now(),
    };
    let message = posted(&bytes, own)?;
    let spending = app.admission.message(&message).await?;
    let id = message.id;
    match app.delivery.submit(message, spending, true).await? {
        Submitted::Accepted(_, Some(first)) => {
            match tokio::time::timeout(app.bounds.front_door_wait, first.ended()).await {
                Ok(Some(ended)) => Ok(answer(&id.to_string(), &ended)),
                // The first attempt goes on, or another one will.
                _ => Ok(accepted(&id.to_string())),
            }
        }
        _ => Ok(accepted(&id.to_string())),
    }
}

/// What a message has from elsewhere than its body.
pub(super) struct Terms {
    pub(super) tenant: TenantId,
    pub(super) channel: Channel,
    pub(super) bounds: Bounds,
    pub(super) now: Timestamp,
}

/// The message that a body asks for.
pub(super) fn posted(bytes: &[u8], terms: Terms) -> Result<Message, ApiError> {
    let body: LogtoBody = parse(bytes)?;
    let fields = Fields {
        origin: Origin::FrontDoor,
        channel: terms.channel,
        to: &body.to,
        usage_type: &body.usage_type,
        payload: &body.payload,
        locale: None,
        ip: body.ip.as_deref(),
        expires_in: terms.bounds.life(&body.usage_type),
        idempotency_key: None,
    };
    message(terms.now, terms.tenant, fields)
}

fn accepted(id: &str) -> (StatusCode, String) {
    (StatusCode::ACCEPTED, format!("{{\"id\":\"{id}\"}}\n"))
}

/// The end of the first attempt, or of the message, for the person who waits for a code. A message that is tried again,
/// or that may have been sent, is no failure yet.
fn answer(id: &str, ended: &Ended) -> (StatusCode, String) {
    match (ended.state, &ended.outcome) {
        (MessageState::Sent, _) => (StatusCode::OK, format!("{{\"id\":\"{id}\"}}\n")),
        (MessageState::Waiting | MessageState::Unknown, _) => accepted(id),
        (_, Some(Outcome::Failure(failure))) if failure.kind == FailureKind::Rejected => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "The message could not be sent to this recipient.\n".to_owned(),
        ),
        _ => (
            StatusCode::BAD_GATEWAY,
            "The message could not be sent. Please try again later.\n".to_owned(),
        ),
    }
}

/// A refusal in words for the person, or for the one who sets Logto up.
pub(super) fn sentence(error: &ApiError) -> String {
    match error {
        ApiError::Unauthorized => "The Authorization of this connector is not valid.".to_owned(),
        ApiError::NotFound(_) => "The endpoint of this connector does not exist.".to_owned(),
        ApiError::Invalid(errors) if errors.iter().any(|error| error.pointer == "/to") => {
            "The recipient is not valid.".to_owned()
        }
        ApiError::Invalid(errors) => {
            let place = errors.first().map_or("", |error| error.pointer.as_str());
            format!("The message is not valid: {place}: {error}.")
        }
        ApiError::BadRequest(_) | ApiError::TooLarge(_) => {
            format!("The message is not valid: {error}.")
        }
        ApiError::OverLimit(over) if over.limit == Limit::Recipient => {
            "This recipient was sent enough messages for now. Please try again later.".to_owned()
        }
        ApiError::OverLimit(_) => {
            "Too many messages for now. Please try again in a moment.".to_owned()
        }
        ApiError::Unavailable => "The message was not accepted. Please try again.".to_owned(),
        _ => "The message could not be accepted.".to_owned(),
    }
}
