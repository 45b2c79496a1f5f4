//! Errors of the API: the only place where a status code of a refusal is chosen (RFC 9457).

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::admission::{AdmissionError, OverLimit};
use crate::connector::UploadError;
use crate::counts::Seldom;
use crate::delivery::{RosterError, TestError};
use crate::id::IdError;
use crate::limits::Limit;
use crate::message::MessageError;
use crate::settings::SettingsProblem;
use crate::store::StoreError;
use crate::tenant::Role;

/// After which a send under way may have ended.
const PLACE_WAIT: Duration = Duration::from_secs(1);
/// Of lists that take too long.
static TOO_LONG: Seldom = Seldom::new();

/// A place in the request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer into the body.
    pub pointer: String,
    /// The shape that was expected; never the value.
    pub message: String,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No key, or one that does not work (any more).
    #[error("give a valid API key as 'Authorization: Bearer …'")]
    Unauthorized,
    /// The key works, but not for this.
    #[error("this needs an operator's key")]
    Forbidden,
    /// The key works, but its role lets it do other things only.
    #[error("a key with the role {} may not do this", .0.as_str())]
    Role(Role),
    /// There is none, or it is not the caller's: the two are never told apart.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The body or the URL is malformed.
    #[error("{0}")]
    BadRequest(String),
    /// Well-formed, but a field is not what it must be.
    #[error("{}", .0.first().map_or("the body is not valid", |e| e.message.as_str()))]
    Invalid(Vec<FieldError>),
    /// The body is over its limit.
    #[error("the body must be at most {0} bytes")]
    TooLarge(usize),
    /// The head is over its limit.
    #[error("the request's head must be at most {0} bytes")]
    HeadTooLarge(usize),
    /// The path has other methods.
    #[error("the path has other methods, which stand in 'Allow'")]
    Method,
    /// An upload must be a component.
    #[error("send the component as 'Content-Type: {0}'")]
    MediaType(&'static str),
    /// A body that may be larger than it looks.
    #[error("send the body as it is: 'Content-Encoding' is not accepted")]
    ContentEncoding,
    /// The component was refused.
    #[error("{detail}")]
    Upload {
        /// A stable word for the reason.
        code: &'static str,
        /// The reason in words.
        detail: String,
        /// What its author can do about it.
        remedy: String,
    },
    /// The idempotency key belongs to another message.
    #[error("the idempotency key was used with another message in the last 24 hours")]
    IdempotencyConflict,
    /// A limit of the tenant or of the node: nothing was taken.
    #[error(transparent)]
    OverLimit(OverLimit),
    /// Something else needs it.
    #[error("{0}")]
    Conflict(String),
    /// Nothing was accepted; the same request may succeed later.
    #[error("the store is not available: nothing was accepted, try again")]
    Unavailable,
    /// A defect of the server.
    #[error("an internal error: nothing is known to be accepted")]
    Internal,
}

impl ApiError {
    /// A path that names nothing.
    pub(super) fn path() -> Self {
        Self::BadRequest("a name in the path is not UTF-8, percent-encoded".to_owned())
    }

    /// A single wrong field.
    pub fn field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            pointer: pointer.into(),
            message: message.into(),
        }])
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Role(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) | Self::Upload { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType(_) | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdempotencyConflict | Self::Conflict(_) => StatusCode::CONFLICT,
            Self::OverLimit(over) => match over.limit {
                Limit::FreeDisk => StatusCode::INSUFFICIENT_STORAGE,
                Limit::NodeMemory | Limit::ReadTime | Limit::Answers => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                _ => StatusCode::TOO_MANY_REQUESTS,
            },
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Seconds after which the same request may succeed, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Unavailable => Some(1),
            Self::OverLimit(over) => over
                .wait
                .map(|wait| wait.as_millis().div_ceil(1_000) as u64),
            _ => None,
        }
    }

    /// A stable word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden | Self::Role(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::BadRequest(_) => "bad_request",
            Self::Invalid(_) => "invalid",
            Self::TooLarge(_) => "too_large",
            Self::HeadTooLarge(_) => "head_too_large",
            Self::Method => "method_not_allowed",
            Self::MediaType(_) => "media_type",
            Self::ContentEncoding => "content_encoding",
            Self::Upload { code, .. } => code,
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::OverLimit(over) => over.limit.code(),
            Self::Conflict(_) => "conflict",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let errors: &[FieldError] = if let Self::Invalid(errors) = &self {
            errors
        } else {
            &[]
        };
        let remedy = match &self {
            Self::Upload { remedy, .. } => Some(remedy.as_str()),
            _ => None,
        };
        let problem = Problem {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.code(),
            detail: self.to_string(),
            remedy,
            errors,
        };
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::InUse { what, by } => {
                Self::Conflict(format!("the {what} is in use by {by}"))
            }
            StoreError::Changed(what) => Self::Conflict(format!(
                "the {what} was changed by another call meanwhile: read it again, and repeat the change on what is there now"
            )),
            StoreError::Full(limit) => Self::Conflict(limit),
            StoreError::TooLong => {
                if TOO_LONG.now() {
                    tracing::warn!(
                        limit = Limit::ReadTime.code(),
                        "a list took longer to read than it may (node_limits.read_ms)"
                    );
                }
                Self::OverLimit(OverLimit {
                    limit: Limit::ReadTime,
                    detail: "reading took longer than it may (node_limits.read_ms): ask for less"
                        .to_owned(),
                    wait: Some(Duration::from_secs(1)),
                })
            }
            StoreError::KeyFile(_) | StoreError::Record(_) => Self::Conflict(error.to_string()),
            StoreError::Missing(what) if what.starts_with("tenant ") => Self::NotFound("tenant"),
            StoreError::Unavailable(_) => {
                tracing::error!(%error, "the store is not available");
                Self::Unavailable
            }
            error => {
                tracing::error!(%error, "the store failed");
                Self::Internal
            }
        }
    }
}

impl From<OverLimit> for ApiError {
    fn from(over: OverLimit) -> Self {
        Self::OverLimit(over)
    }
}

impl From<AdmissionError> for ApiError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::OverLimit(over) => Self::OverLimit(over),
            AdmissionError::Store(error) => error.into(),
        }
    }
}

impl From<MessageError> for ApiError {
    fn from(error: MessageError) -> Self {
        Self::field(format!("/{}", error.field), error.problem)
    }
}

impl From<IdError> for ApiError {
    fn from(error: IdError) -> Self {
        Self::BadRequest(error.to_string())
    }
}

impl From<Vec<SettingsProblem>> for ApiError {
    fn from(problems: Vec<SettingsProblem>) -> Self {
        let field = |problem: SettingsProblem| FieldError {
            pointer: format!("/settings{}", problem.pointer),
            message: problem.message,
        };
        Self::Invalid(problems.into_iter().map(field).collect())
    }
}

impl From<RosterError> for ApiError {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::Store(error) => error.into(),
            RosterError::Missing => Self::NotFound("integration"),
            RosterError::Settings { pointer, message } => {
                Self::field(format!("/settings{pointer}"), message)
            }
            RosterError::Policy(error) => Self::field("/settings", error.to_string()),
            RosterError::Draft
            | RosterError::NotLent
            | RosterError::NotLentTo(_)
            | RosterError::NoSource(_)
            | RosterError::Suspended { .. }
            | RosterError::Warming { .. } => Self::Conflict(error.to_string()),
            RosterError::Connector(error) => {
                tracing::error!(%error, "a stored component does not load");
                Self::Internal
            }
        }
    }
}

impl From<TestError> for ApiError {
    fn from(error: TestError) -> Self {
        match error {
            TestError::NoPlace => Self::OverLimit(OverLimit {
                limit: Limit::Concurrency,
                detail: format!("{error} (delivery.tenant_concurrency, delivery.concurrency)"),
                wait: Some(PLACE_WAIT),
            }),
            TestError::Roster(error) => error.into(),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        Self::Upload {
            code: error.code(),
            detail: error.to_string(),
            remedy: error.remedy(),
        }
    }
}
