//! Egress sources and pools, and what comes of them: an operator's work.

use std::net::IpAddr;

use axum::Json as Answer;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::auth::{Operator, Reader};
use super::body::{Json, Named};
use super::error::ApiError;
use super::path::Path;
use crate::egress::Destination;
use crate::id::{PoolName, SourceName};
use crate::secret::Secret;
use crate::source::{EgressPool, EgressSource, Proxy, WarmUp};
use crate::tenant::Tenant;

/// Members of a pool.
const MEMBERS_MAX: usize = 256;
/// Days of a warm-up.
const WARM_UP_DAYS_MAX: usize = 366;

/// A source as an operator writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceBody {
    /// As it is shown: the path has it.
    #[serde(rename = "name")]
    _name: Option<SourceName>,
    address: IpAddr,
    ehlo_name: Option<String>,
    #[serde(default)]
    proxy: Named<Proxy>,
    #[serde(default)]
    warm_up: Named<WarmUp>,
}

impl SourceBody {
    fn over(
        self,
        name: SourceName,
        known: Option<&EgressSource>,
    ) -> Result<EgressSource, ApiError> {
        let has_proxy = known.is_some_and(|known| known.proxy.is_some());
        let is_new = known.is_some_and(|known| known.warm_up.is_some());
        Ok(EgressSource {
            name,
            address: self.address.to_canonical(),
            ehlo_name: self.ehlo_name,
            proxy: self.proxy.instead_of(has_proxy, "/proxy")?,
            warm_up: self.warm_up.instead_of(is_new, "/warm_up")?,
        })
    }
}

/// A source as it is shown: a secret only by name.
fn shown(source: &EgressSource) -> Value {
    let mut record = json!(source);
    let password = source
        .proxy
        .as_ref()
        .and_then(|proxy| proxy.password.as_ref());
    if let (Some(fields), Some(_)) = (record.as_object_mut(), password) {
        fields.insert("secrets".to_owned(), json!(["/proxy/password"]));
    }
    record
}

/// `GET /v1/egress/sources`.
pub(super) async fn list_sources(
    _: Operator,
    State(app): State<App>,
) -> Result<Response, ApiError> {
    let store = app.browse(None).await?;
    let sources = store.sources().await?;
    let shown: Vec<Value> = sources.iter().map(shown).collect();
    store.answer(&app, &json!({ "data": shown })).await
}

/// `PUT /v1/egress/sources/{name}`. Its proxy and its warm-up are lost only by a `null`; the beginning of the warm-up
/// and the proxy's password stay where they are left out.
pub(super) async fn put_source(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
    Json(body): Json<SourceBody>,
) -> Result<Answer<Value>, ApiError> {
    let name: SourceName = name.parse()?;
    let (known, seen) = match app.store.source_with_revision(&name).await? {
        Some((known, revision)) => (Some(known), revision),
        None => (None, 0),
    };
    let mut source = body.over(name, known.as_ref())?;
    if let Some(warm_up) = &mut source.warm_up {
        let known = known.as_ref().and_then(|known| known.warm_up.as_ref());
        let began_at = known.and_then(|known| known.began_at);
        let began_at = began_at.unwrap_or_else(|| app.clock.now());
        warm_up.began_at.get_or_insert(began_at);
    }
    if let Some(proxy) = &mut source.proxy {
        let known = known.and_then(|known| known.proxy);
        // Not for another proxy: that one would learn it.
        let same = known.filter(|known| {
            (known.kind, known.address, &known.user) == (proxy.kind, proxy.address, &proxy.user)
        });
        if proxy.password.is_none() {
            proxy.password = same.and_then(|known| known.password);
        }
    }
    check_source(&source)?;
    app.store.put_source(&source, seen).await?;
    Ok(Answer(shown(&source)))
}

fn check_source(source: &EgressSource) -> Result<(), ApiError> {
    if source.address.is_unspecified() || source.address.is_multicast() {
        return Err(ApiError::field(
            "/address",
            "must be an address of this machine, such as 203.0.113.7, or with a proxy the one it leaves from",
        ));
    }
    if let Some(name) = &source.ehlo_name
        && !is_host_name(name)
    {
        return Err(ApiError::field(
            "/ehlo_name",
            "must be a host name, such as mail.example.com",
        ));
    }
    if let Some(warm_up) = &source.warm_up {
        let days = [warm_up.per_day.len(), warm_up.per_hour.len()];
        if days == [0, 0] || days.iter().any(|days| *days > WARM_UP_DAYS_MAX) {
            let shape = "must have per_day, per_hour or both, each a list of 1 to 366 numbers";
            return Err(ApiError::field("/warm_up", shape));
        }
    }
    source.proxy.as_ref().map_or(Ok(()), check_proxy)
}

fn check_proxy(proxy: &Proxy) -> Result<(), ApiError> {
    let ip = proxy.address.ip();
    if proxy.address.port() == 0 || ip.is_unspecified() || ip.is_multicast() {
        let shape = "must be an address with its port, such as 10.0.0.5:1080";
        return Err(ApiError::field("/proxy/address", shape));
    }
    let password = proxy.password.as_ref().map(Secret::expose);
    let credentials = match (proxy.user.as_deref(), password) {
        (None, None) => return Ok(()),
        (Some(user), Some(password)) => [user, password],
        _ => {
            let shape = "user and password go together";
            return Err(ApiError::field("/proxy", shape));
        }
    };
    // RFC 1929 counts octets in one octet; a colon would end the user of RFC 7617.
    let is_good = |text: &str| (1..=255).contains(&text.len()) && !text.contains(char::is_control);
    if !credentials.into_iter().all(is_good) || credentials[0].contains(':') {
        let shape = "user and password must have 1 to 255 bytes without control characters, and no colon stands in a user";
        return Err(ApiError::field("/proxy", shape));
    }
    Ok(())
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// `GET /v1/egress/sources/{name}`.
pub(super) async fn get_source(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Answer<Value>, ApiError> {
    let missing = || ApiError::NotFound("egress source");
    let name: SourceName = name.parse().map_err(|_| missing())?;
    let source = app.store.source(&name).await?.ok_or_else(missing)?;
    Ok(Answer(shown(&source)))
}

/// `DELETE /v1/egress/sources/{name}`: refused while a pool has it.
pub(super) async fn delete_source(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let name: SourceName = name
        .parse()
        .map_err(|_| ApiError::NotFound("egress source"))?;
    gone(app.store.delete_source(&name).await?, "egress source")
}

/// `GET /v1/egress/pools`.
pub(super) async fn list_pools(_: Operator, State(app): State<App>) -> Result<Response, ApiError> {
    let store = app.browse(None).await?;
    let pools = store.pools().await?;
    store.answer(&app, &json!({ "data": pools })).await
}

/// `PUT /v1/egress/pools/{name}`.
pub(super) async fn put_pool(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
    Json(mut pool): Json<EgressPool>,
) -> Result<Answer<EgressPool>, ApiError> {
    pool.name = name.parse()?;
    if pool.sources.is_empty() || pool.sources.len() > MEMBERS_MAX {
        return Err(ApiError::field(
            "/sources",
            format!("must list 1 to {MEMBERS_MAX} sources"),
        ));
    }
    for (index, member) in pool.sources.iter().enumerate() {
        if app.store.source(&member.source).await?.is_none() {
            let message = format!("there is no egress source {}: make it first", member.source);
            return Err(ApiError::field(format!("/sources/{index}/source"), message));
        }
    }
    app.store.put_pool(&pool).await?;
    Ok(Answer(pool))
}

/// `GET /v1/egress/pools/{name}`.
pub(super) async fn get_pool(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Answer<EgressPool>, ApiError> {
    let name: PoolName = name
        .parse()
        .map_err(|_| ApiError::NotFound("egress pool"))?;
    app.store
        .pool(&name)
        .await?
        .map(Answer)
        .ok_or(ApiError::NotFound("egress pool"))
}

/// `DELETE /v1/egress/pools/{name}`: refused while a tenant or integration leaves by it.
pub(super) async fn delete_pool(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let name: PoolName = name
        .parse()
        .map_err(|_| ApiError::NotFound("egress pool"))?;
    gone(app.store.delete_pool(&name).await?, "egress pool")
}

/// What is to be explained.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    /// `host`, `host:port`, or a URL.
    host: String,
}

/// `GET /v1/tenants/{tenant}/egress/explain`: how a tenant would leave for a host, and what would refuse it.
pub(super) async fn explain(
    _: Operator,
    State(app): State<App>,
    Path(tenant): Path<String>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let tenant = tenant_named(&app, &tenant).await?;
    let shape = "the query must hold host: HOST, HOST:PORT, or a URL";
    let Query(query) = query.map_err(|_| ApiError::BadRequest(shape.to_owned()))?;
    let destination = Destination::parse(&query.host).map_err(|error| {
        ApiError::BadRequest(format!("no connector could ask for this: {error}"))
    })?;
    let store = app.browse(None).await?;
    let explained = app.delivery.explain(&store, &tenant, &destination).await?;
    store.answer(&app, &explained).await
}

/// Whose addresses.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressesQuery {
    tenant: Option<String>,
}

/// `GET /v1/egress/addresses`: what sends leave from, for allow-lists at providers. A tenant's key gets
/// its own tenant's.
pub(super) async fn addresses(
    caller: Reader,
    State(app): State<App>,
    query: Result<Query<AddressesQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let shape = "the query may hold tenant";
    let Query(query) = query.map_err(|_| ApiError::BadRequest(shape.to_owned()))?;
    let turn = caller.tenant.clone();
    let tenant = match (caller.tenant, query.tenant) {
        (Some(own), Some(named)) if own.as_str() != named => {
            return Err(ApiError::NotFound("tenant"));
        }
        (Some(own), _) => Some(tenant_named(&app, own.as_str()).await?),
        (None, Some(named)) => Some(tenant_named(&app, &named).await?),
        (None, None) => None,
    };
    let store = app.browse(turn.as_ref()).await?;
    let addresses = app.delivery.addresses(&store, tenant.as_ref()).await?;
    store.answer(&app, &addresses).await
}

async fn tenant_named(app: &App, name: &str) -> Result<Tenant, ApiError> {
    let missing = || ApiError::NotFound("tenant");
    let id = name.parse().map_err(|_| missing())?;
    app.store.tenant(&id).await?.ok_or_else(missing)
}

/// The answer to a deletion.
pub(super) fn gone(existed: bool, what: &'static str) -> Result<StatusCode, ApiError> {
    if existed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound(what))
    }
}
