//! SMTP: one e-mail through a mail server of the tenant's own, with Logto's settings.
//!
//! Protocol: RFC 5321 and RFC 6409, spoken by the host; the peer's rules:
//! <https://docs.logto.io/integrations/smtp>, read 2026-11-21.

use sendbox_guest::mime::{self, Mail};
use sendbox_guest::smtp::{Settings, SmtpError, Submission, Submitter};
use sendbox_guest::{
    About, Channel, Content, Failure, FailureKind, Mailbox, Message, Request, Response, SecretGrant,
};

/// The connector.
pub struct Smtp;

impl Submitter for Smtp {
    const ABOUT: About = About {
        id: "smtp",
        channel: Channel::Email,
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
        hosts: &[
            "{settings:/host}:{settings:/port}",
            "{settings:/auth/accessUrl}",
            "accounts.google.com",
            "oauth2.googleapis.com",
        ],
        secret_grants: &[
            // In the form that renews an access token.
            SecretGrant::body("/auth/refreshToken"),
            SecretGrant::body("/auth/clientSecret"),
            SecretGrant::signing("/auth/privateKey"),
        ],
        ..sendbox_guest::package!()
    };

    type Settings = Settings;

    fn token_request(settings: &Settings, now: u64) -> Result<Option<Request>, Failure> {
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
        let text = settings.templates.text(message)?;
        let from = sender(settings, &text)?;
        let reply_to = reply_to(settings, &text)?;
        let (html, plain) = text.parts();
        let data = Mail {
            from: &from,
            to: &to,
            reply_to: reply_to.as_ref(),
            subject: &text.subject,
            text: plain,
            html,
            headers: &settings.headers()?,
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
        settings.failure(error)
    }
}

sendbox_guest::submitter!(Smtp);

#[cfg(test)]
#[path = "../tests/wire.rs"]
mod wire;

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
