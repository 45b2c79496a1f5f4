//! SMTP: one e-mail through a mail server of the tenant's own, with Logto's settings.
//!
//! Protocol: RFC 5321 and RFC 6409, spoken by the host; the peer's rules:
//! <https://docs.logto.io/integrations/smtp>, read 2026-11-21.

use sendbox_guest::mime::{self, Mail};
use sendbox_guest::smtp::{SmtpError, Submission, Submitter};
use sendbox_guest::{
    About, Channel, Content, ContentType, Failure, FailureKind, Mailbox, Message, Request,
    Response, SecretGrant,
};

mod settings;

use settings::Settings;

/// The connector.
pub struct Smtp;

/// A secret that renews access tokens: it stands in the body of a form.
const fn in_form(setting: &'static str) -> SecretGrant {
    SecretGrant {
        setting,
        query: false,
        body: true,
        signing: false,
    }
}

impl Submitter for Smtp {
    const ABOUT: About = About {
        id: "smtp",
        channel: Channel::Email,
        version: env!("CARGO_PKG_VERSION"),
        titles: &[("en", "SMTP"), ("de", "SMTP"), ("zh-CN", "SMTP")],
        descriptions: &[
            (
                "en",
                "E-mail through any mail server that takes submissions over SMTP.",
            ),
            (
                "de",
                "E-Mails über einen beliebigen Mailserver, der Nachrichten per SMTP annimmt.",
            ),
            ("zh-CN", "通过任何接受 SMTP 提交的邮件服务器发送邮件。"),
        ],
        settings_schema: include_str!("../settings.schema.json"),
        hosts: &[
            "{settings:/host}",
            "{settings:/auth/accessUrl}",
            "accounts.google.com",
        ],
        secret_grants: &[in_form("/auth/refreshToken"), in_form("/auth/clientSecret")],
        readme: include_str!("../README.md"),
    };

    type Settings = Settings;

    fn token_request(settings: &Settings, now: u64) -> Result<Option<Request>, Failure> {
        // What cannot work is said before anything is sent.
        settings.security()?;
        settings.token_request(now)
    }

    fn submission(
        settings: &Settings,
        message: &Message,
        token: Option<&Response>,
        now: u64,
    ) -> Result<Submission, Failure> {
        let to = mime::address(&message.recipient).ok_or_else(|| {
            Failure::new(
                FailureKind::Rejected,
                "the recipient is not one mail address",
            )
        })?;
        let text = text(settings, message)?;
        let from = sender(settings, &text)?;
        let reply_to = reply_to(settings, &text)?;
        let body = Some(text.body.as_str());
        let is_html = text.content_type == ContentType::Html;
        let data = Mail {
            from: &from,
            to: &to,
            reply_to: reply_to.as_ref(),
            subject: &text.subject,
            text: body.filter(|_| !is_html),
            html: body.filter(|_| is_html),
            headers: &headers(settings)?,
            id: &message.idempotency_key,
            date: now,
        }
        .compose()?;
        Ok(Submission {
            server: settings.server(token, now)?,
            mail_from: from.address,
            rcpt_to: to,
            data,
        })
    }

    fn failure(settings: &Settings, error: SmtpError) -> Failure {
        let begins_in_clear = settings.secure == Some(true) && settings.port != 465;
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

sendbox_guest::submitter!(Smtp);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

fn text(settings: &Settings, message: &Message) -> Result<Content, Failure> {
    if let Some(content) = message.content() {
        return Ok(content);
    }
    let template = settings.templates.choose(&message.usage_type)?;
    Ok(Content {
        subject: message.render_line(&template.subject),
        body: message.render(&template.content),
        content_type: template.content_type,
        text: None,
        reply_to: None,
        send_from: None,
    })
}

/// The text's own sender, else the settings'.
fn sender(settings: &Settings, text: &Content) -> Result<Mailbox, Failure> {
    let own = mime::sender(&settings.from_email, &Mailbox::new("", ""));
    let own = own.ok_or_else(|| {
        Failure::invalid_settings("fromEmail", "is neither an address nor `Name <address>`")
    })?;
    match &text.send_from {
        None => Ok(own),
        Some(text) => mime::sender(text, &own).ok_or_else(|| {
            Failure::new(
                FailureKind::Rejected,
                "the text's sender is no mail address",
            )
        }),
    }
}

fn reply_to(settings: &Settings, text: &Content) -> Result<Option<Mailbox>, Failure> {
    let read = |text: &str| mime::sender(text, &Mailbox::new("", ""));
    let not_empty = |text: &&String| !text.is_empty();
    if let Some(text) = text.reply_to.as_ref().filter(not_empty) {
        let words = "the text's reply address is no mail address";
        let refused = || Failure::new(FailureKind::Rejected, words);
        return read(text).ok_or_else(refused).map(Some);
    }
    match settings.reply_to.as_ref().filter(not_empty) {
        None => Ok(None),
        Some(text) => read(text).map(Some).ok_or_else(|| {
            Failure::invalid_settings("replyTo", "is neither an address nor `Name <address>`")
        }),
    }
}

/// The settings' own headers; one with several values comes more than once.
fn headers(settings: &Settings) -> Result<Vec<(String, String)>, Failure> {
    let mut headers = Vec::new();
    for (name, values) in &settings.custom_headers {
        let values = values
            .as_array()
            .map_or(std::slice::from_ref(values), Vec::as_slice);
        for value in values {
            let value = value.as_str().ok_or_else(|| {
                Failure::invalid_settings(
                    "customHeaders",
                    "a value is neither a text nor a list of texts",
                )
            })?;
            headers.push((name.clone(), value.to_owned()));
        }
    }
    Ok(headers)
}
