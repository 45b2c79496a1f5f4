//! Templates of a channel, by language tag and usage type, in the shapes of Logto's management API
//! (<https://openapi.logto.io/operation/operation-getemailtemplate>, read 2026-11-21).

use std::collections::{BTreeMap, HashSet};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, patch, put};
use axum::{Extension, Json as Answer, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::App;
use super::auth::ForTenant;
use super::body::{Json, parse, read};
use super::egress::gone;
use super::error::{ApiError, FieldError};
use super::path::Path;
use crate::id::TemplateId;
use crate::message::{Channel, UsageType};
use crate::template::{
    Details, FieldProblem, LanguageTag, Languages, Template, TemplateFilter, TemplateKey,
};

/// Templates of one write.
const WRITE_MAX: usize = 100;
/// Bytes of one write: HTML for many languages is long.
const WRITE_BYTES: usize = 1 << 20;

/// Below `…/email-templates` and `…/sms-templates`.
pub(super) fn routes(channel: Channel) -> Router<App> {
    Router::new()
        .route("/", put(write).get(list).delete(delete_many))
        .route("/{template}", get(one).delete(delete))
        .route("/{template}/details", patch(change))
        .layer(Extension(channel))
}

/// Templates as their tenant writes them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteBody {
    templates: Vec<TemplateBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TemplateBody {
    language_tag: String,
    template_type: String,
    details: Map<String, Value>,
}

impl TemplateBody {
    /// The checked template, or each of its wrong fields below `pointer`.
    fn check(
        self,
        channel: Channel,
        pointer: &str,
    ) -> Result<(TemplateKey, Details), Vec<FieldError>> {
        let language_tag = self.language_tag.parse::<LanguageTag>();
        let usage_type = UsageType::parse(&self.template_type);
        let details = Details::parse(channel, self.details);
        match (language_tag, usage_type, details) {
            (Ok(language_tag), Ok(usage_type), Ok(details)) => {
                let key = TemplateKey {
                    language_tag,
                    usage_type,
                };
                Ok((key, details))
            }
            (language_tag, usage_type, details) => {
                let wrong = |field: &str, message: String| FieldError {
                    pointer: format!("{pointer}/{field}"),
                    message,
                };
                let tag = language_tag.err();
                let usage = usage_type.err();
                let tag = tag.map(|error| wrong("languageTag", format!("must be {}", error.shape)));
                let usage = usage.map(|error| wrong("templateType", error.problem));
                let details = fields(
                    details.err().unwrap_or_default(),
                    &format!("{pointer}/details"),
                );
                Err(tag.into_iter().chain(usage).chain(details).collect())
            }
        }
    }
}

fn fields(problems: Vec<FieldProblem>, pointer: &str) -> Vec<FieldError> {
    let field = |wrong: FieldProblem| FieldError {
        pointer: format!(
            "{pointer}/{}",
            wrong.field.replace('~', "~0").replace('/', "~1")
        ),
        message: wrong.problem,
    };
    problems.into_iter().map(field).collect()
}

/// A template as Logto shows it; `createdAt` in milliseconds since the Unix epoch.
fn shown(template: &Template) -> Value {
    json!({
        "tenantId": template.tenant,
        "id": template.id,
        "languageTag": template.key.language_tag,
        "templateType": template.key.usage_type,
        "details": template.details,
        "createdAt": template.created_at.as_millis(),
    })
}

fn all(templates: &[Template]) -> Answer<Value> {
    Answer(templates.iter().map(shown).collect())
}

/// `PUT …/email-templates`: makes them, or replaces their details; all or none.
async fn write(
    caller: ForTenant,
    Extension(channel): Extension<Channel>,
    State(app): State<App>,
    request: Request,
) -> Result<Answer<Value>, ApiError> {
    let body: WriteBody = parse(&read(request, WRITE_BYTES).await?)?;
    if body.templates.is_empty() || body.templates.len() > WRITE_MAX {
        return Err(ApiError::field(
            "/templates",
            format!("must list 1 to {WRITE_MAX} templates"),
        ));
    }
    let (mut texts, mut wrong, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (index, template) in body.templates.into_iter().enumerate() {
        let pointer = format!("/templates/{index}");
        match template.check(channel, &pointer) {
            Ok((key, _)) if !seen.insert(key.clone()) => wrong.push(FieldError {
                pointer,
                message: "its language tag and template type stand in the list twice".to_owned(),
            }),
            Ok(text) => texts.push(text),
            Err(errors) => wrong.extend(errors),
        }
    }
    if !wrong.is_empty() {
        return Err(ApiError::Invalid(wrong));
    }
    let (store, now) = (&app.store, app.clock.now());
    let templates = store
        .put_templates(&caller.tenant, channel, texts, now)
        .await?;
    Ok(all(&templates))
}

/// Which templates.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FilterQuery {
    language_tag: Option<String>,
    template_type: Option<String>,
}

fn filter(query: Result<Query<FilterQuery>, QueryRejection>) -> Result<TemplateFilter, ApiError> {
    let Query(query) = query.map_err(|_| {
        ApiError::BadRequest("the query may hold languageTag and templateType".to_owned())
    })?;
    let usage_type = query.template_type.map(|word| UsageType::parse(&word));
    Ok(TemplateFilter {
        language_tag: query.language_tag.map(|tag| tag.parse()).transpose()?,
        usage_type: usage_type
            .transpose()
            .map_err(|error| ApiError::BadRequest(format!("templateType {}", error.problem)))?,
    })
}

/// `GET …/email-templates`.
async fn list(
    caller: ForTenant,
    Extension(channel): Extension<Channel>,
    State(app): State<App>,
    query: Result<Query<FilterQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let filter = filter(query)?;
    let store = app.browse(Some(&caller.tenant)).await?;
    let templates = store.templates(&caller.tenant, channel, &filter).await?;
    let shown: Vec<Value> = templates.iter().map(shown).collect();
    store.answer(&app, &shown).await
}

fn id(params: &BTreeMap<String, String>) -> Result<TemplateId, ApiError> {
    params
        .get("template")
        .and_then(|id| id.parse().ok())
        .ok_or(ApiError::NotFound("template"))
}

/// `GET …/email-templates/{template}`.
async fn one(
    caller: ForTenant,
    Extension(channel): Extension<Channel>,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<Answer<Value>, ApiError> {
    let template = app.store.template(&caller.tenant, channel, id(&params)?);
    let template = template.await?.ok_or(ApiError::NotFound("template"))?;
    Ok(Answer(shown(&template)))
}

/// `PATCH …/email-templates/{template}/details`: replaces the fields that it names; `null` removes one.
async fn change(
    caller: ForTenant,
    Extension(channel): Extension<Channel>,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
    Json(changes): Json<Map<String, Value>>,
) -> Result<Answer<Value>, ApiError> {
    let edit = move |details: &Details| details.merged(changes);
    let changed = app
        .store
        .edit_template(&caller.tenant, channel, id(&params)?, edit)
        .await?
        .ok_or(ApiError::NotFound("template"))?;
    match changed {
        Ok(template) => Ok(Answer(shown(&template))),
        Err(problems) => Err(ApiError::Invalid(fields(problems, ""))),
    }
}

/// `DELETE …/email-templates/{template}`.
async fn delete(
    caller: ForTenant,
    Extension(channel): Extension<Channel>,
    State(app): State<App>,
    Path(params): Path<BTreeMap<String, String>>,
) -> Result<StatusCode, ApiError> {
    let store = &app.store;
    let deleted = store.delete_template(&caller.tenant, channel, id(&params)?);
    gone(deleted.await?, "template")
}

/// `DELETE …/email-templates?languageTag=&templateType=`: never all of them by oversight.
async fn delete_many(
    caller: ForTenant,
    Extension(channel): Extension<Channel>,
    State(app): State<App>,
    query: Result<Query<FilterQuery>, QueryRejection>,
) -> Result<Answer<Value>, ApiError> {
    let filter = filter(query)?;
    if filter == TemplateFilter::default() {
        return Err(ApiError::field(
            "",
            "name languageTag, templateType or both in the query",
        ));
    }
    let store = &app.store;
    let count = store.delete_templates(&caller.tenant, channel, &filter);
    Ok(Answer(json!({ "rowCount": count.await? })))
}

/// `GET …/languages`.
pub(super) async fn languages(
    caller: ForTenant,
    State(app): State<App>,
) -> Result<Answer<Languages>, ApiError> {
    Ok(Answer(app.store.languages(&caller.tenant).await?))
}

/// `PUT …/languages`: takes effect with the next send.
pub(super) async fn put_languages(
    caller: ForTenant,
    State(app): State<App>,
    Json(languages): Json<Languages>,
) -> Result<Answer<Languages>, ApiError> {
    app.store.put_languages(&caller.tenant, &languages).await?;
    Ok(Answer(languages))
}
