//! The `http` import: the guest's request goes to the egress floor as it is, nothing added.

use std::time::Duration;

use super::bindings::http;
use super::error::ConnectorError;
use super::state::State;
use crate::egress::{Credential, EgressError, HttpRequest};

impl http::Host for State {
    async fn send(
        &mut self,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, http::HttpError>> {
        let egress = self.granted("sendbox:connector/http")?;
        let _kept = self.kept.keep(egress.tenant(), request.body.len())?;
        match egress.http(outgoing(request)).await {
            Ok(response) => Ok(Ok(http::Response {
                status: response.status,
                headers: response.headers,
                body: response.body.into(),
            })),
            Err(EgressError::NotArmed) => Err(ConnectorError::NotArmed.into()),
            Err(error) => Ok(Err(told(error))),
        }
    }
}

fn outgoing(request: http::Request) -> HttpRequest {
    HttpRequest {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body.into(),
        credential: match request.credential {
            http::Credential::None => Credential::None,
            http::Credential::Basic((user, password)) => Credential::Basic(user, password),
            http::Credential::Bearer(token) => Credential::Bearer(token),
            http::Credential::Header((name, value)) => Credential::Header(name, value),
        },
        timeout: request
            .timeout
            .map(|millis| Duration::from_millis(u64::from(millis))),
    }
}

/// What a guest learns of an error: never an address, a rule or a peer's words.
fn told(error: EgressError) -> http::HttpError {
    match error {
        EgressError::Denied { .. } | EgressError::NotArmed => http::HttpError::Denied,
        EgressError::Invalid(problem) => http::HttpError::InvalidRequest(problem),
        error @ EgressError::Limit { .. } => http::HttpError::InvalidRequest(error.to_string()),
        EgressError::Dns => http::HttpError::Dns,
        EgressError::Connect(_)
        | EgressError::Family(_)
        | EgressError::SourceMissing
        | EgressError::Proxy(_) => http::HttpError::Connect,
        EgressError::Tls(_) => http::HttpError::Tls,
        EgressError::Timeout => http::HttpError::Timeout,
        EgressError::Malformed | EgressError::Interrupted => http::HttpError::Interrupted,
        EgressError::ResponseTooLarge => http::HttpError::ResponseTooLarge,
    }
}
