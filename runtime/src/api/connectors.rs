//! Connectors: uploaded and removed by an operator, listed for all.

use axum::Json as Answer;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::App;
use super::auth::{Operator, Reader};
use super::body;
use super::browse::PageOf;
use super::egress::gone;
use super::error::ApiError;
use super::path::Path;
use crate::connector::{Inspection, UploadError};
use crate::id::{ConnectorId, Digest};
use crate::store::{Page, Store};
use crate::tenant::ConnectorVersion;

/// The media type of a component.
const WASM: &str = "application/wasm";

async fn component(app: &App, request: Request) -> Result<(bytes::Bytes, Inspection), ApiError> {
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if media_type != Some(WASM) {
        return Err(ApiError::MediaType(WASM));
    }
    let bytes = body::read(request, app.bounds.upload).await?;
    let inspection = app.runtime.inspect(bytes.clone()).await;
    let result = inspection
        .as_ref()
        .map_or_else(UploadError::code, |_| "accepted");
    app.uploads.add([result]);
    let inspection = inspection?;
    Ok((bytes, inspection))
}

/// `POST /v1/connectors/inspect`: what an upload would find. Stores nothing.
pub(super) async fn inspect(
    _: Operator,
    State(app): State<App>,
    request: Request,
) -> Result<Answer<Inspection>, ApiError> {
    Ok(Answer(component(&app, request).await?.1))
}

/// `GET /v1/compilations`: those that wait or are under way, for whoever waits for an upload.
pub(super) async fn compilations(_: Operator, State(app): State<App>) -> Answer<Value> {
    Answer(json!({ "data": app.runtime.compilations() }))
}

/// `POST /v1/connectors`: stores a component. The same bytes again are the same version.
pub(super) async fn upload(
    _: Operator,
    State(app): State<App>,
    request: Request,
) -> Result<(StatusCode, Answer<Value>), ApiError> {
    let (bytes, inspection) = component(&app, request).await?;
    let version = ConnectorVersion {
        digest: inspection.digest,
        size: inspection.size,
        info: inspection.info.clone(),
        uploaded_at: app.clock.now(),
    };
    let new = app.store.put_connector(&version, &bytes).await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut answer = serde_json::to_value(&inspection).map_err(|_| ApiError::Internal)?;
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("uploaded_at".to_owned(), json!(version.uploaded_at));
    }
    Ok((status, Answer(answer)))
}

/// One line of a list: without schema and readme.
fn summary(version: &ConnectorVersion) -> Value {
    json!({
        "id": version.info.id,
        "channel": version.info.channel,
        "version": version.info.version,
        "title": version.info.titles.first().map(|(_, title)| title),
        "digest": version.digest,
        "size": version.size,
        "uploaded_at": version.uploaded_at,
    })
}

/// `GET /v1/connectors`: every version of every connector, newest first.
pub(super) async fn list(
    caller: Reader,
    State(app): State<App>,
    page: PageOf,
) -> Result<Response, ApiError> {
    let cursor = page.cursor.as_deref().map(str::parse::<Digest>);
    let wrong = |_| ApiError::BadRequest("cursor must be the digest of a version".to_owned());
    let cursor = cursor.transpose().map_err(wrong)?;
    let store = app.browse(caller.tenant.as_ref()).await?;
    let mut versions = store.connectors(cursor, page.reach()).await?;
    let next = page.cut(&mut versions, |version| version.digest.to_string());
    let data = versions.iter().map(summary).collect();
    store.answer(&app, &Page { data, next }).await
}

async fn versions_of(store: &Store, id: &str) -> Result<Vec<ConnectorVersion>, ApiError> {
    let id: ConnectorId = id.parse().map_err(|_| ApiError::NotFound("connector"))?;
    let versions = store.connector_versions(&id).await?;
    if versions.is_empty() {
        Err(ApiError::NotFound("connector"))
    } else {
        Ok(versions)
    }
}

/// `GET /v1/connectors/{connector}`: its versions, newest first.
pub(super) async fn versions(
    caller: Reader,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let store = app.browse(caller.tenant.as_ref()).await?;
    let versions = versions_of(&store, &id).await?;
    let data: Vec<_> = versions.iter().map(summary).collect();
    store.answer(&app, &json!({ "data": data })).await
}

/// `GET /v1/connectors/{connector}/versions/{digest}`: all that it says of itself.
pub(super) async fn get(
    caller: Reader,
    State(app): State<App>,
    Path((id, digest)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let store = app.browse(caller.tenant.as_ref()).await?;
    let versions = versions_of(&store, &id).await?;
    let found = versions
        .into_iter()
        .find(|version| version.digest.to_string() == digest);
    let found = found.ok_or(ApiError::NotFound("version"))?;
    store.answer(&app, &found).await
}

/// `DELETE /v1/connectors/{connector}/versions/{digest}`: refused while an integration uses it.
pub(super) async fn delete(
    _: Operator,
    State(app): State<App>,
    Path((id, digest)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let digest: Digest = digest.parse().map_err(|_| ApiError::NotFound("version"))?;
    if !versions_of(&app.store, &id)
        .await?
        .iter()
        .any(|version| version.digest == digest)
    {
        return Err(ApiError::NotFound("version"));
    }
    let deleted = app.store.delete_connector(digest).await?;
    if deleted {
        app.runtime.forget(digest).await;
    }
    gone(deleted, "version")
}
