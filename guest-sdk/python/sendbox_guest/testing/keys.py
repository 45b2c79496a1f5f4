"""Keys as the host makes them, natively: of the secrets that a connector asks to sign with."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..connector import About
from ..signing import Algorithm, SigningError
from . import rsa

_PER_SEND = 16


@dataclass
class Keys:
    """What a send may sign with."""

    about: About | None
    settings: Any
    _left: int = field(default=_PER_SEND, init=False)

    def make(self, prefix: str, secret: str, suffix: str) -> NativeKey:
        """The key `prefix` + secret + `suffix`; `denied` where the connector did not ask for it."""
        for known, derivations in self.secrets():
            if known == secret:
                return NativeKey(self, f"{prefix}{secret}{suffix}".encode(), derivations)
        raise SigningError.of_host("denied")

    def secrets(self) -> Iterator[tuple[str, int]]:
        """The secrets to sign with, and how often a key of each is derived before it signs."""
        if self.about is None:
            return
        schema = json.loads(self.about.settings_schema)
        for grant in self.about.secret_grants:
            place, value = schema, self.settings
            for name in grant.setting.split("/")[1:]:
                place = place.get("properties", {}).get(name, {})
                value = value.get(name) if isinstance(value, dict) else None
            if grant.signing and isinstance(value, str) and value:
                yield value, place.get("x-derivations", 0)

    def spend(self) -> None:
        """Takes one of the send's signatures and derivations."""
        if self._left == 0:
            raise SigningError.of_host("limit")
        self._left -= 1


@dataclass(frozen=True, repr=False)
class NativeKey:
    """A key that is so many derivations away from the one that signs."""

    keys: Keys
    secret: bytes
    derivations: int

    def derive(self, data: bytes) -> NativeKey:
        """HMAC-SHA-256 as a new key."""
        self.keys.spend()
        if self.derivations == 0:
            raise SigningError.of_host("denied")
        derived = hmac.digest(self.secret, data, "sha256")
        return NativeKey(self.keys, derived, self.derivations - 1)

    def sign(self, algorithm: Algorithm, data: bytes) -> bytes:
        """The signature's bytes."""
        self.keys.spend()
        if self.derivations > 0:
            raise SigningError.of_host("denied")
        if algorithm is Algorithm.RSA_SHA256:
            return rsa.sign(self.secret, data)
        name = "sha1" if algorithm is Algorithm.HMAC_SHA1 else "sha256"
        return hmac.digest(self.secret, data, name)
