"""What went wrong, in the contract's seven kinds; the one place that reads status codes.

A connector classifies and never retries: the host decides.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from . import http_date

if TYPE_CHECKING:
    from .http import Response

_EXCERPT_CHARACTERS = 200
_SECONDS = re.compile("[0-9]{1,15}")
_CONTROLS = re.compile("[\x00-\x1f\x7f]")


class FailureKind(Enum):
    """The kinds of failure that the host knows how to treat."""

    INVALID_SETTINGS = "invalid-settings"
    """The settings cannot work; the message names the field."""
    TEMPLATE_NOT_FOUND = "template-not-found"
    """No template for the usage type, here or at the provider."""
    REJECTED = "rejected"
    """This recipient or this content is refused for good; sender, account and quota are others."""
    UNAUTHORIZED = "unauthorized"
    """The credentials are refused."""
    THROTTLED = "throttled"
    """Refused until later, because of a rate or quota."""
    UNAVAILABLE = "unavailable"
    """Not accepted, and a later attempt may succeed."""
    UNKNOWN = "unknown"
    """The provider may have accepted."""

    @classmethod
    def of_status(cls, status: int) -> FailureKind:
        """What an HTTP status code outside 2xx says (RFC 9110, 15; RFC 8470; RFC 6585).

        Of the 5xx only 503 says that the request was not processed; after any other one the
        provider may have accepted. The host follows no redirect, so after one the address is
        wrong; but behind a 303 the request was processed, and its outcome lies elsewhere.
        """
        if status in (401, 403, 407):
            return cls.UNAUTHORIZED
        if status in (402, 408, 425, 429):
            return cls.THROTTLED
        if status in (400, 422):
            return cls.REJECTED
        if status == 503:
            return cls.UNAVAILABLE
        if 300 <= status < 500 and status != 303:
            return cls.INVALID_SETTINGS
        return cls.UNKNOWN


class Failure(Exception):
    """Why a message was not accepted. A connector raises it."""

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        code: str | int | None = None,
        retry_after: int | None = None,
    ) -> None:
        """A failure in words, without secrets; at most 4 KiB of them are kept.

        `code` is the provider's, or a short one of the connector's: 64 bytes are kept.
        `retry_after` is in milliseconds, where the provider asks to wait.
        """
        super().__init__(message)
        self.kind = FailureKind(kind)
        self.message = message
        self.code = None if code is None else str(code)
        self.retry_after = None if retry_after is None else max(0, int(retry_after))

    def __str__(self) -> str:
        return self.message

    @classmethod
    def invalid_settings(cls, field: str, words: str) -> Failure:
        """The settings' field cannot work, and why."""
        return cls(FailureKind.INVALID_SETTINGS, f"{field}: {words}")

    @classmethod
    def template_not_found(cls, usage_type: str) -> Failure:
        """Neither the usage type nor `Generic` has a template."""
        words = f"no template for the usage type {usage_type}"
        return cls(FailureKind.TEMPLATE_NOT_FOUND, words)

    @classmethod
    def of_response(cls, response: Response) -> Failure:
        """What a response outside 2xx says by its status, `Retry-After` and first words."""
        message = f"HTTP status {response.status}"
        if 300 <= response.status < 400:
            message += ": redirects are not followed, the address must be the final one"
        elif excerpt := _excerpt(response.text()):
            message += f": {excerpt}"
        kind = FailureKind.of_status(response.status)
        if kind is FailureKind.REJECTED and _is_markup(response.text()):
            # A page of a proxy or a web server says nothing of the message.
            kind = FailureKind.INVALID_SETTINGS
        return cls(
            kind,
            message,
            code=response.status,
            retry_after=_retry_after(response),
        )

    @classmethod
    def of_provider(
        cls,
        response: Response,
        kind: FailureKind,
        code: str | int,
        words: str | None = None,
    ) -> Failure:
        """What the provider's own code and words stand for, inside whichever response."""
        failure = cls.of_response(response)
        failure.kind, failure.code = kind, str(code)
        failure.message = words or failure.message
        return failure

    @classmethod
    def unreadable(cls, response: Response) -> Failure:
        """A 2xx without the answer that the provider promises: it may have accepted."""
        words = f"HTTP status {response.status} without the provider's answer"
        return cls(FailureKind.UNKNOWN, words, code=response.status)

    @classmethod
    def of_exception(cls, error: BaseException, *, sent: bool) -> Failure:
        """An error in the connector's own code, in its own words and with its place.

        Once a request has left, the provider may have accepted.
        """
        kind = FailureKind.UNKNOWN if sent else FailureKind.UNAVAILABLE
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return cls(kind, f"{words} ({_place(error)})", code="exception")


def one_line(text: str) -> str:
    """The text with every run of control characters and spaces around it as one space.

    So it fits a header, a subject or a line of a log.
    """
    if not _CONTROLS.search(text):
        return text
    words = (word.strip() for word in _CONTROLS.split(text))
    return " ".join(word for word in words if word)


def _excerpt(text: str) -> str:
    """The first words of a plain or JSON body. A page of markup explains nothing."""
    return "" if _is_markup(text) else one_line(text.strip())[:_EXCERPT_CHARACTERS]


def _is_markup(text: str) -> bool:
    return text.strip().startswith("<")


def _retry_after(response: Response) -> int | None:
    """Milliseconds of a `Retry-After` header (RFC 9110, 10.2.3): seconds or a date.

    A date counts from the response's own `Date`, else from the moment it arrived.
    """
    value = response.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return int(value) * 1000
    until = http_date.parse(value)
    if until is None:
        return None
    now = http_date.parse(response.headers.get("date", ""))
    return max(0, until - (response.received_at if now is None else now)) * 1000


def _place(error: BaseException) -> str:
    """Where an exception was raised: file, line and function."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if not trace:
        return "no place known"
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rsplit('/', 1)[-1]}, line {trace.tb_lineno}, in {code.co_name}"
