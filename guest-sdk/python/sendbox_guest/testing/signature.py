"""Verifies a signed request as its provider would: recomputed from the published specification and
the bytes on the wire, with nothing of the signing code."""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import quote, urlsplit

from ..http import Request

_FAMILY = "AWS4-HMAC-SHA256 "


def is_signed(authorization: str) -> bool:
    """Whether a header `authorization` is a signature that `verify` can judge."""
    return authorization.startswith(_FAMILY)


def verify(request: Request, secret: str) -> None:
    """Checks the AWS Signature Version 4 of a request. Raises AssertionError where it has none, or
    another one."""
    authorization = request.headers.get("authorization", "")
    if not is_signed(authorization):
        raise AssertionError("the request is not signed")
    fields = dict(part.split("=", 1) for part in authorization.removeprefix(_FAMILY).split(", "))
    scope = fields["Credential"].partition("/")[2]
    body = hashlib.sha256(request.data or b"").hexdigest()
    if request.headers.get("x-amz-content-sha256", body) != body:
        raise AssertionError("x-amz-content-sha256 is not the body's")
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            request.headers["x-amz-date"],
            scope,
            _canonical(request, fields, body),
        ]
    )
    key = f"AWS4{secret}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    if fields["Signature"] != expected:
        raise AssertionError(f"signature: expected {expected}, got {fields['Signature']}")


def _canonical(request: Request, fields: dict[str, str], body: str) -> str:
    url = urlsplit(request.url)
    pairs = sorted((part.partition("=")[::2] for part in url.query.split("&") if part))
    lines = [request.method, quote(url.path or "/", safe="/-_.~")]
    lines.append("&".join(f"{name}={value}" for name, value in pairs))
    for name in fields["SignedHeaders"].split(";"):
        value = url.netloc if name == "host" else request.headers[name]
        lines.append(f"{name}:{re.sub(' +', ' ', value.strip())}")
    lines += ["", fields["SignedHeaders"], body]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
