"""Postmark: one e-mail from a template that is kept at Postmark, or with a text of its own.

Protocol: <https://postmarkapp.com/developer/api/templates-api#email-with-template>,
<https://postmarkapp.com/developer/api/email-api#send-a-single-email>; codes:
<https://postmarkapp.com/developer/api/overview#error-codes>; all read 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sendbox_guest import (
    About,
    Channel,
    Connector,
    Failure,
    FailureKind,
    Mailbox,
    Message,
    Receipt,
    Request,
    Response,
    Templates,
    export,
    file_beside,
)

TEMPLATE_URL = "https://api.postmarkapp.com/email/withTemplate"
TEXT_URL = "https://api.postmarkapp.com/email"

KINDS = {
    # Bad or missing token; the account may not send.
    10: FailureKind.UNAUTHORIZED,
    412: FailureKind.UNAUTHORIZED,
    413: FailureKind.UNAUTHORIZED,
    # Maintenance.
    100: FailureKind.UNAVAILABLE,
    # Sender signature not found, or not confirmed: `fromEmail` is wrong.
    400: FailureKind.INVALID_SETTINGS,
    401: FailureKind.INVALID_SETTINGS,
    # Out of credits; rate limit.
    405: FailureKind.THROTTLED,
    429: FailureKind.THROTTLED,
    # A recipient that is no address, or inactive.
    300: FailureKind.REJECTED,
    406: FailureKind.REJECTED,
    # The template's id or alias is unknown.
    1100: FailureKind.TEMPLATE_NOT_FOUND,
    1101: FailureKind.TEMPLATE_NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class AliasTemplate:
    """The name of a template that is kept at Postmark."""

    usage_type: str
    template_alias: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator fills in."""

    server_token: str
    from_email: str
    templates: Templates[AliasTemplate]


class Postmark(Connector[Settings]):
    """The connector."""

    about = About(
        id="postmark",
        channel=Channel.EMAIL,
        version="0.1.0",
        titles={"en": "Postmark", "de": "Postmark", "zh-CN": "Postmark"},
        descriptions={
            "en": "Transactional e-mail by Postmark, with templates that are kept there.",
            "de": "Transaktionale E-Mails über Postmark, mit dort gepflegten Vorlagen.",
            "zh-CN": "通过 Postmark 及其模板发送事务性邮件。",
        },
        hosts=["api.postmarkapp.com"],
        settings_schema=file_beside(__file__, "settings.schema.json"),
        readme=file_beside(__file__, "README.md"),
    )

    def request(self, settings: Settings, message: Message) -> Request:
        """A template's name and the whole payload, or the tenant's own text."""
        content = message.rendered_content()
        request = Request(TEXT_URL if content else TEMPLATE_URL)
        request.header("accept", "application/json")
        request.secret_header("x-postmark-server-token", settings.server_token)
        if content is None:
            return request.json(
                {
                    "From": settings.from_email,
                    "TemplateAlias": settings.templates.choose(message.usage_type).template_alias,
                    "To": message.recipient,
                    "TemplateModel": message.payload,
                }
            )
        own = Mailbox.parse(settings.from_email)
        mail = {
            "From": str(message.sender(own.address, own.name)),
            "ReplyTo": message.reply_to(),
            "To": message.recipient,
            "HtmlBody": content.html_part,
            "Subject": content.subject,
            "TextBody": content.text_part,
        }
        return request.json({name: part for name, part in mail.items() if part is not None})

    def receipt(self, response: Response) -> Receipt:
        """Postmark's id for the message; a 2xx may still carry an error code."""
        answer = response.json_object()
        if answer.get("ErrorCode"):
            raise refusal(response, answer)
        return Receipt(answer.get("MessageID") or None, answer.get("Message"))

    def failure(self, response: Response) -> Failure:
        """By Postmark's error code, which says more than the status code."""
        answer = response.json_object()
        if answer.get("ErrorCode"):
            return refusal(response, answer)
        return Failure.of_response(response)


def refusal(response: Response, answer: dict[str, Any]) -> Failure:
    """What an answer with an error code means."""
    code = answer["ErrorCode"]
    if code == 300 and "'From'" in (answer.get("Message") or ""):
        # A sender that is no address.
        return Failure.of_provider(
            response, FailureKind.INVALID_SETTINGS, code, answer.get("Message")
        )
    if response.status < 500:
        # Nothing that is known of the recipient.
        other = FailureKind.INVALID_SETTINGS
    else:
        other = FailureKind.of_status(response.status)
    return Failure.of_provider(response, KINDS.get(code, other), code, answer.get("Message"))


SendMessage = export(Postmark)
