//! `AUTH` (RFC 4954): which mechanism, and its exchange.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use super::reply::{Channel, Reply};
use super::session::Pace;
use super::{SmtpAuth, SmtpError};
use crate::egress::EgressError;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Login,
    CramMd5,
}

impl Mechanism {
    /// Under TLS the simplest first; CRAM-MD5 keeps the password from the wire, but makes servers keep it in clear.
    const UNDER_TLS: [Self; 3] = [Self::Plain, Self::Login, Self::CramMd5];
    const IN_CLEAR: [Self; 3] = [Self::CramMd5, Self::Plain, Self::Login];

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }
}

/// Logs in. The secrets in `auth` are filled in.
pub(super) async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
    channel: &mut Channel<S>,
    auth: &SmtpAuth,
    offered: &[String],
    under_tls: bool,
    pace: &Pace,
) -> Result<(), SmtpError> {
    let reply = match auth {
        SmtpAuth::None => return Ok(()),
        SmtpAuth::OAuth2 { user, token } => {
            if !offered.iter().any(|name| name == "XOAUTH2") {
                return Err(not_offered("XOAUTH2", offered).into());
            }
            check(user, '\u{1}')?;
            check(token, '\u{1}')?;
            let response = format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}");
            let reply = say(channel, "AUTH XOAUTH2 ", &response, pace).await?;
            match reply.code {
                // Why it failed, in JSON; an empty line asks for the reply proper.
                334 => channel.command("", pace.command()).await?,
                _ => reply,
            }
        }
        SmtpAuth::Login {
            user,
            password,
            mechanism,
        } => {
            check(user, '\0')?;
            check(password, '\0')?;
            match choose(mechanism.as_deref(), offered, under_tls)? {
                Mechanism::Plain => {
                    let response = format!("\0{user}\0{password}");
                    say(channel, "AUTH PLAIN ", &response, pace).await?
                }
                Mechanism::Login => login(channel, user, password, pace).await?,
                Mechanism::CramMd5 => cram_md5(channel, user, password, pace).await?,
            }
        }
    };
    finished(&reply)
}

fn finished(reply: &Reply) -> Result<(), SmtpError> {
    match reply.code {
        235 => Ok(()),
        500..600 => Err(SmtpError::Unauthorized(reply.told())),
        _ => Err(SmtpError::of(reply.told())),
    }
}

fn choose(
    asked: Option<&str>,
    offered: &[String],
    under_tls: bool,
) -> Result<Mechanism, EgressError> {
    let order = match under_tls {
        true => Mechanism::UNDER_TLS,
        false => Mechanism::IN_CLEAR,
    };
    let asked_for =
        |known: &Mechanism| asked.is_none_or(|asked| known.name().eq_ignore_ascii_case(asked));
    let is_offered = |known: &Mechanism| offered.iter().any(|name| name == known.name());
    let mut known = order.into_iter().filter(asked_for);
    known
        .find(is_offered)
        .ok_or_else(|| not_offered(asked.unwrap_or("PLAIN, LOGIN or CRAM-MD5"), offered))
}

fn not_offered(wanted: &str, offered: &[String]) -> EgressError {
    let known = |name: &&String| {
        name.len() <= 20
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let offered: Vec<_> = offered.iter().filter(known).map(String::as_str).collect();
    let offered = match offered.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let wanted: String = wanted.chars().take(40).collect();
    EgressError::Invalid(format!(
        "the server does not offer the login method {wanted} (it offers {offered})"
    ))
}

fn check(text: &str, separator: char) -> Result<(), EgressError> {
    if text.contains(separator) {
        return Err(EgressError::Invalid(
            "a credential holds a control character".to_owned(),
        ));
    }
    Ok(())
}

/// Sends `prefix` and `text` in base64.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    channel: &mut Channel<S>,
    prefix: &str,
    text: &str,
    pace: &Pace,
) -> Result<Reply, EgressError> {
    let line = Zeroizing::new(format!("{prefix}{}\r\n", STANDARD.encode(text)));
    let until = pace.command();
    channel.write(line.as_bytes(), until).await?;
    channel.reply(until).await
}

async fn login<S: AsyncRead + AsyncWrite + Unpin>(
    channel: &mut Channel<S>,
    user: &str,
    password: &str,
    pace: &Pace,
) -> Result<Reply, EgressError> {
    let mut reply = channel.command("AUTH LOGIN", pace.command()).await?;
    for answer in [user, password] {
        if !reply.is(334) {
            break;
        }
        reply = say(channel, "", answer, pace).await?;
    }
    Ok(reply)
}

/// RFC 2195.
async fn cram_md5<S: AsyncRead + AsyncWrite + Unpin>(
    channel: &mut Channel<S>,
    user: &str,
    password: &str,
    pace: &Pace,
) -> Result<Reply, EgressError> {
    let reply = channel.command("AUTH CRAM-MD5", pace.command()).await?;
    if !reply.is(334) {
        return Ok(reply);
    }
    let broken = || EgressError::Connect("the server broke the protocol".to_owned());
    let challenge = reply.lines.first().ok_or_else(broken)?;
    let challenge = STANDARD
        .decode(challenge.trim_ascii())
        .map_err(|_| broken())?;
    let digest = digest(password, &challenge).ok_or_else(broken)?;
    say(channel, "", &format!("{user} {digest}"), pace).await
}

fn digest(password: &str, challenge: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Md5>::new_from_slice(password.as_bytes()).ok()?;
    mac.update(challenge);
    let bytes = mac.finalize().into_bytes();
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_rfc() {
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        assert_eq!(
            digest("tanstaaftanstaaf", challenge).unwrap(),
            "b913a602c7eda7a495b4e6e7334d3890"
        );
    }

    #[test]
    fn the_best_mechanism_that_is_offered_is_taken_and_no_other_than_asked_for() {
        let offered = ["CRAM-MD5", "LOGIN"].map(str::to_owned);
        assert!(choose(None, &offered, true).unwrap() == Mechanism::Login);
        assert!(choose(None, &offered, false).unwrap() == Mechanism::CramMd5);
        assert!(choose(Some("cram-md5"), &offered, true).unwrap() == Mechanism::CramMd5);
        let error = choose(Some("PLAIN"), &offered, true).err().unwrap();
        assert!(
            error
                .to_string()
                .ends_with("PLAIN (it offers CRAM-MD5, LOGIN)")
        );
        assert!(choose(None, &["GSSAPI".to_owned()], true).is_err());
    }
}
