"""What stands in for the host during a send: its keys, its mail server, its network."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest import mock

from .. import signing, smtp
from ..connector import Connector, Receipt, send
from ..exchange import Transport, URLError
from ..failure import Failure
from ..http import Request, Response
from ..message import Message
from .keys import Keys


def send_natively(
    connector: type[Connector[Any]],
    settings: str,
    message: Message,
    transport: Transport,
    submit: Callable[[smtp.Submission], smtp.Reply] | None = None,
) -> Receipt:
    """Sends one message, once, as a component would. Raises Failure and nothing else."""
    with ExitStack() as host:
        keys = Keys(getattr(connector, "about", None), _parsed(settings))
        host.enter_context(mock.patch.object(signing, "host_key", keys.make))
        if submit:
            host.enter_context(mock.patch.object(smtp, "host_submit", submit))
        return send(connector(), settings, message, transport)


@dataclass
class Submitted:
    """What came of a send over SMTP: the mail that was submitted, and the receipt or the failure."""

    submission: smtp.Submission | None = None
    receipt: Receipt | None = None
    failure: Failure | None = None


def submitted(
    connector: type[Connector[Any]],
    settings: Any,
    message: Message,
    answer: smtp.Reply | smtp.SmtpError = smtp.Reply(250, "queued"),
    response: Response | None = None,
) -> Submitted:
    """Sends a message, once, to a mail server that answers with a reply, or fails with an error.

    A connector that asks for an access token first gets `response`.
    """
    seen = Submitted()

    def submit(submission: smtp.Submission) -> smtp.Reply:
        seen.submission = submission
        if isinstance(answer, smtp.SmtpError):
            raise answer
        return answer

    def transport(request: Request) -> Response:
        if response is None:
            raise URLError.of_host("connect")
        return response

    try:
        text = json.dumps(settings)
        seen.receipt = send_natively(connector, text, message, transport, submit)
    except Failure as failure:
        seen.failure = failure
    return seen


def _parsed(settings: str) -> Any:
    try:
        return json.loads(settings)
    except ValueError:
        return None
