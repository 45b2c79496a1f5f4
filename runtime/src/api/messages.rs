//! Messages: accepted, looked up with their attempts, withdrawn.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::App;
use super::auth::{ForSending, ForTenant};
use super::body::Json;
use super::browse::page_size;
use super::error::ApiError;
use super::path::Path;
use crate::attempt::MessageState;
use crate::delivery::Submitted;
use crate::id::{MessageId, TenantId};
use crate::message::{Channel, Message, Origin, Payload, Recipient, UsageType};
use crate::store::{Cancelled, MessageFilter, Store};
use crate::template::LanguageTag;
use crate::time::Timestamp;

/// Seconds that a caller may wait for the first attempt.
const WAIT_MAX: u64 = 60;

/// A message before its checks.
pub struct Fields<'a> {
    /// How it came.
    pub origin: Origin,
    /// What it travels by.
    pub channel: Channel,
    /// Recipient.
    pub to: &'a str,
    /// Usage type.
    pub usage_type: &'a str,
    /// Template variables.
    pub payload: &'a RawValue,
    /// BCP 47 tag; else the payload's `locale`.
    pub locale: Option<String>,
    /// Client address.
    pub ip: Option<&'a str>,
    /// Time to live.
    pub expires_in: Duration,
    /// The caller's key against double submission.
    pub idempotency_key: Option<String>,
}

/// Checks the fields and makes a new message of them, accepted at `now`.
///
/// # Errors
/// [`ApiError::Invalid`] names the field.
pub fn message(now: Timestamp, tenant: TenantId, fields: Fields<'_>) -> Result<Message, ApiError> {
    let payload = Payload::parse(fields.payload)?;
    let locale = fields
        .locale
        .or_else(|| payload.text("locale"))
        .filter(|locale| !locale.is_empty());
    if locale
        .as_ref()
        .is_some_and(|locale| locale.parse::<LanguageTag>().is_err())
    {
        return Err(ApiError::field(
            "/locale",
            "must be a language tag, such as de or zh-CN",
        ));
    }
    let client_ip = match fields.ip.filter(|ip| !ip.is_empty()) {
        Some(ip) => {
            let ip: Result<IpAddr, _> = ip.parse();
            Some(ip.map_err(|_| ApiError::field("/ip", "must be an IPv4 or IPv6 address"))?)
        }
        None => None,
    };
    Ok(Message {
        id: MessageId::generate(),
        tenant,
        origin: fields.origin,
        channel: fields.channel,
        recipient: Recipient::parse(fields.channel, fields.to)?,
        usage_type: UsageType::parse(fields.usage_type)?,
        payload,
        locale,
        client_ip,
        idempotency_key: fields.idempotency_key,
        created_at: now,
        expires_at: now.after(fields.expires_in),
    })
}

/// A message as its tenant writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageBody {
    channel: Channel,
    to: String,
    #[serde(rename = "type")]
    usage_type: String,
    payload: Box<RawValue>,
    locale: Option<String>,
    ip: Option<String>,
    expires_in_seconds: Option<u64>,
}

/// `?wait=` seconds for the first attempt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    wait: Option<u64>,
}

/// `POST …/messages`: 202 once it is durable; with `?wait=`, after the first attempt.
pub(super) async fn post(
    caller: ForSending,
    State(app): State<App>,
    query: Result<Query<WaitQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    Json(body): Json<MessageBody>,
) -> Result<Response, ApiError> {
    let Query(query) =
        query.map_err(|_| ApiError::BadRequest("the query may hold wait=SECONDS".to_owned()))?;
    let wait = Duration::from_secs(query.wait.unwrap_or(0).min(WAIT_MAX));
    let fields = Fields {
        origin: Origin::Api,
        channel: body.channel,
        to: &body.to,
        usage_type: &body.usage_type,
        payload: &body.payload,
        locale: body.locale,
        ip: body.ip.as_deref(),
        expires_in: time_to_live(&app, &body.usage_type, body.expires_in_seconds)?,
        idempotency_key: idempotency_key(&headers)?,
    };
    let message = message(app.clock.now(), caller.tenant.clone(), fields)?;
    let submitted = match app.delivery.earlier(&message).await? {
        // What was accepted stays so, whatever the limits say by now.
        Some(earlier) => earlier,
        None => {
            let spending = app.admission.message(&message).await?;
            let wait = !wait.is_zero();
            app.delivery.submit(message, spending, wait).await?
        }
    };
    match submitted {
        Submitted::Accepted(id, first) => {
            if let Some(first) = first {
                // With or without an answer, the message goes on by itself.
                let _ = tokio::time::timeout(wait, first.ended()).await;
            }
            Ok((
                StatusCode::ACCEPTED,
                Answer(shown(&app.store, &caller.tenant, id).await?),
            )
                .into_response())
        }
        Submitted::Replayed(id) => {
            // What became of it is the answer to another call, which may have come with another key.
            let answer = match caller.reads {
                true => shown(&app.store, &caller.tenant, id).await?,
                false => json!({ "id": id }),
            };
            let mut response = (StatusCode::ACCEPTED, Answer(answer)).into_response();
            response
                .headers_mut()
                .insert("idempotent-replayed", HeaderValue::from_static("true"));
            Ok(response)
        }
        Submitted::Conflict => Err(ApiError::IdempotencyConflict),
    }
}

fn time_to_live(app: &App, usage_type: &str, asked: Option<u64>) -> Result<Duration, ApiError> {
    let most = app.bounds.life(usage_type);
    match asked.map(Duration::from_secs) {
        None => Ok(most),
        Some(asked) if !asked.is_zero() && asked <= most => Ok(asked),
        Some(_) => Err(ApiError::field(
            "/expires_in_seconds",
            format!("must be 1 to {}", most.as_secs()),
        )),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match (value.to_str(), values.next()) {
        (Ok(text), None) if (1..=256).contains(&text.len()) => Ok(Some(text.to_owned())),
        (_, Some(_)) => Err(ApiError::BadRequest(
            "Idempotency-Key stands in the head more than once".to_owned(),
        )),
        _ => Err(ApiError::BadRequest(
            "Idempotency-Key must be 1 to 256 printable ASCII characters".to_owned(),
        )),
    }
}

async fn shown(store: &Store, tenant: &TenantId, id: MessageId) -> Result<Value, ApiError> {
    let message = store
        .message(tenant, id)
        .await?
        .ok_or(ApiError::NotFound("message"))?;
    let mut value = serde_json::to_value(&message).map_err(|_| ApiError::Internal)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("attempts".to_owned(), json!(store.attempts(id).await?));
    }
    Ok(value)
}

fn id(params: &BTreeMap<String, String>) -> Result<MessageId, ApiError> {
    params
        .get("message")
        .and_then(|id| id.parse().ok())
        .ok_or(ApiError::NotFound("message"))
}

/// `GET …/messages/{message}`: with its attempts.
pub(super) async fn get(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<Answer<Value>, ApiError> {
    let store = app.store.browsing();
    shown(&store, &caller.tenant, id(&params)?)
        .await
        .map(Answer)
}

/// `DELETE …/messages/{message}`: withdraws one that is not under way.
pub(super) async fn cancel(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<Answer<Value>, ApiError> {
    let id = id(&params)?;
    match app.delivery.cancel(&caller.tenant, id).await? {
        Cancelled::Done(_) => shown(&app.store, &caller.tenant, id).await.map(Answer),
        Cancelled::Missing => Err(ApiError::NotFound("message")),
        Cancelled::TooLate(state) => Err(ApiError::Conflict(format!(
            "the message is {}: it cannot be withdrawn",
            state.as_str()
        ))),
    }
}

/// Which messages, and which page of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<MessageState>,
    channel: Option<Channel>,
    cursor: Option<MessageId>,
    limit: Option<u64>,
}

/// `GET …/messages`: newest first; `next` is the cursor of the following page.
pub(super) async fn list(
    caller: ForTenant,
    State(app): State<App>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|_| {
        let words: Vec<_> = MessageState::ALL
            .iter()
            .map(|state| state.as_str())
            .collect();
        let states = words.join(", ");
        ApiError::BadRequest(format!(
            "the query may hold state ({states}), channel (email, sms), cursor and limit"
        ))
    })?;
    let filter = MessageFilter {
        state: query.state,
        channel: query.channel,
    };
    let limit = page_size(query.limit)?;
    let store = app.browse(Some(&caller.tenant)).await?;
    let page = store
        .messages(&caller.tenant, &filter, query.cursor, limit)
        .await?;
    store.answer(&app, &page).await
}
