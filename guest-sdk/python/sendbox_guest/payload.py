"""JSON that reads and writes exactly as JavaScript does; a message's variables come in it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from . import number
from .failure import Failure, FailureKind

Payload = dict[str, Any]
"""Template variables in JavaScript's order: integer-like keys first, then the caller's order."""

# A pair of surrogates, half a pair, or any other escape.
_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_INDEX = re.compile("0|[1-9][0-9]{0,9}")
_LARGEST_INDEX = 2**32 - 2

# What may not be the text of a number in JavaScript; a match inside a string costs time alone.
_PERHAPS_OTHER_NUMBER = re.compile(r"[0-9](?:\.0|e[+-]|[0-9]{15})|NaN|Infinity")


def parse(text: str) -> Payload:
    """Reads the text of a JSON object; anything else is `rejected`."""
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Failure(FailureKind.REJECTED, "the payload is not a JSON object")
    return value


def loads(text: str) -> Any:
    """Reads JSON. Half a surrogate pair, which UTF-8 does not know, becomes U+FFFD.

    Raises ValueError where the text is no JSON.
    """
    if "\\u" in text:
        text = _ESCAPES.sub(lambda found: "\\uFFFD" if found["half"] else found[0], text)
    return _DECODER.decode(text)


def stringify(value: Any) -> str:
    """`JSON.stringify`: no spaces, numbers as JavaScript prints them."""
    text = _ENCODER.encode(value)
    return _spelled(value) if _PERHAPS_OTHER_NUMBER.search(text) else text


def array_index(key: str) -> int | None:
    """The key as an array index (ECMA-262, 6.1.7): canonical decimal, at most 2^32 - 2."""
    if not _INDEX.fullmatch(key):
        return None
    index = int(key)
    return index if index <= _LARGEST_INDEX else None


def _ordered(entries: dict[str, Any]) -> dict[str, Any]:
    """The entries in JavaScript's property order."""
    if not any(map(_INDEX.fullmatch, entries)):
        return entries
    indices = {key: index for key in entries if (index := array_index(key)) is not None}
    order = sorted(indices, key=indices.__getitem__)
    order += [key for key in entries if key not in indices]
    return {key: entries[key] for key in order}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _spelled(value: Any) -> str:
    if isinstance(value, dict):
        entries = (f"{_ENCODER.encode(str(key))}:{_spelled(item)}" for key, item in value.items())
        return "{" + ",".join(entries) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_spelled, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = number.text(value)
        return text if math.isfinite(float(text)) else "null"
    return _ENCODER.encode(value)


_DECODER = json.JSONDecoder(object_hook=_ordered, parse_constant=_refuse)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
