//! Credentials in nodemailer's names, and the requests that turn them into an access token: by
//! refresh token (RFC 6749, 6), or as a service account (RFC 7523, 2.1).
//!
//! Rules: <https://nodemailer.com/smtp/oauth2>; service accounts:
//! <https://developers.google.com/identity/protocols/oauth2/service-account>; both read 2026-11-21.

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureKind};
use crate::http::{Request, Response};
use crate::sign::jwt;

/// Where nodemailer renews access tokens by default.
const REFRESH_URL: &str = "https://accounts.google.com/o/oauth2/token";
/// Where Google gives service accounts theirs.
const SERVICE_URL: &str = "https://oauth2.googleapis.com/token";
/// All of a mailbox: what Google asks for SMTP.
const SCOPE: &str = "https://mail.google.com/";
/// How long an assertion is valid, in seconds, as in nodemailer.
const VALIDITY: u64 = 300;
/// A token that ends in so many seconds is not worth a try.
const MARGIN: f64 = 30.0;

/// `auth` of the settings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Login {
    #[serde(rename = "type")]
    kind: Option<String>,
    user: Option<String>,
    pass: Option<String>,
    method: Option<String>,
    access_token: Option<String>,
    /// Milliseconds since the Unix epoch.
    expires: Option<f64>,
    refresh_token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    access_url: Option<String>,
    service_client: Option<String>,
    private_key: Option<String>,
}

/// Which credentials the settings hold.
pub(super) enum Way<'s> {
    None,
    Password(&'s str),
    Token(&'s str),
    Refresh(&'s str),
    Service { client: &'s str, key: &'s str },
}

/// What a service account claims (RFC 7523, 3).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Login {
    pub(super) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }

    pub(super) fn method(&self) -> Option<&str> {
        given(self.method.as_ref())
    }

    pub(super) fn way(&self, now: u64) -> Result<Way<'_>, Failure> {
        let kind = self.kind.as_deref().unwrap_or_default();
        let user = given(self.user.as_ref());
        let token = given(self.access_token.as_ref());
        let refresh = given(self.refresh_token.as_ref());
        let client = given(self.service_client.as_ref());
        let key = given(self.private_key.as_ref());
        let with_token = [token, refresh, client, key].iter().any(Option::is_some);
        if with_token || kind.eq_ignore_ascii_case("oauth2") {
            user.ok_or_else(|| missing("auth.user"))?;
            let renewable = refresh.or(client).is_some();
            let ended = |expires: f64| expires < (now as f64 + MARGIN) * 1000.0;
            let fresh = token.filter(|_| !(renewable && self.expires.is_some_and(ended)));
            // A service account before a refresh token, as in nodemailer.
            return match (fresh, client, key, refresh) {
                (Some(token), ..) => Ok(Way::Token(token)),
                (None, Some(client), Some(key), _) => Ok(Way::Service { client, key }),
                (None, Some(_), None, _) => Err(missing("auth.privateKey")),
                (None, None, _, Some(token)) => Ok(Way::Refresh(token)),
                (None, None, Some(_), None) => Err(missing("auth.serviceClient")),
                (None, None, None, None) => Err(missing("auth.accessToken")),
            };
        }
        match (user, given(self.pass.as_ref())) {
            (None, None) if kind.is_empty() => Ok(Way::None),
            (None, _) => Err(missing("auth.user")),
            (Some(_), None) => Err(missing("auth.pass")),
            (Some(_), Some(pass)) => Ok(Way::Password(pass)),
        }
    }
}

/// The request for an access token, where one is needed.
pub(super) fn token_request(login: &Login, now: u64) -> Result<Option<Request>, Failure> {
    let url = given(login.access_url.as_ref());
    let request = match login.way(now)? {
        Way::None | Way::Password(_) | Way::Token(_) => return Ok(None),
        Way::Refresh(token) => {
            let id = given(login.client_id.as_ref()).ok_or_else(|| missing("auth.clientId"))?;
            let secret = given(login.client_secret.as_ref());
            let secret = secret.ok_or_else(|| missing("auth.clientSecret"))?;
            let pairs = [
                ("client_id", id),
                ("client_secret", secret),
                ("refresh_token", token),
                ("grant_type", "refresh_token"),
            ];
            Request::post(url.unwrap_or(REFRESH_URL)).form(&pairs)
        }
        Way::Service { client, key } => {
            let url = url.unwrap_or(SERVICE_URL);
            let claims = Claims {
                iss: client,
                scope: SCOPE,
                sub: login.user(),
                aud: url,
                iat: now,
                exp: now + VALIDITY,
            };
            let assertion = jwt(key, &claims).map_err(|error| {
                Failure::invalid_settings("auth.privateKey", &error.to_string())
            })?;
            Request::post(url).form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", &assertion),
            ])
        }
    };
    Ok(Some(request))
}

/// The access token of the answer, or why there is none: without it no message is submitted.
pub(super) fn granted(answer: Option<&Response>) -> Result<String, Failure> {
    let answer = answer.ok_or_else(|| missing("auth.accessToken"))?;
    let granted = answer.json::<Granted>();
    let (token, problem) = granted.map_or((None, None), |granted| {
        (
            granted.access_token,
            granted.error_description.or(granted.error),
        )
    });
    if let Some(token) = token.filter(|token| answer.is_success() && !token.is_empty()) {
        return Ok(token);
    }
    let kind = match answer.status {
        429 => FailureKind::Throttled,
        500.. => FailureKind::Unavailable,
        _ => FailureKind::Unauthorized,
    };
    let words = problem.unwrap_or_else(|| format!("HTTP status {}", answer.status));
    Err(Failure::new(kind, format!("no access token: {words}")).with_code("oauth2"))
}

/// A text that is there and not empty.
pub(super) fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn missing(field: &str) -> Failure {
    Failure::invalid_settings(field, "is missing")
}
