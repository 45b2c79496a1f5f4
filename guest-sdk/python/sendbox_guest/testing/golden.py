"""Replays recorded cases: the same settings, message and responses in, the same request and
outcome out, but for the deviations that a test names.

A case is one JSON object a line: `id`, `settings`, `message`, `responses` and `expect`.
"""

from __future__ import annotations

import base64
import copy
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from .. import payload
from ..connector import Connector
from ..exchange import URLError
from ..failure import Failure, FailureKind
from ..http import Basic, Bearer, Request, Response, SecretHeader
from ..message import Content, ContentType, Message
from .host import send_natively
from .keys import Keys
from .signature import is_signed, verify

Deviation = Callable[[dict[str, Any]], None]
"""A change of what a case expects. Each must really differ from what is recorded."""


def refused(kind: FailureKind) -> Deviation:
    """No request; this failure instead."""

    def change(expected: dict[str, Any]) -> None:
        expected["requests"] = []
        expected["outcome"] = {"ok": False, "kind": kind.value}

    return change


def failed(kind: FailureKind) -> Deviation:
    """The same request, and this failure."""

    def change(expected: dict[str, Any]) -> None:
        expected["outcome"] = {"ok": False, "kind": kind.value}

    return change


def accepted(expected: dict[str, Any]) -> None:
    """The same request, and a receipt."""
    expected["outcome"] = {"ok": True}


def replay(
    connector: type[Connector[Any]],
    cases: Path | str,
    deviations: Mapping[str, Deviation] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> int:
    """Replays a file of cases and counts them. Raises AssertionError with all that differs.

    A deviation is named by the part of the case's id behind the `/`. `settings` are added to those
    of every case: `{"unescapedHtml": True}` for a peer that writes values into HTML as they are.
    """
    count, wrong = 0, []
    # Not `splitlines`: a text may hold U+2028.
    for line in filter(None, Path(cases).read_text("utf-8").split("\n")):
        case = payload.loads(line)
        case["settings"] |= settings or {}
        count += 1
        deviation = (deviations or {}).get(case["id"].rpartition("/")[2])
        requests, failure = _run(connector, case)
        expected = copy.deepcopy(case["expect"])
        if "redirect" in case.get("tags", ()):
            expected["outcome"] = {"ok": False}
        if deviation:
            if not list(_differences(case, expected, requests, failure)):
                wrong.append(f"{case['id']}: does not deviate any more")
            deviation(expected)
        found = [*_differences(case, expected, requests, failure)]
        found += _wrong_signatures(connector, case, requests)
        wrong += [f"{case['id']}: {difference}" for difference in found]
    if wrong:
        raise AssertionError("\n".join(wrong))
    return count


def _run(
    connector: type[Connector[Any]], case: dict[str, Any]
) -> tuple[list[Request], Failure | None]:
    requests: list[Request] = []
    no_name = (case.get("network") or {}).get("fault") == "dns_failure"
    answers = iter(case.get("responses") or ())

    def answer(request: Request) -> Response:
        # Without a name there is nothing on the wire, though a request was made.
        if no_name:
            raise URLError.of_host("dns")
        requests.append(request)
        recorded = next(answers, None)
        if recorded is None or "network" in recorded:
            raise URLError.of_host("interrupted")
        headers = (recorded.get("headers") or {}).items()
        return Response(recorded["status"], headers, recorded.get("body", "").encode())

    try:
        send_natively(connector, payload.stringify(case["settings"]), _message(case), answer)
    except Failure as failure:
        return requests, failure
    return requests, None


def _message(case: dict[str, Any]) -> Message:
    given, uuids = case["message"], case.get("uuids") or ()
    return Message(
        recipient=given["to"],
        usage_type=given["type"],
        payload=given["payload"],
        locale=given["payload"].get("locale"),
        client_ip=given.get("ip"),
        content=_content(case.get("content")),
        idempotency_key=case["id"],
        expires_in=600_000,
        now_ms=case.get("now_ms", 0),
        nonce=uuid.UUID(uuids[0]).bytes if uuids else bytes(16),
    )


def _content(recorded: dict[str, Any] | None) -> Content | None:
    if recorded is None:
        return None
    return Content(
        subject=recorded["subject"],
        body=recorded["content"],
        content_type=ContentType(recorded.get("contentType", "text/html")),
        text=recorded.get("text"),
        reply_to=recorded.get("replyTo"),
        send_from=recorded.get("sendFrom"),
    )


def _differences(
    case: dict[str, Any],
    expected: dict[str, Any],
    requests: list[Request],
    failure: Failure | None,
) -> Iterable[str]:
    """What differs, in words."""
    recorded = expected.get("requests") or []
    outcome = expected["outcome"]
    pairs: list[tuple[str, Any, Any]] = [
        ("requests", min(1, len(recorded)), len(requests)),
        ("ok", outcome["ok"], not failure),
    ]
    if recorded and requests:
        first, request = recorded[0], requests[0]
        headers, made = list(first["headers"].items()), _headers(request)
        if any(is_signed(value) for _, value in headers):
            # Which headers a signature covers is the signer's choice: it is verified.
            headers, made = _unsigned(headers), _unsigned(made)
        pairs += [
            ("method", first["method"], request.method),
            ("url", first["url"], request.url),
            ("headers", _sorted(headers), _sorted(made)),
            ("body", _body(first["body"]), _body_like(first["body"], request)),
        ]
    if outcome.get("kind"):
        pairs.append(("kind", outcome["kind"], failure.kind.value if failure else None))
    for what, wanted, made in pairs:
        # By text, so that the order of keys counts.
        if json.dumps(wanted) != json.dumps(made):
            yield f"{what}: expected {wanted!r}, got {made!r} ({failure})"


def _wrong_signatures(
    connector: type[Connector[Any]], case: dict[str, Any], requests: list[Request]
) -> Iterable[str]:
    """What is wrong with signatures of the secrets that the connector asks to sign with."""
    for request in requests:
        if is_signed(request.headers.get("authorization", "")):
            for secret, _ in Keys(connector.about, case["settings"]).secrets():
                try:
                    verify(request, secret)
                except AssertionError as error:
                    yield str(error)


def _unsigned(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in headers if pair[0] not in ("authorization", "x-amz-content-sha256")]


def _headers(request: Request) -> list[tuple[str, str]]:
    """Headers as the host would send them, the credential encoded."""
    # What every HTTP client adds by itself is not recorded.
    headers = [pair for pair in request.headers.items() if pair[0] != "accept"]
    match request.credential:
        case Basic(user, password):
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            headers.append(("authorization", f"Basic {token}"))
        case Bearer(token):
            headers.append(("authorization", f"Bearer {token}"))
        case SecretHeader(name, value):
            headers.append((name, value))
    return headers


def _sorted(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted((name.lower(), value.strip()) for name, value in headers)


def _body(recorded: dict[str, Any]) -> Any:
    if recorded["kind"] == "json":
        return recorded["value"]
    if recorded["kind"] == "form":
        return [list(pair) for pair in recorded["pairs"]]
    return recorded.get("raw", "")


def _body_like(recorded: dict[str, Any], request: Request) -> Any:
    """The body in the shape of the recorded one."""
    text = (request.data or b"").decode()
    if recorded["kind"] == "json":
        return payload.loads(text)
    if recorded["kind"] == "form":
        return [list(pair) for pair in parse_qsl(text, keep_blank_values=True)]
    return text
