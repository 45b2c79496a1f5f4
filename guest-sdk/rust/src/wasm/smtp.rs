//! The way between the contract's `smtp` interface and this crate's types.

use super::bindings::sendbox::connector::{smtp, types};
use super::{exchange, message_of, result, since_epoch};
use crate::smtp::{Auth, Reply, Security, SmtpError, Submission, Submitter};

/// The answer to `send`: one submission through the host.
///
/// # Errors
/// The connector's failure.
pub fn submit<C: Submitter>(
    settings: &str,
    message: types::Message,
) -> Result<types::Receipt, types::Failure> {
    let answer = message_of(settings, message).and_then(|message| {
        crate::smtp::send::<C>(
            settings,
            &message,
            since_epoch().as_secs(),
            exchange,
            hand_over,
        )
    });
    result(answer)
}

fn hand_over(submission: Submission) -> Result<Reply, SmtpError> {
    let server = submission.server;
    let server = smtp::Server {
        host: server.host,
        port: server.port,
        security: match server.security {
            Security::Tls => smtp::Security::Tls,
            Security::StartTls => smtp::Security::Starttls,
            Security::Opportunistic => smtp::Security::Opportunistic,
            Security::None => smtp::Security::None,
        },
        server_name: server.server_name,
        auth: match server.auth {
            Auth::None => smtp::Auth::None,
            Auth::Login {
                user,
                password,
                mechanism,
            } => smtp::Auth::Login(smtp::Login {
                user,
                password,
                mechanism,
            }),
            Auth::OAuth2 { user, token } => smtp::Auth::Oauth2((user, token)),
        },
        name: server.name,
        local_address: server.local_address,
        connect_timeout: server.connect_timeout,
        command_timeout: server.command_timeout,
    };
    let envelope = smtp::Envelope {
        mail_from: submission.mail_from,
        rcpt_to: vec![submission.rcpt_to],
    };
    let reply = |reply: smtp::Reply| Reply {
        code: reply.code,
        enhanced: reply.enhanced,
        text: reply.text,
    };
    smtp::submit(&server, &envelope, &submission.data)
        .map(reply)
        .map_err(|error| match error {
            smtp::SmtpError::NotSupported => SmtpError::NotSupported,
            smtp::SmtpError::Denied => SmtpError::Denied,
            smtp::SmtpError::InvalidRequest(words) => SmtpError::InvalidRequest(words),
            smtp::SmtpError::Dns => SmtpError::Dns,
            smtp::SmtpError::Connect => SmtpError::Connect,
            smtp::SmtpError::Tls(words) => SmtpError::Tls(words),
            smtp::SmtpError::Unauthorized(answer) => SmtpError::Unauthorized(reply(answer)),
            smtp::SmtpError::Rejected(answer) => SmtpError::Rejected(reply(answer)),
            smtp::SmtpError::Deferred(answer) => SmtpError::Deferred(reply(answer)),
            smtp::SmtpError::Timeout => SmtpError::Timeout,
            smtp::SmtpError::Interrupted => SmtpError::Interrupted,
        })
}
