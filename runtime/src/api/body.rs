//! Request bodies: JSON within a limit, with errors that name the place and never the value.

use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_ENCODING;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::App;
use super::error::ApiError;
use crate::about::printable;
use crate::json::one_reading;

/// Bytes of a JSON body.
pub const JSON_MAX: usize = 256 * 1024;

/// How long a body may take that is not long: a peer that drips bytes holds no connection for longer.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Bytes a second at which a longer one must come.
const BODY_PACE: usize = 64 * 1024;

/// A JSON body of type `T`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        let bytes = read(request, JSON_MAX).await?;
        parse(&bytes).map(Json)
    }
}

/// A field that bounds what a record may do: left out by mistake, it would open it. So a write that leaves out one
/// that is there is refused; whoever wants it gone writes `null`.
#[derive(Debug)]
pub struct Named<T>(Option<Option<T>>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|named| Self(Some(named)))
    }
}

impl<T> Named<T> {
    /// What is written, where `known` says whether there is one now.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] where there is one that the write does not name.
    pub fn instead_of(self, known: bool, pointer: &str) -> Result<Option<T>, ApiError> {
        match self.0 {
            Some(named) => Ok(named),
            None if !known => Ok(None),
            None => Err(ApiError::field(
                pointer,
                "there is one, and the body leaves it out: name it to keep it, or write null to give it up",
            )),
        }
    }
}

/// The whole body, at most `limit` bytes. One that says that it is longer is refused before it is read.
///
/// # Errors
/// [`ApiError::TooLarge`], [`ApiError::ContentEncoding`], or [`ApiError::BadRequest`] when the caller went away
/// or was too slow.
pub async fn read(request: Request, limit: usize) -> Result<Bytes, ApiError> {
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(ApiError::ContentEncoding);
    }
    if request.body().size_hint().lower() > limit as u64 {
        return Err(ApiError::TooLarge(limit));
    }
    let time = BODY_TIME + Duration::from_secs((limit / BODY_PACE) as u64);
    let body = Limited::new(request.into_body(), limit).collect();
    let Ok(body) = tokio::time::timeout(time, body).await else {
        return Err(ApiError::BadRequest(format!(
            "the body did not come within {} s",
            time.as_secs()
        )));
    };
    match body {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(ApiError::TooLarge(limit))
        }
        Err(_) => Err(ApiError::BadRequest("the body ended early".to_owned())),
    }
}

/// Parses a JSON object, in the one reading that every parser has of it. The error tells line and column, and what
/// was expected there.
///
/// # Errors
/// [`ApiError::BadRequest`], and [`ApiError::Invalid`] for a place that parsers read in different ways.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| ApiError::BadRequest("the body must be JSON in UTF-8".to_owned()))?;
    let text =
        one_reading(text).map_err(|unlike| ApiError::field(unlike.pointer, unlike.problem))?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).map_err(|error| refusal(&error));
    }
    // A list would be taken for the fields in their order.
    let _: IgnoredAny = serde_json::from_str(&text).map_err(|error| refusal(&error))?;
    Err(ApiError::BadRequest(
        "the body must be a JSON object".to_owned(),
    ))
}

fn refusal(error: &serde_json::Error) -> ApiError {
    ApiError::BadRequest(if error.is_data() {
        format!(
            "the body is not what it must be: {}",
            printable(&without_values(&error.to_string()))
        )
    } else {
        format!(
            "the body must be JSON: line {} column {}",
            error.line(),
            error.column()
        )
    })
}

/// serde repeats a wrong value in quotation marks, as a number or as a variant: each may be a secret.
fn without_values(text: &str) -> String {
    let marks = ["invalid type: ", "invalid value: ", "unknown variant "];
    let begin = marks.iter().filter_map(|mark| text.find(mark)).min();
    match (begin, text.rfind(", expected")) {
        (Some(at), Some(end)) if at < end => format!(
            "{}the value is not right{}",
            text.get(..at).unwrap_or_default(),
            text.get(end..).unwrap_or_default()
        ),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        #[expect(dead_code, reason = "only its type matters")]
        key: String,
        #[expect(dead_code, reason = "only its type matters")]
        kind: Option<Kind>,
    }

    #[derive(serde::Deserialize, Debug)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
        Html,
    }

    #[test]
    fn errors_tell_the_expected_shape_and_no_value() {
        let text = |body: &str| parse::<Shape>(body.as_bytes()).unwrap_err().to_string();
        assert!(text("{\"key\": 123456}").contains("expected a string"));
        assert!(!text("{\"key\": 123456}").contains("123456"));
        assert!(text("{\"key\"").contains("must be JSON"));
        assert!(text("{\"other\": 1}").contains("unknown field `other`"));
        assert_eq!(text("[\"k\"]"), "the body must be a JSON object");
        assert_eq!(text("null"), "the body must be a JSON object");
        assert!(text("key").contains("must be JSON"));
        assert!(!text("{\"o\\u001b\": 1}").contains(char::is_control));
        let kind = "{\"kind\": \"s3cret\", \"key\": \"k\"}";
        assert!(text(kind).contains("expected `plain` or `html`"));
        assert!(!text(kind).contains("s3cret"));
    }
}
