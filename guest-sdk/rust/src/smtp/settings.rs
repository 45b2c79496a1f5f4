//! Logto's settings for SMTP, in nodemailer's names, and what they mean for a session.
//!
//! Rules: <https://nodemailer.com/smtp>, read 2026-11-21.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::oauth2::{self, Login, Way, given};
use super::{Auth, Security, Server, SmtpError};
use crate::failure::Failure;
use crate::http::{Request, Response};
use crate::mail::MailTemplate;
use crate::usage::Templates;

/// What an operator fills in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    host: String,
    port: u16,
    auth: Login,
    /// An address, or `Name <address>`.
    pub from_email: String,
    /// Where answers go: as `from_email`, or empty.
    pub reply_to: Option<String>,
    /// The mails' texts.
    pub templates: Templates<MailTemplate>,
    secure: Option<bool>,
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
    custom_headers: Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct Tls {
    servername: Option<String>,
}

impl Settings {
    /// Whether and when TLS begins. Absent, `secure` follows the port, as in nodemailer.
    fn security(&self) -> Result<Security, Failure> {
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

    /// The request for an access token, where the settings hold what it is made of and no fresh one.
    /// `now` counts seconds since the Unix epoch.
    ///
    /// # Errors
    /// `invalid-settings` for what cannot work, before anything is sent.
    pub fn token_request(&self, now: u64) -> Result<Option<Request>, Failure> {
        self.security()?;
        oauth2::token_request(&self.auth, now)
    }

    /// The server with its credentials; `token` answers [`Self::token_request`].
    ///
    /// # Errors
    /// `invalid-settings` for what cannot work, and why there is no access token.
    pub fn server(&self, token: Option<&Response>, now: u64) -> Result<Server, Failure> {
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
        let way = self.auth.way(now)?;
        let user = self.auth.user().to_owned();
        Ok(match way {
            Way::None => Auth::None,
            Way::Password(password) => Auth::Login {
                user,
                password: password.to_owned(),
                mechanism: given(self.auth_method.as_ref())
                    .or(self.auth.method())
                    .map(str::to_owned),
            },
            Way::Token(token) => Auth::OAuth2 {
                user,
                token: token.to_owned(),
            },
            Way::Refresh(_) | Way::Service { .. } => Auth::OAuth2 {
                user,
                token: oauth2::granted(token)?,
            },
        })
    }

    /// The settings' own headers; one with several values comes more than once.
    ///
    /// # Errors
    /// `invalid-settings` where a value is no text.
    pub fn headers(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut headers = Vec::new();
        for (name, values) in &self.custom_headers {
            let one = std::slice::from_ref(values);
            for value in values.as_array().map_or(one, Vec::as_slice) {
                let value = value.as_str().ok_or_else(|| {
                    let words = "a value is neither a text nor a list of texts";
                    Failure::invalid_settings("customHeaders", words)
                })?;
                headers.push((name.clone(), value.to_owned()));
            }
        }
        Ok(headers)
    }

    /// What an error means with these settings: which of them to change, where that is known.
    #[must_use]
    pub fn failure(&self, error: SmtpError) -> Failure {
        let begins_in_clear = self.secure == Some(true) && self.port != 465;
        let hint = match &error {
            SmtpError::Tls(_) | SmtpError::Connect | SmtpError::Timeout if begins_in_clear => {
                let words = "is true, but a session on this port usually begins in clear and changes to TLS (STARTTLS): set secure to false, or use port 465";
                return Failure::invalid_settings("secure", words);
            }
            SmtpError::Tls(words) if words.contains("STARTTLS") => {
                "; use port 465 with secure, or a server that offers STARTTLS"
            }
            SmtpError::Tls(_) => {
                "; tls.rejectUnauthorized and tls.ca are not used: the operator can trust another authority"
            }
            SmtpError::Denied => {
                "; without the operator's leave only ports 465 and 587 may be used, not 25, and nothing leaves in clear"
            }
            _ => "",
        };
        let mut failure = Failure::from(error);
        failure.message.push_str(hint);
        failure
    }
}

fn millis(value: Option<f64>) -> Option<u32> {
    // A cast of a float saturates.
    value.filter(|value| *value > 0.0).map(|value| value as u32)
}
