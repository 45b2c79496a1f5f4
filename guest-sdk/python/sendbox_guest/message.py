"""What is to be sent, as the host hands it over."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from .failure import Failure, FailureKind, one_line
from .mailbox import Mailbox, has_variable, without_controls
from .payload import Payload
from .template import as_it_is, render

_SHORTEST_CONCEALED = 4
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")


_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
)


def escape(value: str) -> str:
    """A value as it stands in an element or a quoted attribute, so that nothing in it is markup."""
    return value.translate(_ENTITIES)


class ContentType(Enum):
    """How a body is to be read, by its media type."""

    HTML = "text/html"
    PLAIN = "text/plain"


@dataclass(frozen=True, slots=True)
class Content:
    """A text in place of the settings' templates, or the text that a template became."""

    subject: str
    body: str
    content_type: ContentType = ContentType.HTML
    text: str | None = None
    """Plain text of the same beside an HTML body."""
    reply_to: str | None = None
    """Where answers go."""
    send_from: str | None = None
    """A display name, a mailbox, or `Name <mailbox>`."""

    @property
    def html_part(self) -> str | None:
        """What a mail has as HTML."""
        return self.body if self.content_type is ContentType.HTML else None

    @property
    def text_part(self) -> str | None:
        """What a mail has as plain text."""
        return self.text if self.content_type is ContentType.HTML else self.body


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one recipient."""

    recipient: str
    """E-mail address, or phone number as the caller gave it."""
    usage_type: str
    """One of the nine usage types, or a name that a connector treats as `Generic`."""
    payload: Payload
    """Template variables."""
    locale: str | None = None
    """BCP 47 tag."""
    client_ip: str | None = None
    """Address of the person that asked for the message."""
    content: Content | None = None
    """Overrides the settings' templates; may hold variables, see `rendered_content`."""
    idempotency_key: str = ""
    """The same over all attempts of one message."""
    expires_in: int = 0
    """Milliseconds until the message expires."""
    now_ms: int = 0
    """When this attempt began: milliseconds since the Unix epoch."""
    nonce: bytes = field(default=bytes(16), repr=False)
    """Sixteen random bytes, new for each attempt."""
    unescaped_html: bool = False
    """The settings' `unescapedHtml`: values stand in HTML as they are, as in Logto's connectors."""

    def render(self, template: str) -> str:
        """The template, plain text, with this message's variables filled in as they are."""
        return render(template, self.payload)

    def render_html(self, template: str) -> str:
        """The template, HTML, with variables filled in: a value is text there, never markup."""
        return render(template, self.payload, as_it_is if self.unescaped_html else escape)

    def render_as(self, content_type: ContentType, template: str) -> str:
        """The template for a body of this type."""
        is_html = content_type is ContentType.HTML
        return self.render_html(template) if is_html else self.render(template)

    def render_line(self, template: str) -> str:
        """The same on one line: for subjects and names."""
        return one_line(self.render(template))

    def rendered_content(self) -> Content | None:
        """The overriding text with its variables filled in; all but the bodies on one line.

        No value becomes markup or an address.
        """
        own = self.content
        if own is None:
            return None
        return Content(
            subject=self.render_line(own.subject),
            body=self.render_as(own.content_type, own.body),
            content_type=own.content_type,
            text=None if own.text is None else self.render(own.text),
            reply_to=None if own.reply_to is None else self._mailbox(own.reply_to, whole=True),
            send_from=None if own.send_from is None else self._mailbox(own.send_from),
        )

    def _mailbox(self, text: str, *, whole: bool = False) -> str | None:
        """A mailbox or, unless `whole`, a name: an address is there only where the text has one."""
        if not has_variable(text):
            return one_line(text)
        read = Mailbox.filled(text, self._fill)
        return str(read) if read.address else (None if whole else read.name or None)

    def _fill(self, template: str, write: Callable[[str], str]) -> str:
        return render(template, self.payload, write)

    def sender(self, address: str, name: str = "") -> Mailbox:
        """Who sends: the overriding text's `send_from`, else the settings' own."""
        send_from = (self.content.send_from if self.content else None) or ""
        return Mailbox.filled(send_from, self._fill, address, name)

    def reply_to(self) -> str | None:
        """Where answers go, where the overriding text says so with an address of its own."""
        reply_to = (self.content.reply_to if self.content else None) or ""
        if has_variable(reply_to):
            return self._mailbox(reply_to, whole=True)
        return without_controls(reply_to) or None

    def uuid(self) -> str:
        """The nonce as a random UUID (RFC 9562, 5.4)."""
        return str(uuid.UUID(bytes=self.nonce, version=4))

    def check(self) -> None:
        """Refuses a recipient that could end a line of a protocol, before any request."""
        if _CONTROLS.search(self.recipient):
            words = "the recipient contains control characters"
            raise Failure(FailureKind.REJECTED, words)

    def conceal(self, text: str) -> str:
        """The text without what its reader must not learn: recipient, code and link.

        A provider likes to repeat them. The longest goes first: a code may be a part of the
        number and must not cut it in two that stay readable.
        """
        values = {self.recipient, self.recipient.lstrip("+")}
        # Rendered, because a code may be a number; a missing one renders as itself.
        values.update((self.render("{{code}}"), self.render("{{link}}")))
        for value in sorted(values, key=len, reverse=True):
            if len(value.encode()) >= _SHORTEST_CONCEALED:
                text = text.replace(value, "…")
        return text
