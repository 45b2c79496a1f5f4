"""The four things a connector says, and the one path that turns them into a send."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from . import settings
from .exchange import Exchange, Transport, URLError, exchange
from .failure import Failure
from .http import Request, Response
from .message import Message

S = TypeVar("S")


class Channel(Enum):
    """What a message travels by."""

    EMAIL = "email"
    SMS = "sms"


@dataclass(frozen=True, slots=True)
class SecretGrant:
    """A request to place one secret outside headers and credentials."""

    setting: str
    """JSON pointer of the secret in the settings, such as `/apiKey`."""
    query: bool = False
    """In the query of a URL."""
    body: bool = False
    """In a body."""
    signing: bool = False
    """As key material for signing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a connector says of itself, the same on every call."""

    id: str
    """Lower-case ASCII letters, digits and `-`."""
    channel: Channel
    """What its messages travel by."""
    version: str
    """Semantic version."""
    titles: Mapping[str, str]
    """Names by BCP 47 tag; the first is the default."""
    descriptions: Mapping[str, str]
    """One-paragraph descriptions by BCP 47 tag."""
    hosts: Sequence[str]
    """Hosts that it asks to reach: names, or `{settings:/pointer}`."""
    settings_schema: str
    """JSON Schema 2020-12 of the settings; `writeOnly` marks a secret."""
    readme: str
    """How to set it up, in Markdown."""
    secret_grants: Sequence[SecretGrant] = ()
    """Where secrets may be placed besides headers and credentials."""


def file_beside(source: str, name: str) -> str:
    """The text of a file in the folder of `source`, which is the caller's `__file__`.

    Read while the component is built: it has no files when it runs.
    """
    with open(os.path.join(os.path.dirname(source), name), encoding="utf-8") as file:
        return file.read()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider accepted the message."""

    provider_message_id: str | None = None
    """The provider's name for the message."""
    detail: str | None = None
    """The provider's own words."""


class Connector(Generic[S]):
    """A connector: one provider, one channel. `S` is its settings, a dataclass.

    Its parts are `about`, the settings, `request`, and `receipt` with `failure`. They are free of
    I/O; `send` does the rest.
    """

    about: ClassVar[About]
    settings_type: ClassVar[Any] = dict[str, Any]

    def __init_subclass__(cls) -> None:
        """Learns the settings' type from `Connector[Settings]`."""
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Connector:
                cls.settings_type = get_args(base)[0]
        # Made now, so that no send makes it, and what it cannot read fails at once.
        settings.reader(cls.settings_type)

    def request(self, settings: S, message: Message) -> Request:
        """How a message becomes a request. Raises Failure where it cannot; nothing is sent."""
        raise NotImplementedError(f"{type(self).__name__} has neither request nor send")

    def receipt(self, response: Response) -> Receipt:
        """How a 2xx response becomes a receipt. Raises Failure where it says no after all."""
        return Receipt()

    def failure(self, response: Response) -> Failure:
        """How any other response becomes a failure: by its status code, unless it says more."""
        return Failure.of_response(response)

    def send(self, settings: S, message: Message) -> Receipt:
        """Sends one message, once: for another shape than one request, override this."""
        response = exchange(self.request(settings, message))
        if response.is_success:
            return self.receipt(response)
        raise self.failure(response)


def send(
    connector: Connector[Any], settings_text: str, message: Message, transport: Transport
) -> Receipt:
    """Sends one message, once, through `transport`.

    Raises Failure and nothing else, without the message's recipient, code and link in its words:
    an error in the connector's own code becomes a failure with its name, words and place, and its
    trace goes to the standard error output, which the host keeps as the send's log.
    """
    with Exchange(transport) as way_out:
        try:
            values = settings.parse(connector.settings_type, settings_text)
            if settings.unescaped_html(settings_text):
                message = replace(message, unescaped_html=True)
            message.check()
            receipt = connector.send(values, message)
            if not isinstance(receipt, Receipt):
                raise TypeError(f"the end of a send is a Receipt, not {type(receipt).__name__}")
            return receipt
        except Failure as error:
            failure = error
        except URLError as error:
            failure = error.failure
        except BaseException as error:
            failure = Failure.of_exception(error, sent=way_out.sent)
            trace = "".join(traceback.format_exception(error))
            print(message.conceal(trace), file=sys.stderr)
    failure.message = message.conceal(failure.message)
    raise failure
