"""Text messages through an HTTP endpoint of the tenant's own, in Logto's message format.

It shows the second shape of a connector: `send` of its own, with an HTTP client like the standard
library's. Protocol: <https://docs.logto.io/connectors/sms-connectors/http-sms>, read 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sendbox_guest import (
    About,
    Channel,
    Connector,
    Content,
    Failure,
    Message,
    Receipt,
    Request,
    export,
    file_beside,
    urlopen,
)
from sendbox_guest.endpoint import canonical


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator fills in."""

    endpoint: str
    authorization: str = ""


class HttpSms(Connector[Settings]):
    """The connector."""

    about = About(
        id="http-sms",
        channel=Channel.SMS,
        version="0.1.0",
        titles={"en": "HTTP SMS", "de": "HTTP-SMS", "zh-CN": "HTTP 短信"},
        descriptions={
            "en": "Posts every text message to be sent as JSON to an endpoint of your own.",
            "de": "Übergibt jede zu sendende SMS als JSON an einen eigenen Endpunkt.",
            "zh-CN": "将每条待发送的短信以 JSON 形式发送到您自己的端点。",
        },
        hosts=["{settings:/endpoint}"],
        settings_schema=file_beside(__file__, "settings.schema.json"),
        readme=file_beside(__file__, "README.md"),
    )

    def send(self, settings: Settings, message: Message) -> Receipt:
        """One POST; `urlopen` raises for every answer but a 2xx, and that ends the send."""
        try:
            url = canonical(settings.endpoint)
        except ValueError as error:
            raise Failure.invalid_settings("endpoint", str(error)) from error
        request = Request(url).json(body(message))
        if settings.authorization:
            request.secret_header("authorization", settings.authorization)
        with urlopen(request):
            return Receipt()


def body(message: Message) -> dict[str, Any]:
    """The message in Logto's names, without what it does not have."""
    content = message.rendered_content()
    return {
        "to": message.recipient,
        "type": message.usage_type,
        "payload": message.payload,
        **({"ip": message.client_ip} if message.client_ip else {}),
        **({"content": text(content)} if content else {}),
    }


def text(content: Content) -> dict[str, str]:
    """A text of the tenant's own, in the names of Logto's e-mail templates."""
    values = {
        "subject": content.subject,
        "content": content.body,
        "contentType": content.content_type.value,
        "text": content.text,
        "replyTo": content.reply_to,
        "sendFrom": content.send_from,
    }
    return {name: value for name, value in values.items() if value is not None}


SendMessage = export(HttpSms)
