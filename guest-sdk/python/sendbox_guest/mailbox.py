"""Senders, as Logto's connector kit reads and writes them: `Name <address>`, never quoted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_CONTROLS = re.compile("[\x00-\x1f\x7f]")
# What means something in an address, ends a line or hides in it.
_APART = re.compile(
    "[\x00-\x1f\x7f-\x9f\\s<>()\\[\\]\\\\,;:\"@\uff20\ufe6b\xad\u061c"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+"
)
# The address begins at the first `<` behind any other `>`.
_NAME_AND_ADDRESS = re.compile(r"(?P<name>(?:.*>)?[^<>]*)<(?P<address>[^>]*)>")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mail address, not validated, and the name that stands before it, or none."""

    address: str
    name: str = ""

    @classmethod
    def of(cls, address: str, name: str = "") -> Mailbox:
        """A mailbox of both parts, without what would end a header or an address."""
        return cls(_bare(address), _bare(name))

    @classmethod
    def parse(cls, text: str, address: str = "", name: str = "") -> Mailbox:
        """Reads `Name <address>`, an address alone, or a name alone, which keeps `address`.

        An empty text is the given `address` and `name`.
        """
        text = without_controls(text)
        if not text:
            return cls.of(address, name)
        if found := _NAME_AND_ADDRESS.fullmatch(text):
            own = _bare(found["address"])
            return cls.of(own or address, found["name"])
        if "@" in text and len(text.split()) == 1:
            return cls.of(text)
        return cls.of(address, text)

    @classmethod
    def filled(
        cls,
        template: str,
        fill: Callable[[str, Callable[[str], str]], str],
        address: str = "",
        name: str = "",
    ) -> Mailbox:
        """`parse` of a text with variables: read first and filled in then, in the name alone.

        A value that stands for an address, or a part of one, leaves `address` in its place.
        """
        read = cls.parse(template, address, name)
        if not has_variable(template):
            return read
        own = cls.of(address, name)
        shown = _bare(fill(read.name, _words))
        return cls(own.address if has_variable(read.address) else read.address, shown or own.name)

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


def without_controls(text: str) -> str:
    """The text without control characters, trimmed: what a header takes."""
    return _CONTROLS.sub("", text).strip()


def has_variable(text: str) -> bool:
    """Whether a text has variables."""
    return "{{" in text


def _words(value: str) -> str:
    """A value in a display name."""
    return " ".join(_APART.sub(" ", value).split())


def _bare(text: str) -> str:
    return without_controls(text.replace("<", "").replace(">", ""))
