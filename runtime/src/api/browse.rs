//! Looking things up: in turn, by readers of its own, page by page, with a bound on the answers that are in flight.

use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, SizeHint};
use serde::{Deserialize, Serialize};

use super::App;
use super::error::ApiError;
use crate::admission::{AnswerRoom, ReadTurn};
use crate::id::TenantId;
use crate::store::Store;

/// Items of a page unless the caller says so.
const PAGE: usize = 50;
/// Items of a page at most.
const PAGE_MAX: usize = 250;
/// Bytes of an answer that are given to its connection at once.
const SLICE: usize = 64 * 1024;

/// The store for one look-up, which has its turn until its answer is taken.
pub(super) struct Browse {
    store: Store,
    turn: ReadTurn,
}

impl Deref for Browse {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

impl App {
    /// A turn at looking something up for a tenant, or for an operator.
    ///
    /// # Errors
    /// [`ApiError::OverLimit`] while the caller's others are still read.
    pub(super) async fn browse(&self, tenant: Option<&TenantId>) -> Result<Browse, ApiError> {
        let turn = self.admission.read(tenant).await?;
        let store = self.store.browsing();
        Ok(Browse { store, turn })
    }
}

impl Browse {
    /// The answer as JSON. It counts against the answers in flight until its caller has taken it.
    ///
    /// # Errors
    /// [`ApiError::OverLimit`] where there is no room for it.
    pub(super) async fn answer(
        self,
        app: &App,
        value: &impl Serialize,
    ) -> Result<Response, ApiError> {
        let bytes = serde_json::to_vec(value).map_err(|_| ApiError::Internal)?;
        let room = app.admission.answer(bytes.len()).await?;
        let slices = Slices {
            rest: bytes.into(),
            _held: (self.turn, room),
        };
        let media_type = [(CONTENT_TYPE, "application/json")];
        Ok((media_type, Body::new(UnsyncBoxBody::new(slices))).into_response())
    }
}

/// An answer, slice by slice: what its peer does not take stays here, where it is counted.
struct Slices {
    rest: Bytes,
    _held: (ReadTurn, AnswerRoom),
}

impl HttpBody for Slices {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let most = SLICE.min(self.rest.len());
        let slice = self.rest.split_to(most);
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// How many items of a list.
///
/// # Errors
/// [`ApiError::BadRequest`] says the bounds.
pub(super) fn page_size(limit: Option<u64>) -> Result<usize, ApiError> {
    match limit.map(usize::try_from) {
        None => Ok(PAGE),
        Some(Ok(limit)) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(ApiError::BadRequest(format!(
            "limit must be 1 to {PAGE_MAX}"
        ))),
    }
}

/// Which page of a list that is in the order of its items' names.
#[derive(Debug)]
pub(super) struct PageOf {
    /// The name after which the page begins.
    pub(super) cursor: Option<String>,
    /// Items of the page.
    pub(super) limit: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    cursor: Option<String>,
    limit: Option<u64>,
}

impl FromRequestParts<App> for PageOf {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let query: Result<Query<PageQuery>, QueryRejection> =
            Query::from_request_parts(parts, app).await;
        let words = format!("the query may hold cursor and limit (1 to {PAGE_MAX})");
        let Query(query) = query.map_err(|_| ApiError::BadRequest(words))?;
        Ok(Self {
            cursor: query.cursor,
            limit: page_size(query.limit)?,
        })
    }
}

impl PageOf {
    /// One more than the page has: it tells whether there is another.
    pub(super) const fn reach(&self) -> usize {
        self.limit + 1
    }

    /// Cuts what was read to the page, and answers the cursor of the next one.
    pub(super) fn cut<T>(&self, items: &mut Vec<T>, name: impl Fn(&T) -> String) -> Option<String> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        items.last().filter(|_| more).map(name)
    }
}
