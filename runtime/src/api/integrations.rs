//! Integrations: saved as a draft, activated, removed.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::App;
use super::auth::ForTenant;
use super::body::{Json, Named};
use super::browse::PageOf;
use super::egress::gone;
use super::error::ApiError;
use super::path::Path;
use crate::about::ConnectorInfo;
use crate::egress::expanded_hosts;
use crate::id::{ConnectorId, Digest, IntegrationId, PoolName, TenantId};
use crate::settings::{Asked, BoundSecret, SettingsSchema, exposed, join, texts};
use crate::store::Page;
use crate::tenant::{Integration, IntegrationState};

/// An integration as its tenant writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntegrationBody {
    connector: ConnectorId,
    digest: Option<Digest>,
    settings: Value,
    #[serde(default)]
    egress_pool: Named<PoolName>,
}

/// What an integration is to be.
pub(super) struct Written {
    pub(super) connector: ConnectorId,
    /// A version's digest; the newest upload by default.
    pub(super) digest: Option<Digest>,
    pub(super) settings: Value,
    pub(super) egress_pool: Option<PoolName>,
}

impl IntegrationBody {
    fn over(self, known: Option<&Integration>) -> Result<Written, ApiError> {
        let has_pool = known.is_some_and(|known| known.egress_pool.is_some());
        Ok(Written {
            connector: self.connector,
            digest: self.digest,
            settings: self.settings,
            egress_pool: self.egress_pool.instead_of(has_pool, "/egress_pool")?,
        })
    }
}

/// An integration as it is shown: secrets only by name.
pub(super) fn shown(integration: &Integration) -> Value {
    json!({
        "id": integration.id,
        "connector": integration.connector,
        "digest": integration.digest,
        "state": integration.state,
        "settings": integration.settings,
        "secrets": integration.secrets.keys().collect::<Vec<_>>(),
        "earlier_secrets": integration.earlier_secrets.keys().collect::<Vec<_>>(),
        "egress_pool": integration.egress_pool,
        "revision": integration.revision,
        "updated_at": integration.updated_at,
    })
}

pub(super) async fn find(app: &App, tenant: &TenantId, id: &str) -> Result<Integration, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound("integration"))?;
    app.store
        .integration(tenant, &id)
        .await?
        .ok_or(ApiError::NotFound("integration"))
}

/// `GET …/integrations`.
pub(super) async fn list(
    caller: ForTenant,
    State(app): State<App>,
    page: PageOf,
) -> Result<Response, ApiError> {
    let store = app.browse(Some(&caller.tenant)).await?;
    let tenant = &caller.tenant;
    let names = store.integration_names(tenant, page.cursor.as_deref(), page.reach());
    let mut names = names.await?;
    let next = page.cut(&mut names, ToString::to_string);
    // One after the other: what is read is larger in memory than what is shown of it.
    let mut data = Vec::with_capacity(names.len());
    for name in &names {
        if let Some(integration) = store.integration(tenant, name).await? {
            let shown = to_raw_value(&shown(&integration));
            data.push(shown.map_err(|_| ApiError::Internal)?);
        }
    }
    store.answer(&app, &Page { data, next }).await
}

/// `GET …/integrations/{integration}`: with its circuit, which says whether its provider is down.
pub(super) async fn get(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<Answer<Value>, ApiError> {
    let found = find(&app, &caller.tenant, param(&params)).await?;
    let circuit = app.delivery.circuit(&caller.tenant, &found.id);
    let mut shown = shown(&found);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("circuit".to_owned(), json!(circuit));
    }
    Ok(Answer(shown))
}

/// The integration's name; the tenant's may stand in the path as well.
pub(super) fn param(params: &BTreeMap<String, String>) -> &str {
    params.get("integration").map_or("", String::as_str)
}

/// `PUT …/integrations/{integration}`: a new one is a draft. A secret that is left out keeps its value, and its
/// pool is lost only by a `null`.
pub(super) async fn put(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
    Json(body): Json<IntegrationBody>,
) -> Result<(StatusCode, Answer<Value>), ApiError> {
    let id: IntegrationId = param(&params).parse()?;
    let known = app.store.integration(&caller.tenant, &id).await?;
    let body = body.over(known.as_ref())?;
    check_pool(&app, &caller, &body, known.as_ref()).await?;
    let status = if known.is_some() {
        StatusCode::OK
    } else {
        let there = app.store.integration_count(&caller.tenant).await?;
        app.admission.integration(there)?;
        StatusCode::CREATED
    };
    check_size(&app, &body.settings)?;
    let others = app.store.settings_bytes(&caller.tenant, &id).await?;
    app.admission.settings_bytes(&body.settings, others)?;
    let integration = build(&app, caller.tenant, id, body, known).await?;
    if integration.state == IntegrationState::Active {
        // Routes use it: what cannot send must not take its place.
        app.delivery.roster().prepare(integration.clone()).await?;
    }
    let saved = app.store.put_integration(&integration).await?;
    app.delivery.changed(&saved.tenant, &saved.id);
    Ok((status, Answer(shown(&saved))))
}

/// Which addresses a tenant leaves from is the operator's choice.
async fn check_pool(
    app: &App,
    caller: &ForTenant,
    body: &Written,
    known: Option<&Integration>,
) -> Result<(), ApiError> {
    if body.egress_pool.as_ref() == known.and_then(|known| known.egress_pool.as_ref()) {
        return Ok(());
    }
    if !caller.operator {
        return Err(ApiError::Forbidden);
    }
    match &body.egress_pool {
        Some(pool) if app.store.pool(pool).await?.is_none() => Err(ApiError::field(
            "/egress_pool",
            format!("there is no egress pool {pool}: make it first"),
        )),
        _ => Ok(()),
    }
}

/// The record that a body stands for, its settings checked against the connector's schema. Secrets that are given
/// now are bound to what the connector asks for with these settings; known ones are kept only for the same.
pub(super) async fn build(
    app: &App,
    tenant: TenantId,
    id: IntegrationId,
    body: Written,
    known: Option<Integration>,
) -> Result<Integration, ApiError> {
    check_size(app, &body.settings)?;
    let digest = version(app, &body).await?;
    let connector = app.delivery.roster().connector(digest).await?;
    let schema = &connector.schema;
    // Parted before anything else is read: no known secret ever stands among settings.
    let (mut settings, given) = schema.split(body.settings);
    let problems = exposed(&settings);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let asked = asked(&connector.info, &settings)?;
    let mut secrets = asked.bind(given);
    let mut earlier_secrets = BTreeMap::new();
    if let Some(known) = &known {
        asked.keep(schema, &mut settings, &mut secrets, &known.secrets)?;
        // Who writes another secret here replaces it: only a rotation keeps what it was.
        if known.secrets == secrets {
            asked.check_earlier(&known.earlier_secrets)?;
            earlier_secrets.clone_from(&known.earlier_secrets);
        }
    }
    check(schema, &settings, &secrets)?;
    Ok(Integration {
        id,
        tenant,
        connector: body.connector,
        digest,
        state: known
            .as_ref()
            .map_or(IntegrationState::Draft, |known| known.state),
        settings,
        secrets,
        earlier_secrets,
        egress_pool: body.egress_pool,
        revision: known.map_or(0, |known| known.revision),
        updated_at: app.clock.now(),
    })
}

/// What a connector asks for with these settings, which hold no secret.
pub(super) fn asked<'i>(info: &'i ConnectorInfo, settings: &Value) -> Result<Asked<'i>, ApiError> {
    let hosts = expanded_hosts(&info.hosts, settings)
        .map_err(|error| ApiError::field("/settings", error.to_string()))?;
    Ok(Asked { info, hosts })
}

/// Checks parted settings, with their secrets, against their schema.
pub(super) fn check(
    schema: &SettingsSchema,
    settings: &Value,
    secrets: &BTreeMap<String, BoundSecret>,
) -> Result<(), ApiError> {
    let whole = join(settings.clone(), texts(secrets));
    let mut problems = schema.problems_when_written(&whole);
    if problems.is_empty() {
        problems = schema.unknown_fields(&whole);
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.into()),
    }
}

fn check_size(app: &App, settings: &Value) -> Result<(), ApiError> {
    let wrong = |message| ApiError::field("/settings", message);
    app.admission.settings(settings).map_err(wrong)
}

async fn version(app: &App, body: &Written) -> Result<Digest, ApiError> {
    let versions = app.store.connector_versions(&body.connector).await?;
    let found = match body.digest {
        Some(digest) => versions.iter().find(|version| version.digest == digest),
        None => versions.first(),
    };
    found
        .map(|version| version.digest)
        .ok_or_else(|| match body.digest {
            Some(_) => ApiError::field(
                "/digest",
                "no uploaded version of the connector has this digest",
            ),
            None => ApiError::field(
                "/connector",
                format!("there is no connector {}: upload it first", body.connector),
            ),
        })
}

/// `DELETE …/integrations/{integration}`: refused while a route names it.
pub(super) async fn delete(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<StatusCode, ApiError> {
    let integration = find(&app, &caller.tenant, param(&params)).await?;
    gone(
        app.store
            .delete_integration(&caller.tenant, &integration.id)
            .await?,
        "integration",
    )
}

/// `POST …/integrations/{integration}/activate`: routes may name it from now on.
pub(super) async fn activate(
    caller: ForTenant,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<Answer<Value>, ApiError> {
    let mut integration = find(&app, &caller.tenant, param(&params)).await?;
    app.delivery.roster().prepare(integration.clone()).await?;
    integration.state = IntegrationState::Active;
    integration.updated_at = app.clock.now();
    let saved = app.store.put_integration(&integration).await?;
    Ok(Answer(shown(&saved)))
}
