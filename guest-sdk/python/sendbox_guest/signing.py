"""Keys made of secrets that the connector never sees: the host signs with them.

Outside the package's own names: a component asks for the host's `signing` interface where its
connector imports this module, and nowhere else.
"""

from __future__ import annotations

import sys
from enum import Enum
from typing import Protocol

from .failure import Failure, FailureKind


class Algorithm(Enum):
    """How a key signs, by the contract's name."""

    HMAC_SHA1 = "hmac-sha1"
    """HMAC with SHA-1 (RFC 2104)."""
    HMAC_SHA256 = "hmac-sha256"
    """HMAC with SHA-256."""
    RSA_SHA256 = "rsa-sha256"
    """RSA PKCS #1 v1.5 with SHA-256 (RFC 8017); the secret is a private key in PEM."""


_REFUSALS = {
    "not-supported": "this host does not sign",
    "denied": "the host does not sign with this secret so: `secret_grants` ask to sign with it, and "
    "its `x-derivations` in the settings schema say how often a key of it is derived before it signs",
    "invalid-key": "the secret is no key of the algorithm",
    "limit": "more than 16 signatures and derivations in one send",
}


class SigningError(Failure):
    """There is no signature. One that the connector does not catch ends the send."""

    @classmethod
    def of_host(cls, name: str, words: str | None = None) -> SigningError:
        """One of the contract's `signing-error`s by its name, with the host's own words if any."""
        return cls(FailureKind.INVALID_SETTINGS, words or _REFUSALS[name], code=name)


class HostKey(Protocol):
    """A key of the host's; natively, one of the test kit's. Both raise SigningError."""

    def derive(self, data: bytes) -> HostKey:
        """A new key."""
        ...

    def sign(self, algorithm: Algorithm, data: bytes) -> bytes:
        """The signature's bytes."""
        ...


class Key:
    """A key made of a secret. It derives or signs, never both.

    Every derivation and every signature is one of the 16 that a send has.
    """

    __slots__ = ("_key",)

    def __init__(self, secret: str, *, prefix: str = "", suffix: str = "") -> None:
        """The key `prefix` + secret + `suffix`; `secret` is a setting of the connector's, as it is.

        Raises SigningError where the secret may not sign.
        """
        self._key = host_key(prefix, secret, suffix)

    def derive(self, data: bytes | str) -> Key:
        """HMAC-SHA-256 of `data` under this key, as a new key."""
        derived = object.__new__(Key)
        derived._key = self._key.derive(_bytes(data))
        return derived

    def sign(self, algorithm: Algorithm, data: bytes | str) -> bytes:
        """The signature's bytes."""
        return self._key.sign(algorithm, _bytes(data))


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


if sys.platform == "wasi":
    # Here, because it needs what is above.
    from .component_signing import host_key
else:

    def host_key(prefix: str, secret: str, suffix: str) -> HostKey:
        """No host is here: `sendbox_guest.testing` puts its own in this place for each send."""
        raise RuntimeError("keys are made inside a send only")
