//! The `smtp` import: the guest's submission goes to the egress floor as it is, nothing added.

use std::time::Duration;

use super::bindings::smtp;
use super::error::ConnectorError;
use super::state::State;
use crate::egress::{
    EgressError, SmtpAuth, SmtpEnvelope, SmtpError, SmtpReply, SmtpSecurity, SmtpServer,
    SmtpSubmission,
};

impl smtp::Host for State {
    async fn submit(
        &mut self,
        server: smtp::Server,
        envelope: smtp::Envelope,
        data: Vec<u8>,
    ) -> wasmtime::Result<Result<smtp::Reply, smtp::SmtpError>> {
        let egress = self.granted("sendbox:connector/smtp")?;
        let _kept = self.kept.keep(egress.tenant(), data.len())?;
        let submission = SmtpSubmission {
            server: outgoing(server),
            envelope: SmtpEnvelope {
                mail_from: envelope.mail_from,
                rcpt_to: envelope.rcpt_to,
            },
            data: data.into(),
        };
        match egress.smtp(submission).await {
            Ok(answer) => Ok(Ok(reply(answer))),
            Err(SmtpError::Egress(EgressError::NotArmed)) => Err(ConnectorError::NotArmed.into()),
            Err(error) => Ok(Err(told(error))),
        }
    }
}

fn outgoing(server: smtp::Server) -> SmtpServer {
    let millis = |millis: u32| Duration::from_millis(u64::from(millis));
    SmtpServer {
        host: server.host,
        port: server.port,
        security: match server.security {
            smtp::Security::Tls => SmtpSecurity::Tls,
            smtp::Security::Starttls => SmtpSecurity::StartTls,
            smtp::Security::Opportunistic => SmtpSecurity::Opportunistic,
            smtp::Security::None => SmtpSecurity::None,
        },
        server_name: server.server_name,
        auth: match server.auth {
            smtp::Auth::None => SmtpAuth::None,
            smtp::Auth::Login(login) => SmtpAuth::Login {
                user: login.user,
                password: login.password,
                mechanism: login.mechanism,
            },
            smtp::Auth::Oauth2((user, token)) => SmtpAuth::OAuth2 { user, token },
        },
        name: server.name,
        local_address: server.local_address,
        connect_timeout: server.connect_timeout.map(millis),
        command_timeout: server.command_timeout.map(millis),
    }
}

fn reply(reply: SmtpReply) -> smtp::Reply {
    smtp::Reply {
        code: reply.code,
        enhanced: reply.enhanced,
        text: reply.text,
    }
}

/// What a guest learns of an error: never an address or a rule.
fn told(error: SmtpError) -> smtp::SmtpError {
    let error = match error {
        SmtpError::Unauthorized(answer) => return smtp::SmtpError::Unauthorized(reply(answer)),
        SmtpError::Rejected(answer) => return smtp::SmtpError::Rejected(reply(answer)),
        SmtpError::Deferred(answer) => return smtp::SmtpError::Deferred(reply(answer)),
        SmtpError::Egress(error) => error,
    };
    match error {
        EgressError::Denied { .. } | EgressError::NotArmed => smtp::SmtpError::Denied,
        EgressError::Invalid(problem) => smtp::SmtpError::InvalidRequest(problem),
        error @ EgressError::Limit { .. } => smtp::SmtpError::InvalidRequest(error.to_string()),
        EgressError::Dns => smtp::SmtpError::Dns,
        EgressError::Connect(_)
        | EgressError::Family(_)
        | EgressError::SourceMissing
        | EgressError::Proxy(_) => smtp::SmtpError::Connect,
        EgressError::Tls(problem) => smtp::SmtpError::Tls(problem),
        EgressError::Timeout => smtp::SmtpError::Timeout,
        EgressError::Malformed | EgressError::Interrupted | EgressError::ResponseTooLarge => {
            smtp::SmtpError::Interrupted
        }
    }
}
