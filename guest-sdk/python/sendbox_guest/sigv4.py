"""AWS Signature Version 4 in a header.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, read
2026-11-21.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qsl, quote

from .http import Request
from .signing import Algorithm, Key

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"
_SPACES = re.compile(" +")
_URL = re.compile(r"[a-z]+://(?P<host>[^/?]*)(?P<path>[^?]*)(?:\?(?P<query>.*))?")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key, as the settings hold it."""

    id: str
    """Public."""
    secret: str = field(repr=False)
    """A placeholder, in a component. `secret_grants` must ask to sign with it, and the settings
    schema must say `"x-derivations": 4`."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is valid for, besides its day."""

    region: str
    """Such as `eu-central-1`."""
    service: str
    """Such as `ses`."""


def sigv4(request: Request, access_key: AccessKey, scope: Scope, now_ms: int) -> Request:
    """Signs the whole request, its headers and query included, at `message.now_ms`.

    Adds `x-amz-date`, `x-amz-content-sha256` and `authorization`, and puts the query into the form
    that is signed. The URL is canonical, as one of the settings is: lower-case host, no port that
    is the scheme's own. Nothing in the request may be a placeholder: the host fills it in later.

    Raises SigningError where the host does not sign with the secret.
    """
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_ms // 1000))
    day = at[:8]
    body = sha256(request.data or b"").hexdigest()
    request.header("x-amz-date", at).header("x-amz-content-sha256", body)
    canonical, signed = _canonical(request, body)

    credential_scope = f"{day}/{scope.region}/{scope.service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{at}\n{credential_scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = Key(access_key.secret, prefix="AWS4")
    for step in (day, scope.region, scope.service, "aws4_request"):
        key = key.derive(step)
    signature = key.sign(Algorithm.HMAC_SHA256, to_sign).hex()
    return request.header(
        "authorization",
        f"{_ALGORITHM} Credential={access_key.id}/{credential_scope}, "
        f"SignedHeaders={signed}, Signature={signature}",
    )


def _canonical(request: Request, body: str) -> tuple[str, str]:
    """The request as it is signed, and the names of its headers. The URL's query is rewritten."""
    url = _URL.fullmatch(request.url)
    if not url:
        raise ValueError("the URL is not absolute")
    query = _query(url["query"] or "")
    request.url = request.url.partition("?")[0] + (f"?{query}" if query else "")
    headers = sorted({**request.headers, "host": url["host"]}.items())
    lines = [f"{name}:{_SPACES.sub(' ', value.strip())}\n" for name, value in headers]
    signed = ";".join(name for name, _ in headers)
    # Encoded as it is on the wire, and once more.
    path = quote(url["path"] or "/", safe="/" + _UNRESERVED)
    text = f"{request.method}\n{path}\n{query}\n{''.join(lines)}\n{signed}\n{body}"
    return text, signed


def _query(text: str) -> str:
    """The query sorted and percent-encoded, without the plus signs of forms."""
    pairs = parse_qsl(text, keep_blank_values=True)
    encoded = [tuple(quote(part, safe=_UNRESERVED) for part in pair) for pair in pairs]
    return "&".join("=".join(pair) for pair in sorted(encoded))
