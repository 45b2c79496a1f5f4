"""Header fields (RFC 5322), encoded words (RFC 2047) and bodies (RFC 2045) as lines that every
server takes."""

from __future__ import annotations

import re
import uuid
from base64 import encodebytes
from collections.abc import Iterable
from email.header import Header

from .failure import one_line

# Where a field is folded: two before RFC 5322 asks for it (2.1.1), for encoded words (RFC 2047, 2).
_WIDTH = 76
# The longest line of a body that should be sent as it is (RFC 5322, 2.1.1).
_PLAIN_LINE = 78

_PRINTABLE = re.compile("[ -~]+")
_PLAIN_BODY = re.compile("[\t\r\n -~]*")
_LINE_ENDS = re.compile("\r\n?|\n")
_QUOTED = re.compile(r'["\\]')


def field(name: str, parts: Iterable[str]) -> str:
    """The field of that name, its words on as many lines as they need."""
    first = line = f"{name}:"
    lines = []
    for word in parts:
        # The first word stays beside the field's name: some readers lose a name alone.
        if len(line) + 1 + len(word) > _WIDTH and line is not first:
            lines.append(line)
            line = ""
        line += " " + word
    return "\r\n".join([*lines, line, ""])


def words(name: str, text: str, *, quoted: bool = False) -> list[str]:
    """The words of a field's text, or of a display name in quotes; encoded ones where a reader
    would not read back the text itself."""
    line = one_line(text)
    written = '"' + _QUOTED.sub(r"\\\g<0>", line) + '"' if quoted else line
    plain = _PRINTABLE.fullmatch(line) and "=?" not in line and all(line.split(" "))
    room = _WIDTH - len(f"{name}: ")
    if not line or plain and all(len(word) <= room for word in written.split(" ")):
        return written.split(" ")
    # A separator of lines beyond ASCII is a space to `Header`, and the line behind it too long.
    whole = " ".join(line.encode("utf-8", "replace").decode().splitlines())
    header = Header(whole, "utf-8", maxlinelen=_WIDTH, header_name=name)
    return header.encode(splitchars="").split()


def alternatives(*bodies: str) -> str:
    """Bodies of one text; the later one is preferred (RFC 2046, 5.1.4)."""
    # Part of no body: nobody knows it before.
    boundary = f"=_{uuid.uuid4()}"
    kind = field("Content-Type", ["multipart/alternative;", f'boundary="{boundary}"'])
    parts = "".join(f"--{boundary}\r\n{body}" for body in bodies)
    return f"{kind}\r\n{parts}--{boundary}--\r\n"


def part(content_type: str, text: str) -> str:
    """One body behind the fields that say how to read it. Every line ends with CRLF."""
    body = _LINE_ENDS.sub("\r\n", text)
    plain = _PLAIN_BODY.fullmatch(body)
    if plain and all(len(line) <= _PLAIN_LINE for line in body.split("\r\n")):
        encoding, body = "7bit", body + "\r\n"
    else:
        letters = encodebytes(body.encode("utf-8", "replace")).decode("ascii")
        encoding, body = "base64", letters.replace("\n", "\r\n")
    kind = field("Content-Type", [f"{content_type};", "charset=utf-8"])
    return f"{kind}{field('Content-Transfer-Encoding', [encoding])}\r\n{body}"
