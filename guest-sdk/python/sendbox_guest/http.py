"""Requests that a connector describes, and the responses that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from . import payload
from .failure import Failure

_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True, repr=False)
class Basic:
    """User and password (RFC 7617), which the host encodes after it has filled in the secrets."""

    user: str
    password: str


@dataclass(frozen=True, slots=True, repr=False)
class Bearer:
    """A token (RFC 6750)."""

    token: str


@dataclass(frozen=True, slots=True, repr=False)
class SecretHeader:
    """A header with a secret in its value."""

    name: str
    value: str


Credential = Basic | Bearer | SecretHeader


class Request:
    """One HTTP request, shaped like `urllib.request.Request`. Its `repr` shows the URL alone.

    The methods below add to it and return it: `Request(url).bearer(token).json(value)`.
    """

    def __init__(
        self,
        url: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """A request for an absolute ASCII URL; a POST where there is `data`, else a GET.

        `timeout` is in seconds for the whole exchange; the send's deadline by default.
        """
        self.url = url
        self.data = data
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.method = method or ("GET" if data is None else "POST")
        self.timeout = timeout
        self.credential: Credential | None = None

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.partition('?')[0]}>"

    def header(self, name: str, value: str) -> Request:
        """Sets a header."""
        self.headers[name.lower()] = value
        return self

    def basic(self, user: str, password: str) -> Request:
        """Sends user and password in `authorization`."""
        self.credential = Basic(user, password)
        return self

    def bearer(self, token: str) -> Request:
        """Sends a token in `authorization`."""
        self.credential = Bearer(token)
        return self

    def secret_header(self, name: str, value: str) -> Request:
        """Sends a secret in a header of its own."""
        self.credential = SecretHeader(name.lower(), value)
        return self

    def json(self, value: Any) -> Request:
        """Posts the value as JSON, printed as JavaScript's `JSON.stringify` prints it."""
        return self._post("application/json", payload.stringify(value))

    def form(self, pairs: Iterable[tuple[str, str]]) -> Request:
        """Posts the pairs as a form (WHATWG URL, `application/x-www-form-urlencoded`)."""
        return self._post("application/x-www-form-urlencoded", form_pairs(pairs))

    def query(self, pairs: Iterable[tuple[str, str]]) -> Request:
        """Adds the pairs to the URL as its query, encoded like a form."""
        self.url += ("&" if "?" in self.url else "?") + form_pairs(pairs)
        return self

    def check(self) -> None:
        """Refuses what would end a header line: the settings' field is wrong, not the message."""
        headers = list(self.headers.items())
        if isinstance(self.credential, SecretHeader):
            headers.append((self.credential.name, self.credential.value))
        for name, value in headers:
            if _CONTROLS.search(value):
                words = "a header value must not contain control characters"
                raise Failure.invalid_settings(name, words)

    def _post(self, content_type: str, text: str) -> Request:
        self.data = text.encode("utf-8", "replace")
        self.headers.setdefault("content-type", content_type)
        self.method = "POST" if self.method == "GET" else self.method
        return self


class Headers(Mapping[str, str]):
    """Headers of a response by their names in any case; of a repeated one the first."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """The headers of an answer."""
        self._values: dict[str, str] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Response:
    """One buffered HTTP response, shaped like the one that `urllib.request.urlopen` returns."""

    def __init__(
        self,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        received_at: int = 0,
    ) -> None:
        """A response that arrived at `received_at`, in seconds since the Unix epoch."""
        self.status = status
        self.headers = Headers(headers)
        self.body = body
        self.received_at = received_at

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open: the body is here already."""

    @property
    def is_success(self) -> bool:
        """Whether the status code is 2xx."""
        return 200 <= self.status < 300

    def read(self) -> bytes:
        """The whole body."""
        return self.body

    def text(self) -> str:
        """The body as text, without a byte order mark; what is no UTF-8 becomes U+FFFD."""
        return self.body.decode("utf-8", "replace").removeprefix("\ufeff")

    def json(self) -> Any:
        """The body as JSON, or None where it is none."""
        try:
            return payload.loads(self.text())
        except (ValueError, RecursionError):
            return None

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object, empty where it is none."""
        value = self.json()
        return value if isinstance(value, dict) else {}


def form_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """The pairs as a browser encodes a form."""
    return "&".join(f"{_form_encoded(name)}={_form_encoded(value)}" for name, value in pairs)


def _form_encoded(text: str) -> str:
    return quote_plus(text, safe="*", errors="replace").replace("~", "%7E")


def path_segment(text: str) -> str:
    """Percent-encodes one segment of a URL's path, as JavaScript's `encodeURIComponent` does."""
    return quote(text, safe="-_.!~*'()", errors="replace")


def setting_segment(field: str, value: str) -> str:
    """A value of the settings as one segment of a path, which must not climb it."""
    if value in (".", ".."):
        raise Failure.invalid_settings(field, "is not an id")
    return path_segment(value)
