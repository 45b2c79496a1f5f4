"""What the author of a Sendbox connector in Python imports.

A connector is a class below `Connector`: what it is, its settings, how a message becomes a request,
and how a response becomes a receipt or a failure. `export` makes a component of it. The middle is
free of I/O, so its tests run natively: `sendbox_guest.testing` is the kit for them.

Secrets in the settings are opaque placeholders here; the host fills them in on the way out.
"""

from __future__ import annotations

import sys
from typing import Any

from .connector import About, Channel, Connector, Receipt, SecretGrant, file_beside
from .exchange import HTTPError, URLError, exchange, urlopen
from .failure import Failure, FailureKind, one_line
from .http import Request, Response, path_segment, setting_segment
from .mailbox import Mailbox
from .message import Content, ContentType, Message
from .payload import Payload
from .settings import not_empty
from .usage import MailTemplate, Templates, TextTemplate, mail_content, text_content

__all__ = [
    "About",
    "Channel",
    "Connector",
    "Content",
    "ContentType",
    "Failure",
    "FailureKind",
    "HTTPError",
    "MailTemplate",
    "Mailbox",
    "Message",
    "Payload",
    "Receipt",
    "Request",
    "Response",
    "SecretGrant",
    "Templates",
    "TextTemplate",
    "URLError",
    "exchange",
    "export",
    "file_beside",
    "mail_content",
    "not_empty",
    "one_line",
    "path_segment",
    "setting_segment",
    "text_content",
    "urlopen",
]


def export(connector: type[Connector[Any]]) -> type:
    """The class that the component exports: `SendMessage = export(MyConnector)`.

    Outside WebAssembly, in tests, it is the connector itself.
    """
    if sys.platform != "wasi":
        return connector
    from .component import component

    return component(connector)
