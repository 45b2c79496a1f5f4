"""RSA signatures, PKCS #1 v1.5 with SHA-256 (RFC 8017, 8.2), for tests: not in constant time."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from hashlib import sha256

from ..signing import SigningError

_PEM = re.compile(rb"-----BEGIN (RSA )?PRIVATE KEY-----(.*?)-----END ", re.DOTALL)
# DER of the name of keys for every use (RFC 8017, A.1): others are for PSS alone, or no RSA.
_RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d010101")
# DER of the algorithm's name before a SHA-256 (RFC 8017, 9.2).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def sign(pem: bytes, data: bytes) -> bytes:
    """The signature of `data` with a private key in PEM, PKCS #8 or PKCS #1."""
    modulus, exponent = _private_key(pem)
    size = (modulus.bit_length() + 7) // 8
    digest = _SHA256 + sha256(data).digest()
    padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(padded, "big"), exponent, modulus).to_bytes(size, "big")


def _private_key(pem: bytes) -> tuple[int, int]:
    """Modulus and private exponent."""
    found = _PEM.search(pem)
    try:
        if not found:
            raise ValueError("no PEM")
        (key,) = _elements(base64.b64decode(found[2]))
        if not found[1]:
            # Version, algorithm, and the PKCS #1 key in an octet string (RFC 5208, 5).
            _, algorithm, octets, *_ = _elements(key)
            if not algorithm.startswith(_RSA_ENCRYPTION):
                raise ValueError("a key of another algorithm")
            (key,) = _elements(octets)
        _, modulus, _, exponent, *_ = _elements(key)
    except (ValueError, IndexError, binascii.Error):
        words = "no RSA private key in PEM (PKCS #8 or PKCS #1)"
        raise SigningError.of_host("invalid-key", words) from None
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _elements(der: bytes) -> Iterator[bytes]:
    """The contents of DER elements that stand one behind another (X.690, 8.1)."""
    while der:
        length, start = der[1], 2
        if length > 0x7F:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        yield der[start : start + length]
        der = der[start + length :]
