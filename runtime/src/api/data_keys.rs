//! Data keys: their generations, and their renewal before their time. Operators only.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;

use super::App;
use super::auth::Operator;
use super::browse::PageOf;
use super::error::ApiError;
use crate::store::{Page, Renewed};

/// `GET /v1/data-keys`.
pub(super) async fn list(
    _: Operator,
    State(app): State<App>,
    page: PageOf,
) -> Result<Response, ApiError> {
    let store = app.browse(None).await?;
    let keys = store.data_keys(page.cursor.as_deref(), page.reach());
    let mut data = keys.await?;
    let next = page.cut(&mut data, |key| key.owner.clone());
    store.answer(&app, &Page { data, next }).await
}

/// `POST /v1/data-keys/renew`: answers when the earlier generations are gone.
pub(super) async fn renew(
    _: Operator,
    State(app): State<App>,
) -> Result<Answer<Renewed>, ApiError> {
    // To its end, also when the caller goes away.
    let (store, now) = (app.store.clone(), app.clock.now());
    let renewing = async move { store.renew_data_keys(now, Duration::ZERO).await };
    let renewed = tokio::spawn(renewing).await;
    Ok(Answer(renewed.map_err(|_| ApiError::Internal)??))
}
