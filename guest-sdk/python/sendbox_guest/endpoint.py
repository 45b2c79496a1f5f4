"""An address that somebody typed, as the absolute URL that goes on the wire.

The rules are the WHATWG URL Standard's for `http` and `https`, with what they would only guess at
refused: credentials, numbers written as an IPv4 address in another base, and Unix sockets.
"""

from __future__ import annotations

import re
from encodings import punycode
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote

_DEFAULT_PORTS = {"https": 443, "http": 80}
_TRIMMED = "".join(map(chr, range(0x21)))
_BREAKS = str.maketrans("", "", "\t\n\r")
_ADDRESS = re.compile(r"(?P<authority>[^/\\?]*)(?P<path>[^?]*)(?:\?(?P<query>.*))?", re.DOTALL)
_PORT = re.compile("[0-9]{1,5}")
# All printable ASCII but what a path, or a query, must not hold as it is.
_IN_PATH = "!$%&'()*+,-./:;=@[\\]_|~"
_IN_QUERY = "!$%&()*+,-./:;=?@[\\]^_`{|}~"


def canonical(text: str) -> str:
    """The URL in canonical form: lower-case scheme and host, host in A-labels, no default port,
    no dot segments, no fragment, ASCII only.

    Raises ValueError in words, without the address.
    """
    text = text.strip(_TRIMMED).translate(_BREAKS)
    scheme, mark, rest = text.partition("://")
    if not mark:
        raise ValueError("is not an absolute URL")
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError("must begin with https:// or http://")
    parts = _ADDRESS.fullmatch(rest.partition("#")[0])
    assert parts, "every text has these parts"
    authority = _authority(parts["authority"], _DEFAULT_PORTS[scheme])
    query = parts["query"]
    return (
        f"{scheme}://{authority}{_path(parts['path'])}"
        f"{'' if query is None else '?' + quote(query, safe=_IN_QUERY, errors='replace')}"
    )


def _authority(text: str, default_port: int) -> str:
    if "@" in text:
        raise ValueError("must not contain a user or password")
    host, _, port = text.rpartition(":")
    if text.endswith("]") or ":" not in text:
        host, port = text, ""
    host = _host(host)
    if not port:
        return host
    if not _PORT.fullmatch(port) or int(port) > 0xFFFF:
        raise ValueError("has an invalid port")
    return host if int(port) == default_port else f"{host}:{int(port)}"


def _host(text: str) -> str:
    invalid = ValueError("has an invalid host")
    if text.startswith("[") and text.endswith("]"):
        if "%" in text:
            raise invalid
        try:
            return f"[{IPv6Address(text[1:-1])}]"
        except AddressValueError:
            raise invalid from None
    # Letter by letter: the last sigma of a word is none of its own in a host name (UTS #46).
    lower = "".join(letter.lower() for letter in text).replace("\u3002", ".")
    host = ".".join(map(_label, lower.split(".")))
    name = host.removesuffix(".")
    if not all(name.split(".")) or len(name) > 253:
        raise invalid
    if name == "unix":
        raise ValueError("must not name a Unix socket")
    if name.rpartition(".")[2][0] in "0123456789":
        try:
            IPv4Address(name)
        except AddressValueError:
            raise invalid from None
    return host


def _label(text: str) -> str:
    """One label of a host name in ASCII (RFC 5890).

    A name that needs more of UTS #46 than lower case never equals the host's own reading of it,
    and is refused there.
    """
    if not all(letter.isalnum() or letter in "-_" for letter in text):
        raise ValueError("has an invalid host")
    label = text if text.isascii() else "xn--" + punycode.punycode_encode(text).decode("ascii")
    if len(label) > 63:
        raise ValueError("has an invalid host")
    return label


def _path(text: str) -> str:
    """The path without its dot segments, percent-encoded."""
    segments: list[str] = []
    ends_open = False
    for segment in text.replace("\\", "/").split("/")[1:]:
        plain = segment.lower().replace("%2e", ".")
        ends_open = plain in (".", "..")
        if plain == "..":
            del segments[-1:]
        elif plain != ".":
            segments.append(segment)
    if not segments or ends_open:
        segments.append("")
    return "".join("/" + quote(segment, safe=_IN_PATH, errors="replace") for segment in segments)
