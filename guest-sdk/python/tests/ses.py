"""A connector that signs: Amazon SES's v2 API, with Logto's settings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from sendbox_guest import (
    About,
    Channel,
    Connector,
    Failure,
    MailTemplate,
    Message,
    Receipt,
    Request,
    Response,
    SecretGrant,
    Templates,
    export,
    mail_content,
)
from sendbox_guest.sigv4 import AccessKey, Scope, sigv4

SCHEMA = {
    "type": "object",
    "properties": {
        "accessKeySecret": {"type": "string", "writeOnly": True, "x-derivations": 4},
    },
}


@dataclass(frozen=True)
class Settings:
    """What the test needs of them."""

    access_key_id: str
    access_key_secret: str
    region: str
    templates: Templates[MailTemplate]
    email_address: str | None = None
    email_address_identity_arn: str | None = None
    feedback_address: str | None = field(
        default=None, metadata={"json": "feedbackForwardingEmailAddress"}
    )
    feedback_address_identity_arn: str | None = field(
        default=None, metadata={"json": "feedbackForwardingEmailAddressIdentityArn"}
    )
    configuration_set_name: str | None = None


class Ses(Connector[Settings]):
    """One request, signed."""

    about = About(
        id="ses",
        channel=Channel.EMAIL,
        version="0.1.0",
        titles={"en": "SES"},
        descriptions={"en": "Signs."},
        hosts=[
            "email.{settings:/region}.amazonaws.com",
            "email.{settings:/region}.amazonaws.com.cn",
        ],
        settings_schema=json.dumps(SCHEMA),
        secret_grants=[SecretGrant("/accessKeySecret", signing=True)],
        readme="# SES",
    )

    def request(self, settings: Settings, message: Message) -> Request:
        if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", settings.region):
            raise Failure.invalid_settings("region", "is none")
        domain = "amazonaws.com" + (".cn" if settings.region.startswith("cn-") else "")
        mail = mail_content(settings.templates, message)
        content = {
            "Subject": {"Data": mail.subject, "Charset": "utf8"},
            "Body": {"Html": {"Data": mail.body}},
        }
        body = {
            "Content": {"Simple": content},
            "FromEmailAddress": settings.email_address,
            "FromEmailAddressIdentityArn": settings.email_address_identity_arn,
            "Destination": {"ToAddresses": [message.recipient]},
            "FeedbackForwardingEmailAddress": settings.feedback_address,
            "FeedbackForwardingEmailAddressIdentityArn": settings.feedback_address_identity_arn,
            "ConfigurationSetName": settings.configuration_set_name,
        }
        request = Request(f"https://email.{settings.region}.{domain}/v2/email/outbound-emails")
        request.json({name: value for name, value in body.items() if value is not None})
        key = AccessKey(settings.access_key_id, settings.access_key_secret)
        return sigv4(request, key, Scope(settings.region, "ses"), message.now_ms)

    def receipt(self, response: Response) -> Receipt:
        if response.status != 200 or "MessageId" not in response.json_object():
            raise Failure.unreadable(response)
        return Receipt(response.json_object()["MessageId"])


SendMessage = export(Ses)
