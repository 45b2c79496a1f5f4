"""The way to the host's `signing` interface. Only in a component."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from componentize_py_types import Err
from wit_world.imports import signing

from .signing import Algorithm, SigningError

T = TypeVar("T")

_ALGORITHMS = {algorithm: signing.Algorithm[algorithm.name] for algorithm in Algorithm}
_ERRORS = {
    signing.SigningError_NotSupported: "not-supported",
    signing.SigningError_Denied: "denied",
    signing.SigningError_InvalidKey: "invalid-key",
    signing.SigningError_Limit: "limit",
}


class _Key:
    """A handle of a key."""

    __slots__ = ("_handle",)

    def __init__(self, handle: signing.Key) -> None:
        self._handle = handle

    def derive(self, data: bytes) -> _Key:
        return _Key(_asked(self._handle.derive, data))

    def sign(self, algorithm: Algorithm, data: bytes) -> bytes:
        signature: bytes = _asked(self._handle.sign, _ALGORITHMS[algorithm], data)
        return signature


def host_key(prefix: str, secret: str, suffix: str) -> _Key:
    """The key `prefix` + secret + `suffix`."""
    return _Key(_asked(signing.Key.from_secret, prefix, secret, suffix))


def _asked(function: Callable[..., T], *arguments: Any) -> T:
    """What the host answers. Raises SigningError."""
    try:
        return function(*arguments)
    except Err as error:
        code = _ERRORS[type(error.value)]
        raise SigningError.of_host(code, getattr(error.value, "value", None)) from None
