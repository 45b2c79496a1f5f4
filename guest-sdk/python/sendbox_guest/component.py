"""The contract's bindings, and the way between its types and this package's. Only in a component.

All of it is made while the component is built: a send starts from a snapshot of it.
"""

from __future__ import annotations

import gc
import os
import time
from typing import Any

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import http, types

from . import connector as connector_
from . import payload
from .connector import About, Channel, Connector
from .exchange import URLError
from .failure import Failure, FailureKind
from .http import Basic, Bearer, Credential, Request, Response
from .message import Content, ContentType, Message

_KINDS = {kind: types.FailureKind[kind.name] for kind in FailureKind}
_CONTENT_TYPES = {
    types.ContentType.TEXT_HTML: ContentType.HTML,
    types.ContentType.TEXT_PLAIN: ContentType.PLAIN,
}
_HTTP_ERRORS = {
    http.HttpError_Denied: "denied",
    http.HttpError_InvalidRequest: "invalid-request",
    http.HttpError_Dns: "dns",
    http.HttpError_Connect: "connect",
    http.HttpError_Tls: "tls",
    http.HttpError_Timeout: "timeout",
    http.HttpError_Interrupted: "interrupted",
    http.HttpError_ResponseTooLarge: "response-too-large",
}


def component(connector: type[Connector[Any]]) -> type:
    """The class that exports a connector."""
    made = connector()
    info = _info(connector.about)

    class SendMessage(exports.SendMessage):
        def describe(self) -> types.ConnectorInfo:
            return info

        def send(self, settings: str, message: types.Message) -> types.Receipt:
            try:
                receipt = connector_.send(made, settings, _message(message), _transport)
            except Failure as failure:
                raise Err(_failure(failure)) from None
            return types.Receipt(_text(receipt.provider_message_id), _text(receipt.detail))

    # A send ends before the collector would find anything, and what it looks at it copies.
    gc.collect()
    gc.freeze()
    gc.disable()
    return SendMessage


def _transport(request: Request) -> Response:
    try:
        response = http.send(
            http.Request(
                request.method,
                request.url,
                list(request.headers.items()),
                request.data or b"",
                _credential(request.credential),
                None if request.timeout is None else max(1, int(request.timeout * 1000)),
            )
        )
    except Err as error:
        code = _HTTP_ERRORS[type(error.value)]
        raise URLError.of_host(code, getattr(error.value, "value", None)) from None
    received_at = int(time.time())
    return Response(response.status, response.headers, response.body, received_at=received_at)


def _credential(credential: Credential | None) -> http.Credential:
    if credential is None:
        return http.Credential_None_()
    if isinstance(credential, Bearer):
        return http.Credential_Bearer(credential.token)
    if isinstance(credential, Basic):
        return http.Credential_Basic((credential.user, credential.password))
    return http.Credential_Header((credential.name, credential.value))


def _message(message: types.Message) -> Message:
    return Message(
        recipient=message.recipient,
        usage_type=message.usage_type,
        payload=payload.parse(message.payload),
        locale=message.locale,
        client_ip=message.client_ip,
        content=None if message.content is None else _content(message.content),
        idempotency_key=message.idempotency_key,
        expires_in=message.expires_in,
        now_ms=time.time_ns() // 1_000_000,
        nonce=os.urandom(16),
    )


def _content(content: types.Content) -> Content:
    return Content(
        content.subject,
        content.body,
        _CONTENT_TYPES[content.content_type],
        content.text,
        content.reply_to,
        content.send_from,
    )


def _failure(failure: Failure) -> types.Failure:
    kind, words = _KINDS[failure.kind], _text(failure.message) or ""
    return types.Failure(kind, _text(failure.code), words, failure.retry_after)


def _text(value: object) -> str | None:
    """A text that the host can read: a provider's id may be a number, and half a surrogate pair
    in a text would end the guest."""
    return None if value is None else str(value).encode("utf-8", "replace").decode("utf-8")


def _info(about: About) -> types.ConnectorInfo:
    return types.ConnectorInfo(
        id=about.id,
        channel=types.Channel.EMAIL if about.channel is Channel.EMAIL else types.Channel.SMS,
        version=about.version,
        titles=list(about.titles.items()),
        descriptions=list(about.descriptions.items()),
        settings_schema=about.settings_schema,
        hosts=list(about.hosts),
        secret_grants=[
            types.SecretGrant(grant.setting, grant.query, grant.body, grant.signing)
            for grant in about.secret_grants
        ],
        readme=about.readme,
    )
