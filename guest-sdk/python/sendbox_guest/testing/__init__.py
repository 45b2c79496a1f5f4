"""The native test kit: sends to a host of its own, and replays golden cases."""

from __future__ import annotations

import json
from typing import Any

from .. import usage
from ..connector import Connector, Receipt
from ..exchange import URLError
from ..failure import Failure
from ..http import Request, Response
from ..message import Content, Message
from .golden import Deviation, accepted, failed, refused, replay
from .host import Submitted, send_natively, submitted
from .signature import verify

__all__ = [
    "Deviation",
    "Submitted",
    "accepted",
    "answered",
    "failed",
    "failure",
    "mail_in_both_forms",
    "message",
    "refused",
    "replay",
    "request",
    "response",
    "submitted",
    "templates",
    "verify",
]


def message(
    recipient: str = "alice@example.net",
    usage_type: str = "SignIn",
    payload: dict[str, Any] | None = None,
    **others: Any,
) -> Message:
    """A message with the code 123456 unless another payload is given."""
    payload = {"code": "123456"} if payload is None else payload
    return Message(recipient, usage_type, payload, **others)


def mail_in_both_forms(**others: str) -> Message:
    """A mail to `alice@example.net` with a text of its own, as HTML and as plain text."""
    content = Content("Hello {{code}}", "<p>{{code}}</p>", text="{{code}}!", **others)  # type: ignore[arg-type]
    return message(content=content)


def response(status: int, body: str = "", **headers: str) -> Response:
    """A response; `retry_after="7"` is the header `retry-after`."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(status, pairs, body.encode())


def templates(**fields: str) -> list[dict[str, str]]:
    """A template of these fields for each usage type that every list must serve."""
    return [{"usageType": usage_type, **fields} for usage_type in usage.REQUIRED]


def request(connector: type[Connector[Any]], settings: Any, message: Message) -> Request:
    """The request that a connector makes of a message. Raises its Failure where it makes none."""
    made: list[Request] = []

    def keep(request: Request) -> Response:
        made.append(request)
        raise URLError.of_host("connect")

    try:
        send_natively(connector, json.dumps(settings), message, keep)
    except Exception:
        if not made:
            raise
    return made[0]


def answered(
    connector: type[Connector[Any]],
    settings: Any,
    response: Response,
    to: Message | None = None,
) -> Receipt:
    """What a connector makes of a response, on the whole path of a send; or raises its Failure."""
    text = json.dumps(settings)
    return send_natively(connector, text, to or message(), lambda request: response)


def failure(
    connector: type[Connector[Any]],
    settings: Any,
    response: Response,
    to: Message | None = None,
) -> Failure:
    """The failure that a connector makes of a response."""
    try:
        receipt = answered(connector, settings, response, to)
    except Failure as made:
        return made
    raise AssertionError(f"not a failure but {receipt}")
