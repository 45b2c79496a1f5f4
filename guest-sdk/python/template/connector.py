"""{{title}}: posts each e-mail as JSON to an endpoint."""

from __future__ import annotations

from dataclasses import dataclass

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
    Templates,
    export,
    file_beside,
    mail_content,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator fills in, as settings.schema.json describes it."""

    endpoint: str
    token: str  # A placeholder: the host puts the secret into the request on its way out.
    templates: Templates[MailTemplate]


class Provider(Connector[Settings]):
    """The connector."""

    about = About(
        id="{{name}}",
        channel=Channel.EMAIL,
        version="0.1.0",
        titles={"en": "{{title}}"},
        descriptions={"en": "Posts each e-mail as JSON to an endpoint."},
        hosts=["{settings:/endpoint}"],
        settings_schema=file_beside(__file__, "settings.schema.json"),
        readme=file_beside(__file__, "README.md"),
    )

    def request(self, settings: Settings, message: Message) -> Request:
        """How a message becomes a request."""
        mail = mail_content(settings.templates, message)
        body = {"to": message.recipient, "subject": mail.subject, "html": mail.body}
        return Request(settings.endpoint).bearer(settings.token).json(body)

    def receipt(self, response: Response) -> Receipt:
        """How a 2xx response becomes a receipt."""
        return Receipt(provider_message_id=response.json_object().get("id"))

    def failure(self, response: Response) -> Failure:
        """How any other response becomes a failure; by its status code, unless it says more."""
        return Failure.of_response(response)


SendMessage = export(Provider)
