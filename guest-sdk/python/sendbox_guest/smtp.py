"""Mail submission through the host, which speaks SMTP; `mail.compose` makes the mail.

Outside the package's own names: a component asks for the host's `smtp` interface where its
connector imports this module, and nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from .exchange import way_out
from .failure import Failure, FailureKind
from .mail import address, recipient


class Security(Enum):
    """Whether and when TLS begins, by the contract's name."""

    TLS = "tls"
    """From the first byte (RFC 8314)."""
    STARTTLS = "starttls"
    """STARTTLS (RFC 3207), required."""
    OPPORTUNISTIC = "opportunistic"
    """STARTTLS where the server offers it. Credentials never leave in clear."""
    NONE = "none"
    """Plain text; only where the operator allows it."""


@dataclass(frozen=True, slots=True)
class Login:
    """User and password, which may be a placeholder."""

    user: str
    password: str = field(repr=False)
    mechanism: str | None = None
    """`PLAIN`, `LOGIN` or `CRAM-MD5`; the best that the server offers by default."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """User and OAuth 2 access token (XOAUTH2), which may be a placeholder."""

    user: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mail server and how to speak to it. What is None is the host's choice."""

    host: str
    """Name, or address as in a URL."""
    port: int
    security: Security
    server_name: str | None = None
    """Name in the certificate, where it is not `host`."""
    auth: Login | AccessToken | None = None
    """None where the server wants no credentials."""
    name: str | None = None
    """EHLO name; the egress source's by default."""
    local_address: str | None = None
    """One of the tenant's egress sources, by address."""
    connect_timeout: float | None = None
    """Seconds, capped by the send's deadline."""
    command_timeout: float | None = None
    """Seconds for each reply, capped by the send's deadline."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One mail as it is handed over, its addresses checked."""

    server: Server
    mail_from: str
    rcpt_to: Sequence[str]
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    code: int
    """Reply code (RFC 5321)."""
    text: str
    enhanced: str | None = None
    """Enhanced status code (RFC 3463), such as `5.1.1`."""


_REFUSALS = {
    "unauthorized": FailureKind.UNAUTHORIZED,
    "rejected": FailureKind.REJECTED,
    "deferred": FailureKind.UNAVAILABLE,
}
_ERRORS = {
    "not-supported": (FailureKind.INVALID_SETTINGS, "this host does not offer SMTP"),
    "denied": (
        FailureKind.INVALID_SETTINGS,
        "the egress policy does not allow this server, port or plain text",
    ),
    "invalid-request": (FailureKind.INVALID_SETTINGS, "the mail is malformed or over a limit"),
    "dns": (FailureKind.UNAVAILABLE, "the host name could not be resolved"),
    "connect": (FailureKind.UNAVAILABLE, "no session with the server"),
    "tls": (FailureKind.UNAVAILABLE, "no trusted TLS session"),
    "timeout": (FailureKind.UNAVAILABLE, "no reply in time"),
    "interrupted": (
        FailureKind.UNKNOWN,
        "the session ended after the message and before its answer",
    ),
}


class SmtpError(Failure):
    """The server did not take the mail: `unknown` where it may have. One that the connector does
    not catch ends the send."""

    reply: Reply | None = None
    """The server's, where it refused."""

    @classmethod
    def of_host(cls, name: str, words: str | None = None) -> SmtpError:
        """One of the contract's `smtp-error`s without a reply by its name, with the host's words."""
        kind, meaning = _ERRORS[name]
        if words:
            meaning = words if name == "invalid-request" else f"{meaning}: {words}"
        return cls(kind, meaning, code=name)

    @classmethod
    def of_reply(cls, name: str, reply: Reply) -> SmtpError:
        """One of the contract's `smtp-error`s with the server's reply."""
        kind = _REFUSALS[name]
        # A rate or a quota (RFC 3463, X.7.0 of large providers; 452 in RFC 5321).
        if name in ("deferred", "rejected") and _limited(reply):
            kind = FailureKind.THROTTLED
        elif name == "rejected" and _of_sender(reply):
            kind = FailureKind.INVALID_SETTINGS
        words = f"{reply.code} {reply.text}".rstrip()
        error = cls(kind, words, code=reply.enhanced or reply.code)
        error.reply = reply
        return error


def _limited(reply: Reply) -> bool:
    """Whether it is about a rate or quota (RFC 3463, RFC 5321, and large servers' words)."""
    codes = ("5.4.5", "5.1.90", "5.7.232", "5.7.233", "4.7.28")
    words = reply.text.lower()
    known = reply.code == 452 or reply.enhanced in codes
    return known or "rate limit" in words or "sending limit" in words


def _of_sender(reply: Reply) -> bool:
    """Whether it is about the sender: a reply to MAIL FROM, or a code of RFC 5248 or Exchange."""
    codes = ("5.1.7", "5.1.8", "5.2.252", "5.7.23", "5.7.26", "5.7.27", "5.7.60")
    return reply.enhanced in codes or reply.text.startswith("MAIL FROM: ")


def submit(server: Server, mail: bytes, *, mail_from: str, rcpt_to: str | Sequence[str]) -> Reply:
    """Submits one mail (RFC 5322 text, at most 1 MiB) to all of 1 to 10 recipients or to none.

    `mail_from` is an address without a name, or empty for the null path. Raises SmtpError where
    the mail is not taken, and Failure for what is no address.
    """
    sender = "" if mail_from == "" else address(mail_from)
    if sender is None:
        raise Failure.invalid_settings("mail_from", "is no mail address")
    recipients = [rcpt_to] if isinstance(rcpt_to, str) else rcpt_to
    submission = Submission(server, sender, [recipient(to) for to in recipients], mail)
    way_out().sent = True
    return host_submit(submission)


if sys.platform == "wasi":
    # Here, because it needs what is above.
    from .component_smtp import host_submit
else:

    def host_submit(submission: Submission) -> Reply:
        """No host is here: `sendbox_guest.testing` puts its own in this place for a send."""
        raise RuntimeError("mail is submitted inside `testing.submitted` only")
