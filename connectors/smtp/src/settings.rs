//! Logto's settings for SMTP, in nodemailer's names, and what they mean for a session.
//!
//! Rules: <https://nodemailer.com/smtp>, read 2026-11-21.

use sendbox_guest::smtp::{Auth, Security, Server};
use sendbox_guest::{ContentType, Failure, Request, Response, Template, Templates};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// Where nodemailer renews access tokens by default.
const ACCESS_URL: &str = "https://accounts.google.com/o/oauth2/token";

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    host: String,
    pub(crate) port: u16,
    auth: Login,
    pub(crate) from_email: String,
    pub(crate) reply_to: Option<String>,
    pub(crate) templates: Templates<Text>,
    pub(crate) secure: Option<bool>,
    #[serde(rename = "requireTLS", default)]
    require_tls: bool,
    #[serde(rename = "ignoreTLS", default)]
    ignore_tls: bool,
    #[serde(default)]
    tls: Tls,
    servername: Option<String>,
    name: Option<String>,
    local_address: Option<String>,
    connection_timeout: Option<f64>,
    greeting_timeout: Option<f64>,
    socket_timeout: Option<f64>,
    auth_method: Option<String>,
    #[serde(default)]
    pub(crate) custom_headers: Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct Tls {
    servername: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Text {
    usage_type: String,
    pub(crate) content_type: ContentType,
    pub(crate) subject: String,
    pub(crate) content: String,
}

impl Template for Text {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
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
    private_key: Option<IgnoredAny>,
}

/// Which credentials the settings hold.
enum Way<'s> {
    None,
    Password(&'s str, &'s str),
    /// User and access token.
    Token(&'s str, &'s str),
    /// User and refresh token.
    Refresh(&'s str, &'s str),
}

#[derive(Deserialize)]
struct Granted {
    access_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

impl Settings {
    /// Whether and when TLS begins. Absent, `secure` follows the port, as in nodemailer.
    pub(crate) fn security(&self) -> Result<Security, Failure> {
        match (self.secure, self.port) {
            (Some(true), _) | (None, 465) => Ok(Security::Tls),
            (Some(false), 465) => Err(Failure::invalid_settings(
                "secure",
                "port 465 speaks TLS from its first byte, so a session without it waits for a greeting that never comes: set secure to true, or use port 587",
            )),
            _ if self.require_tls => Ok(Security::StartTls),
            _ if self.ignore_tls => Ok(Security::None),
            _ => Ok(Security::Opportunistic),
        }
    }

    fn way(&self, now: u64) -> Result<Way<'_>, Failure> {
        let auth = &self.auth;
        let kind = auth.kind.as_deref().unwrap_or_default();
        let tokens = given(auth.access_token.as_ref()).is_some()
            || given(auth.refresh_token.as_ref()).is_some();
        let user = given(auth.user.as_ref());
        if auth.private_key.is_some() {
            return Err(Failure::invalid_settings(
                "auth.privateKey",
                "service accounts are not supported: use a refresh token",
            ));
        }
        if kind.eq_ignore_ascii_case("oauth2") || tokens {
            let user = user.ok_or_else(|| missing("auth.user"))?;
            // A token that is about to end is not worth a try.
            let ended = |expires: f64| expires < (now as f64 + 30.0) * 1000.0;
            let fresh = given(auth.access_token.as_ref())
                .filter(|_| auth.refresh_token.is_none() || !auth.expires.is_some_and(ended));
            return match (fresh, given(auth.refresh_token.as_ref())) {
                (Some(token), _) => Ok(Way::Token(user, token)),
                (None, Some(token)) => Ok(Way::Refresh(user, token)),
                (None, None) => Err(missing("auth.accessToken")),
            };
        }
        match (user, given(auth.pass.as_ref())) {
            (None, None) if kind.is_empty() => Ok(Way::None),
            (None, _) => Err(missing("auth.user")),
            (Some(_), None) => Err(missing("auth.pass")),
            (Some(user), Some(pass)) => Ok(Way::Password(user, pass)),
        }
    }

    /// The request that renews the access token (RFC 6749, 6), where the settings hold no fresh one.
    pub(crate) fn token_request(&self, now: u64) -> Result<Option<Request>, Failure> {
        let Way::Refresh(_, token) = self.way(now)? else {
            return Ok(None);
        };
        let id = given(self.auth.client_id.as_ref()).ok_or_else(|| missing("auth.clientId"))?;
        let secret = given(self.auth.client_secret.as_ref());
        let secret = secret.ok_or_else(|| missing("auth.clientSecret"))?;
        let url = given(self.auth.access_url.as_ref()).unwrap_or(ACCESS_URL);
        Ok(Some(Request::post(url).form(&[
            ("client_id", id),
            ("client_secret", secret),
            ("refresh_token", token),
            ("grant_type", "refresh_token"),
        ])))
    }

    /// The server with its credentials; `token` answers [`Self::token_request`].
    pub(crate) fn server(&self, token: Option<&Response>, now: u64) -> Result<Server, Failure> {
        // A name without a dot is no name of a host to most servers; nodemailer does not use it either.
        let name = given(self.name.as_ref()).filter(|name| name.contains('.'));
        let servername = given(self.tls.servername.as_ref());
        let servername = servername.or_else(|| given(self.servername.as_ref()));
        Ok(Server {
            host: self.host.clone(),
            port: self.port,
            security: self.security()?,
            server_name: servername.map(str::to_owned),
            auth: self.auth(token, now)?,
            name: name.map(str::to_owned),
            local_address: given(self.local_address.as_ref()).map(str::to_owned),
            connect_timeout: millis(self.connection_timeout),
            command_timeout: millis(self.socket_timeout.or(self.greeting_timeout)),
        })
    }

    fn auth(&self, token: Option<&Response>, now: u64) -> Result<Auth, Failure> {
        Ok(match self.way(now)? {
            Way::None => Auth::None,
            Way::Password(user, password) => Auth::Login {
                user: user.to_owned(),
                password: password.to_owned(),
                mechanism: given(self.auth_method.as_ref().or(self.auth.method.as_ref()))
                    .map(str::to_owned),
            },
            Way::Token(user, token) => Auth::OAuth2 {
                user: user.to_owned(),
                token: token.to_owned(),
            },
            Way::Refresh(user, _) => Auth::OAuth2 {
                user: user.to_owned(),
                token: renewed(token)?,
            },
        })
    }
}

fn missing(field: &str) -> Failure {
    Failure::invalid_settings(field, "is missing")
}

/// The access token of the answer, or why there is none: without it no message is submitted.
fn renewed(answer: Option<&Response>) -> Result<String, Failure> {
    use sendbox_guest::FailureKind::{Throttled, Unauthorized, Unavailable};
    let Some(answer) = answer else {
        return Err(missing("auth.accessToken"));
    };
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
        429 => Throttled,
        500.. => Unavailable,
        _ => Unauthorized,
    };
    let words = problem.unwrap_or_else(|| format!("HTTP status {}", answer.status));
    Err(Failure::new(kind, format!("no access token: {words}")).with_code("oauth2"))
}

fn millis(value: Option<f64>) -> Option<u32> {
    // A cast of a float saturates.
    value.filter(|value| *value > 0.0).map(|value| value as u32)
}
