"""The way to the host's `smtp` interface. Only in a component."""

from __future__ import annotations

from componentize_py_types import Err
from wit_world.imports import smtp

from .smtp import AccessToken, Login, Reply, Security, SmtpError, Submission

_SECURITIES = {security: smtp.Security[security.name] for security in Security}
_REFUSALS = {
    smtp.SmtpError_Unauthorized: "unauthorized",
    smtp.SmtpError_Rejected: "rejected",
    smtp.SmtpError_Deferred: "deferred",
}
_ERRORS = {
    smtp.SmtpError_NotSupported: "not-supported",
    smtp.SmtpError_Denied: "denied",
    smtp.SmtpError_InvalidRequest: "invalid-request",
    smtp.SmtpError_Dns: "dns",
    smtp.SmtpError_Connect: "connect",
    smtp.SmtpError_Tls: "tls",
    smtp.SmtpError_Timeout: "timeout",
    smtp.SmtpError_Interrupted: "interrupted",
}


def host_submit(submission: Submission) -> Reply:
    """The server's reply. Raises SmtpError."""
    server = submission.server
    try:
        reply = smtp.submit(
            smtp.Server(
                server.host,
                server.port,
                _SECURITIES[server.security],
                server.server_name,
                _auth(server.auth),
                server.name,
                server.local_address,
                _milliseconds(server.connect_timeout),
                _milliseconds(server.command_timeout),
            ),
            smtp.Envelope(submission.mail_from, list(submission.rcpt_to)),
            submission.data,
        )
    except Err as error:
        raise _error(error.value) from None
    return _reply(reply)


def _auth(auth: Login | AccessToken | None) -> smtp.Auth:
    if auth is None:
        return smtp.Auth_None_()
    if isinstance(auth, AccessToken):
        return smtp.Auth_Oauth2((auth.user, auth.token))
    return smtp.Auth_Login(smtp.Login(auth.user, auth.password, auth.mechanism))


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, int(seconds * 1000))


def _error(error: smtp.SmtpError) -> SmtpError:
    if refusal := _REFUSALS.get(type(error)):
        return SmtpError.of_reply(refusal, _reply(error.value))
    return SmtpError.of_host(_ERRORS[type(error)], getattr(error, "value", None))


def _reply(reply: smtp.Reply) -> Reply:
    return Reply(reply.code, reply.text, reply.enhanced)
