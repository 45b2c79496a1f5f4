//! Talks to a server's API. It goes out through the egress floor like everything else.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::time::Instant;

use super::ServerArgs;
use super::server_url::ServerUrl;
use crate::egress::{
    Credential, Egress, EgressConfig, EgressPolicy, EgressScope, EgressSetupError, HttpRequest,
    Transport,
};
use crate::limits::Limits;
use crate::settings::Placeholders;

/// Time for a whole call: an upload may wait for other compilations before its own.
const PATIENCE: Duration = Duration::from_mins(20);
/// Bytes of a component, and of an answer.
const BODY_MAX: usize = 64 << 20;

/// What stands for itself in a path (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A server and a key for it.
pub(super) struct Client {
    base: String,
    key: String,
    egress: Arc<Egress>,
    policy: Arc<EgressPolicy>,
    limits: Arc<Limits>,
}

impl Client {
    /// A client of the server that the arguments name: any host, any address.
    pub(super) async fn new(args: &ServerArgs) -> anyhow::Result<Self> {
        let url = ServerUrl::read(&args.server).await?;
        let roots = args.ca.as_ref().filter(|file| !file.is_empty());
        let mut config = EgressConfig::client(&url.host, url.addresses);
        config.extra_roots = roots.map(PathBuf::from);
        let egress = Egress::new(&config).map_err(|error| match error {
            EgressSetupError::Roots { path, problem } => {
                anyhow::anyhow!("--ca: {}: {problem}", path.display())
            }
            error => error.into(),
        });
        let egress = Arc::new(egress?);
        let hosts = [url.authority];
        let policy = EgressPolicy::new(egress.ceiling(), None, &hosts, &Value::Null)?;
        let wall_ms = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let limits = Limits {
            wall_ms,
            first_byte_ms: wall_ms,
            request_body: BODY_MAX,
            response_body: BODY_MAX,
            requests: u32::MAX,
            ..Limits::default()
        };
        Ok(Self {
            base: url.base,
            key: args.key.trim().to_owned(),
            egress,
            policy: Arc::new(policy),
            limits: Arc::new(limits),
        })
    }

    /// Calls the API with a JSON body, or none.
    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let body = body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        let media_type = "application/json";
        let mut answer = self.exchange(method, path, media_type, body).await?;
        // A list comes in pages: it is read to its end.
        while let Some(cursor) = next(&answer) {
            let rest = format!("{path}?cursor={}", segment(&cursor));
            let page = self.exchange("GET", &rest, media_type, Bytes::new());
            append(&mut answer, page.await?);
        }
        Ok(answer)
    }

    /// Changes a record: `given` over the fields of `kept` that it has now, or over `instead` of them.
    pub(super) async fn change(
        &self,
        path: &str,
        kept: &[&str],
        instead: Option<Value>,
        given: Value,
    ) -> anyhow::Result<Value> {
        let mut body = match instead {
            Some(instead) => instead,
            None => self.kept(path, kept).await?,
        };
        overlay(&mut body, given);
        self.call("PUT", path, Some(&body)).await
    }

    /// Some fields of a record, if there is one.
    async fn kept(&self, path: &str, names: &[&str]) -> anyhow::Result<Value> {
        let known = match self.call("GET", path, None).await {
            Ok(known) => known,
            Err(error) => match error.downcast_ref::<Refused>() {
                Some(Refused { status: 404, .. }) => Value::Null,
                _ => return Err(error),
            },
        };
        let kept = |name: &&str| Some(((*name).to_owned(), known.get(*name)?.clone()));
        Ok(Value::Object(names.iter().filter_map(kept).collect()))
    }

    /// Posts a component.
    pub(super) async fn component(&self, path: &str, bytes: Vec<u8>) -> anyhow::Result<Value> {
        self.exchange("POST", path, "application/wasm", bytes.into())
            .await
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> anyhow::Result<Value> {
        let scope = EgressScope::new(
            Transport::Live(self.egress.clone()),
            "client".parse()?,
            "server".parse()?,
            0,
            None,
            self.policy.clone(),
            Placeholders::none(),
            self.limits.clone(),
            Instant::now() + PATIENCE,
            None,
        );
        let request = HttpRequest {
            method: method.to_owned(),
            url: format!("{}{path}", self.base),
            headers: vec![("content-type".to_owned(), media_type.to_owned())],
            body,
            credential: Credential::Bearer(self.key.clone()),
            timeout: None,
        };
        let response = scope
            .http(request)
            .await
            .with_context(|| format!("{} does not answer", self.base))?;
        let value = if response.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&response.body).unwrap_or_else(|_| {
                Value::String(String::from_utf8_lossy(&response.body).into_owned())
            })
        };
        if (200..300).contains(&response.status) {
            return Ok(value);
        }
        Err(Refused {
            status: response.status,
            words: refusal(response.status, &value),
        }
        .into())
    }
}

/// The server's no.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
struct Refused {
    status: u16,
    words: String,
}

/// Lays the fields of `given` over those of `body`, into objects that both have.
fn overlay(body: &mut Value, given: Value) {
    match (body, given) {
        (Value::Object(fields), Value::Object(given)) => {
            for (name, value) in given {
                overlay(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (body, given) => *body = given,
    }
}

/// The cursor of a list's next page.
fn next(list: &Value) -> Option<String> {
    list.get("data")?.as_array()?;
    list.get("next")?.as_str().map(str::to_owned)
}

fn append(list: &mut Value, mut page: Value) {
    let more = page.get_mut("data").and_then(Value::as_array_mut);
    if let (Some(all), Some(more)) = (list.get_mut("data").and_then(Value::as_array_mut), more) {
        all.append(more);
    }
    if let Some(next) = list.get_mut("next") {
        *next = page.get_mut("next").map_or(Value::Null, Value::take);
    }
}

/// The fields that were given.
pub(super) fn named<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let given = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(name, SEGMENT)
}

/// An RFC 9457 problem in words, each wrong field on its own line.
fn refusal(status: u16, problem: &Value) -> String {
    let detail = problem
        .get("detail")
        .and_then(Value::as_str)
        .unwrap_or("no reason given");
    let mut text = format!("the server answers {status}: {detail}");
    if let Some(remedy) = problem.get("remedy").and_then(Value::as_str) {
        text.push_str(&format!("\n  fix: {remedy}"));
    }
    for error in problem
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let part = |name: &str| {
            error
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        text.push_str(&format!("\n  {}: {}", part("pointer"), part("message")));
    }
    text
}
