"""Sends while the component is built, so that the snapshot holds this package's code warm.

The interpreter adapts code that has run a few times; in a snapshot it stays adapted, and a send
neither does that work nor copies the memory that it changes. Only this package's own code runs: a
connector's might keep what it drew or was told.
"""

from __future__ import annotations

from dataclasses import dataclass

from .connector import Connector, Receipt
from .http import Request, Response
from .message import Message
from .settings import not_empty
from .usage import MailTemplate, Templates, mail_content

# More than the interpreter waits for before it adapts an instruction for good.
ROUNDS = 24

SETTINGS = (
    '{"token":"t","endpoint":"https://x.example/","templates":['
    + ",".join(
        f'{{"usageType":"{usage_type}","subject":"s","content":"{{{{code}}}} {{{{a.b}}}}"}}'
        for usage_type in ("Register", "SignIn", "ForgotPassword", "BindMfa", "Generic")
    )
    + "]}"
)
PAYLOAD = '{"code":"123456","a":{"b":[1,true,"\\u00fc"]},"locale":"en"}'


@dataclass(frozen=True, slots=True)
class _Settings:
    token: str
    endpoint: str
    templates: Templates[MailTemplate]
    sender: str = ""


class Rehearsal(Connector[_Settings]):
    """A connector of four parts as most are."""

    def request(self, settings: _Settings, message: Message) -> Request:
        """Texts and JSON."""
        not_empty(settings.token)
        mail = mail_content(settings.templates, message)
        message.sender("noreply@x.example", "Name")
        body = {"to": message.recipient, "mail": mail.body, "payload": message.payload}
        request = Request(settings.endpoint).header("accept", "application/json")
        # As most connectors do one or the other.
        return request.bearer(settings.token).secret_header("x-token", settings.token).json(body)

    def receipt(self, response: Response) -> Receipt:
        """An id in JSON."""
        return Receipt(response.json_object().get("id"))
