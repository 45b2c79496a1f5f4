"""Sends requests through the host, in the manner of `urllib.request`.

The standard `urlopen` cannot work in a component: it needs sockets and TLS, and the host offers
whole exchanges alone. Redirects are not followed.
"""

from __future__ import annotations

from collections.abc import Callable

from .failure import Failure, FailureKind
from .http import Headers, Request, Response

Transport = Callable[[Request], Response]
"""Sends one request. Raises URLError where there is no response."""

_HOST_ERRORS = {
    "denied": (FailureKind.INVALID_SETTINGS, "the egress policy does not allow this address"),
    "invalid-request": (FailureKind.INVALID_SETTINGS, "the request is malformed or over a limit"),
    "dns": (FailureKind.UNAVAILABLE, "the host name could not be resolved"),
    "connect": (FailureKind.UNAVAILABLE, "no connection"),
    "tls": (FailureKind.UNAVAILABLE, "no trusted TLS session"),
    "timeout": (FailureKind.UNKNOWN, "no whole response in time"),
    "interrupted": (FailureKind.UNKNOWN, "the connection ended before a whole response"),
    "response-too-large": (FailureKind.UNKNOWN, "the response is over the limit"),
}


class URLError(Exception):
    """There is no good response, like `urllib.error.URLError`; `failure` is what it means."""

    def __init__(self, failure: Failure) -> None:
        """An error that ends the send with `failure` unless the connector catches it."""
        super().__init__(failure.message)
        self.failure = failure
        self.reason = failure.message

    @classmethod
    def of_host(cls, code: str, words: str | None = None) -> URLError:
        """One of the contract's `http-error`s by its name, with the host's own words if any."""
        kind, meaning = _HOST_ERRORS[code]
        return cls(Failure(kind, words or meaning, code=code))


class HTTPError(URLError):
    """A response outside 2xx, like `urllib.error.HTTPError`."""

    def __init__(self, response: Response) -> None:
        """An error that means what the status code says."""
        super().__init__(Failure.of_response(response))
        self.response = response

    @property
    def code(self) -> int:
        """The status code."""
        return self.response.status

    @property
    def headers(self) -> Headers:
        """The response's headers."""
        return self.response.headers

    def read(self) -> bytes:
        """The response's body."""
        return self.response.read()


class Exchange:
    """The way out of one send, which remembers whether anything may have left.

    Inside a `with` statement of it, `exchange` and `urlopen` go this way.
    """

    def __init__(self, transport: Transport) -> None:
        """A way out over `transport`."""
        self.sent = False
        self._transport = transport
        self._outer: Exchange | None = None

    def __enter__(self) -> Exchange:
        global _current
        self._outer, _current = _current, self
        return self

    def __exit__(self, *_: object) -> None:
        global _current
        _current = self._outer

    def __call__(self, request: Request) -> Response:
        """Sends one request and returns its response, whatever the status code."""
        request.check()
        self.sent = True
        return self._transport(request)


_current: Exchange | None = None


def way_out() -> Exchange:
    """The way out of the send that runs."""
    if _current is None:
        raise RuntimeError("nothing leaves but inside a send")
    return _current


def exchange(request: Request) -> Response:
    """Sends one request and returns its response, whatever the status code.

    Raises URLError where there is no response.
    """
    return way_out()(request)


def urlopen(
    url: str | Request, data: bytes | None = None, timeout: float | None = None
) -> Response:
    """Sends a request as `urllib.request.urlopen` does and returns a 2xx response.

    `timeout` is in seconds. Raises HTTPError for every other response and URLError where there is
    none. One that the connector does not catch becomes the failure that it means.
    """
    request = url if isinstance(url, Request) else Request(url, data)
    if timeout is not None:
        request.timeout = timeout
    response = exchange(request)
    if not response.is_success:
        raise HTTPError(response)
    return response
