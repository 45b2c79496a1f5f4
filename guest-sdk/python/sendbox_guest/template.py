"""Variables in texts: `{{ name.of.a.value }}`, with the semantics of Logto's connector kit.

The peer's expression is `/{{\\s*([\\w.]+)\\s*}}/g`, replaced once and never read again. Inherited
properties (`{{constructor}}`), which the peer resolves, count as missing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import number
from .payload import Payload, array_index

# JavaScript's `\s`, which is not Python's: U+FEFF is in, U+0085 is not.
_SPACE = "[\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_VARIABLE = re.compile(rf"\{{\{{{_SPACE}*+([A-Za-z0-9_.]++){_SPACE}*+\}}\}}")


def as_it_is(value: str) -> str:
    """A value in plain text."""
    return value


def render(template: str, payload: Payload, write: Callable[[str], str] = as_it_is) -> str:
    """Replaces each variable of `template`, plain text, by its value, without any escaping.

    `write` has a value for another place.

    A variable whose first name is not in the payload stays as it is written; one that is not
    found further down, or is null, becomes empty.
    """

    def value(found: re.Match[str]) -> str:
        text = _lookup(found[1], payload)
        return found[0] if text is None else write(text)

    return _VARIABLE.sub(value, template) if "{{" in template else template


def _lookup(path: str, payload: Payload) -> str | None:
    """The text for a path, or nothing where its root is missing."""
    root, *names = path.split(".")
    if root not in payload:
        return None
    value = payload[root]
    for name in names:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list):
            value = len(value) if name == "length" else _item(value, name)
        else:
            return ""
    return to_text(value)


def _item(items: list[Any], name: str) -> Any:
    index = array_index(name)
    return items[index] if index is not None and index < len(items) else None


def to_text(value: Any) -> str:
    """JavaScript's `String(value)` of a JSON value, with an empty text for null."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number.text(value)
    if isinstance(value, list):
        return ",".join(map(to_text, value))
    return "[object Object]"
