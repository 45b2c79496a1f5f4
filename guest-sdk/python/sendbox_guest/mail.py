"""Composing mail (RFC 5322, MIME), for connectors that submit it. A header cannot be injected: no
control character reaches one, and addresses are checked.

Outside the package's own names: a connector that does not import it does not carry the standard
library's `email`.
"""

from __future__ import annotations

import re
import sys
import time
import uuid
from encodings import punycode
from unicodedata import category, normalize

from . import mime
from .failure import Failure, FailureKind, one_line
from .mailbox import Mailbox
from .rehearsal import ROUNDS

# Bytes of the part before the `@` (RFC 5321, 4.5.3.1.1), and letters of a domain as a text: the 255
# of RFC 1035, 2.3.4.
_LONGEST_LOCAL_PART = 64
_LONGEST_DOMAIN = 253

# Without what ends or divides an address, and without halves of characters. Some readers end an
# address at a bracket or begin a comment at one, in quotes or not.
_LOCAL_PART = re.compile(
    r'[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff()<>\[\]:;@\\,"]+'
    r'|"[^\x00-\x1f\x7f-\x9f\ud800-\udfff"\\()<>\[\]]*"'
)
# Labels of at most 63 letters, not all of digits: that is an IP address without its brackets.
_DOMAIN = re.compile(r"(?=.*[a-z])[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NO_TOKEN = re.compile("[^0-9A-Za-z-]")
_LONGEST_TOKEN = 64
_ESCAPED = re.compile(r'\\(["\\])')


def compose(
    *,
    sender: Mailbox | str,
    to: str,
    subject: str,
    html: str | None = None,
    text: str | None = None,
    reply_to: Mailbox | str | None = None,
    date: float | None = None,
    id: str = "",
) -> bytes:
    """The mail's text, with CRLF at the ends of its lines; text and HTML become alternatives.

    `date` is in seconds since the Unix epoch, and now unless it is given. `id` is what makes the
    `Message-ID` its own, on the sender's domain: with `message.idempotency_key` all attempts of a
    message have the same, and a mailbox knows a mail that comes twice; without it each is fresh.

    Only an address beyond ASCII is not ASCII in the mail. Raises Failure: `invalid-settings` where
    the sender has no mail address, `rejected` where another one is none.
    """
    own = _mailbox(sender)
    if not own:
        raise Failure.invalid_settings("sender", "is no mail address")
    head = [_mailbox_field("From", own), mime.field("To", [f"<{recipient(to)}>"])]
    if reply_to:
        answers = _mailbox(reply_to)
        if not answers:
            raise Failure(FailureKind.REJECTED, "the reply address is no mail address")
        head.append(_mailbox_field("Reply-To", answers))
    head += [
        mime.field("Subject", mime.words("Subject", subject)),
        mime.field("Message-ID", [f"<{_message_id(id, own.address)}>"]),
        mime.field("Date", _date(date).split(" ")),
        mime.field("MIME-Version", ["1.0"]),
    ]
    if html is None:
        body = mime.part("text/plain", text or "")
    elif text is None:
        body = mime.part("text/html", html)
    else:
        body = mime.alternatives(mime.part("text/plain", text), mime.part("text/html", html))
    return ("".join(head) + body).encode()


def address(text: str) -> str | None:
    """One mail address with its domain in lower-case A-labels; None where the text is no address,
    more than one, or could end an envelope command or a header."""
    local, _, domain = text.strip(" ").rpartition("@")
    name = _domain(domain)
    # Some readers decode encoded words wherever they stand (RFC 2047, 5 forbids them here).
    if not name or "=?" in local or not _LOCAL_PART.fullmatch(local):
        return None
    return f"{local}@{name}" if len(local.encode()) <= _LONGEST_LOCAL_PART else None


def recipient(text: str) -> str:
    """The address of a message's recipient; or `rejected`."""
    to = address(text)
    if to is None:
        raise Failure(FailureKind.REJECTED, "the recipient is not one mail address")
    return to


def _domain(text: str) -> str | None:
    # Letter by letter: the last sigma of a word is none of its own in a host name (UTS #46).
    name = "".join(letter.lower() for letter in normalize("NFKC", text)).replace("\u3002", ".")
    name = ".".join(_label(label) for label in name.split("."))
    return name if _DOMAIN.fullmatch(name) and len(name) <= _LONGEST_DOMAIN else None


def _label(text: str) -> str:
    """One label in ASCII (RFC 5890); an empty one where there is none."""
    if text.isascii():
        return text
    if not all(category(letter)[0] in "LMN" or letter == "-" for letter in text):
        return ""
    return "xn--" + punycode.punycode_encode(text).decode("ascii")


def _mailbox(given: Mailbox | str) -> Mailbox | None:
    """A mailbox with an address that is one; a quoted name loses its quotes."""
    box = Mailbox.parse(one_line(given)) if isinstance(given, str) else given
    own, name = address(box.address), one_line(box.name)
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = _ESCAPED.sub(r"\1", name[1:-1])
    return None if own is None else Mailbox(own, name)


def _mailbox_field(name: str, box: Mailbox) -> str:
    words = mime.words(name, box.name, quoted=True) if box.name else []
    return mime.field(name, [*words, f"<{box.address}>"])


def _message_id(own: str, sender: str) -> str:
    """Without its brackets (RFC 5322, 3.6.4)."""
    token = _NO_TOKEN.sub("-", own)[:_LONGEST_TOKEN] or uuid.uuid4()
    return f"{token}@{sender.rpartition('@')[2]}"


def _date(seconds: float | None) -> str:
    """RFC 5322, 3.3; now unless `seconds` are given."""
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(seconds))


if sys.platform == "wasi":
    # As in `rehearsal`; and what is imported at its first use must be so before the snapshot.
    for _ in range(ROUNDS):
        compose(sender="Ä <a@x.example>", to="a@x.example", subject="s s", html="<p>", text="ä")
