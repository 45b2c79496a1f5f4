//! From the guest's request to the one that stands on the wire: secrets filled in, each encoded for its
//! place, and the host's own headers added.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::meter::{Meter, Payload};
use super::policy::EgressPolicy;
use super::target::Target;
use super::{Credential, EgressError, HttpRequest, headers};
use crate::limits::{Limit, Limits};
use crate::settings::{FillError, Place, Placeholders};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A request as it stands on the wire. Holds secrets in the clear: no `Debug`.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) target: Target,
    /// In the order in which they are written, the host's own included.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether a secret was filled in anywhere.
    pub(super) has_secret: bool,
}

impl Outgoing {
    /// The request for a connection, in origin form.
    pub(super) fn into_request(self, meter: &Arc<Meter>) -> Request<Payload> {
        let uri = Uri::from(self.target.path_and_query);
        let mut request = Request::new(Payload::new(self.body, Arc::clone(meter)));
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// Fills in one request's placeholders and notes whether there were any.
pub(super) struct Filler<'p> {
    placeholders: &'p Placeholders,
    policy: &'p EgressPolicy,
    has_secret: bool,
}

impl EgressError {
    /// Why a text's secrets were not filled in; `limit` bounds what may come out, which `detail` words.
    pub(super) fn unfilled(error: FillError, limit: Limit, detail: impl Fn() -> String) -> Self {
        match error {
            FillError::TooLong { .. } => Self::Limit {
                limit,
                detail: detail(),
            },
            FillError::Place(error) => Self::Invalid(error.to_string()),
            FillError::Host { .. } => Self::Denied {
                rule: "secret.other-host",
            },
        }
    }
}

impl<'p> Filler<'p> {
    pub(super) fn new(placeholders: &'p Placeholders, policy: &'p EgressPolicy) -> Self {
        Self {
            placeholders,
            policy,
            has_secret: false,
        }
    }

    fn fill(
        &mut self,
        text: &str,
        place: Place,
        target: Option<&Target>,
        most: usize,
        escape: fn(&str) -> String,
    ) -> Result<String, FillError> {
        let may_go =
            |setting: &str| target.is_some_and(|target| self.policy.may_carry(setting, target));
        let filled = self
            .placeholders
            .fill_in(text, place, may_go, most, escape)?;
        self.has_secret |= matches!(filled, Cow::Owned(_));
        Ok(filled.into_owned())
    }

    /// A header's value, or a part of one.
    fn header(
        &mut self,
        text: &str,
        target: &Target,
        limits: &Limits,
    ) -> Result<String, EgressError> {
        let most = limits.header_bytes;
        let filled = self.fill(text, Place::Header, Some(target), most, str::to_owned);
        filled.map_err(|error| {
            EgressError::unfilled(error, Limit::HeaderSize, || headers::too_large(limits))
        })
    }

    /// The request's target. A secret may stand in the query alone.
    pub(super) fn target(&mut self, url: &str, limits: &Limits) -> Result<Target, EgressError> {
        let most = limits.url_bytes;
        let over = |error| {
            let detail = || format!("a URL may have {most} bytes");
            EgressError::unfilled(error, Limit::Url, detail)
        };
        let (before, query) = match url.find('?') {
            Some(at) => url.split_at(at),
            None => (url, ""),
        };
        let filled = self.fill(before, Place::Elsewhere, None, most, str::to_owned);
        let mut filled = filled.map_err(over)?;
        let most = most.saturating_sub(filled.len());
        // The host is known before any secret is put behind it.
        let target = match self.placeholders.stand_in(query) {
            true => Some(Target::parse(&filled)?),
            false => None,
        };
        let query = self.fill(query, Place::Query, target.as_ref(), most, percent);
        filled.push_str(&query.map_err(over)?);
        Target::parse(&filled)
    }

    /// The whole request to a target that the policy lets through.
    pub(super) fn outgoing(
        mut self,
        request: HttpRequest,
        target: Target,
        limits: &Limits,
    ) -> Result<Outgoing, EgressError> {
        let method = method(&request.method)?;
        let mut headers = HeaderMap::new();
        headers.insert(HOST, headers::value(&HOST, &target.host_header())?);
        let mut tally = headers::Tally::default();
        for (name, value) in &request.headers {
            let value = self.header(value, &target, limits)?;
            tally.add(name, &value, limits)?;
            let name = headers::name(name)?;
            if headers::folded(name.as_str()) != ACCEPT_ENCODING.as_str() {
                let value = headers::value(&name, &value)?;
                headers
                    .try_append(name, value)
                    .map_err(|_| EgressError::Invalid("too many headers".to_owned()))?;
            }
        }
        if let Some((name, value)) = self.credential(&request.credential, &target, limits)? {
            tally.add(name.as_str(), &value, limits)?;
            let value = headers::value(&name, &value)?;
            headers.insert(name, value);
        }
        let body = self.body(request.body, headers.get(CONTENT_TYPE), &target, limits)?;
        add_own(&mut headers, &method, body.len());
        Ok(Outgoing {
            method,
            target,
            headers,
            body,
            has_secret: self.has_secret,
        })
    }

    fn credential(
        &mut self,
        credential: &Credential,
        target: &Target,
        limits: &Limits,
    ) -> Result<Option<(HeaderName, String)>, EgressError> {
        let mut fill = |text: &str| self.header(text, target, limits);
        Ok(match credential {
            Credential::None => None,
            Credential::Basic(user, password) => {
                let (user, password) = (fill(user)?, fill(password)?);
                if user.contains(':') {
                    return Err(EgressError::Invalid(
                        "the user name of basic authentication holds a colon".to_owned(),
                    ));
                }
                let pair = STANDARD.encode(format!("{user}:{password}"));
                Some((AUTHORIZATION, format!("Basic {pair}")))
            }
            Credential::Bearer(token) => Some((AUTHORIZATION, format!("Bearer {}", fill(token)?))),
            Credential::Header(name, value) => Some((headers::name(name)?, fill(value)?)),
        })
    }

    fn body(
        &mut self,
        body: Bytes,
        content_type: Option<&HeaderValue>,
        target: &Target,
        limits: &Limits,
    ) -> Result<Bytes, EgressError> {
        let most = limits.request_body;
        let over = || format!("a request's body may have {most} bytes");
        // What is no text holds no placeholder.
        let Ok(text) = std::str::from_utf8(&body) else {
            let fits = body.len() <= most;
            return fits.then_some(body).ok_or_else(|| EgressError::Limit {
                limit: Limit::RequestBody,
                detail: over(),
            });
        };
        let may_go = |setting: &str| self.policy.may_carry(setting, target);
        let escape = escape_for(content_type);
        let filled = self
            .placeholders
            .fill_in(text, Place::Body, may_go, most, escape);
        let filled =
            filled.map_err(|error| EgressError::unfilled(error, Limit::RequestBody, over))?;
        match filled {
            Cow::Borrowed(_) => Ok(body),
            Cow::Owned(text) => {
                self.has_secret = true;
                Ok(text.into())
            }
        }
    }
}

fn add_own(headers: &mut HeaderMap, method: &Method, body: usize) {
    // Nothing is decoded for the guest: a compressed bomb stays small.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if !headers.contains_key(USER_AGENT) {
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("sendbox/", env!("CARGO_PKG_VERSION"))),
        );
    }
    let has_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    if has_body || body > 0 {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body));
    }
}

fn method(text: &str) -> Result<Method, EgressError> {
    Ok(match text {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        _ => {
            return Err(EgressError::Denied {
                rule: "method.not-allowed",
            });
        }
    })
}

/// How a secret is written into a body of this type.
fn escape_for(content_type: Option<&HeaderValue>) -> fn(&str) -> String {
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        json_inner
    } else if essence == "application/x-www-form-urlencoded" {
        percent
    } else {
        str::to_owned
    }
}

fn json_inner(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
