"""Which template serves a message: usage types, and the fallback to `Generic`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from . import settings
from .failure import Failure
from .message import Content, ContentType, Message

REQUIRED = ("Register", "SignIn", "ForgotPassword", "Generic")
"""The usage types that every template list must serve, as Logto's connectors demand."""

ALL = (
    "SignIn",
    "Register",
    "ForgotPassword",
    "OrganizationInvitation",
    "Generic",
    "UserPermissionValidation",
    "BindNewIdentifier",
    "MfaVerification",
    "BindMfa",
)
"""The usage types that there are."""

GENERIC = "Generic"
"""The usage type that stands in for every one without a template of its own."""


class Template(Protocol):
    """One entry of a template list."""

    @property
    def usage_type(self) -> str:
        """One of the nine usage types; other values are kept and never chosen."""
        ...


T = TypeVar("T", bound=Template)


class Templates(list[T]):
    """A template list that serves at least the `REQUIRED` usage types, as a field of settings."""

    def choose(self, usage_type: str) -> T:
        """The first template for the usage type, else for `Generic`; or `template-not-found`."""
        for wanted in (usage_type, GENERIC):
            for template in self:
                if template.usage_type == wanted:
                    return template
        raise Failure.template_not_found(usage_type)

    def choose_exact(self, usage_type: str) -> T:
        """The first template for exactly this usage type; or `template-not-found`."""
        for template in self:
            if template.usage_type == usage_type:
                return template
        raise Failure.template_not_found(usage_type)

    @staticmethod
    def settings_reader(item: Any) -> settings.Reader:
        """Reads a list of `item` and refuses one that lacks a required usage type."""
        entries = settings.reader(list[item])

        def read(value: Any) -> Templates[Any]:
            templates = Templates(entries(value))
            served = {template.usage_type for template in templates}
            missing = [usage_type for usage_type in REQUIRED if usage_type not in served]
            if missing:
                raise settings.Misfit(f"no template for {', '.join(missing)}")
            return templates

        return read


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """One entry of a list of e-mail templates."""

    usage_type: str
    subject: str
    content: str
    content_type: Literal["text/html", "text/plain"] = field(
        default="text/html", metadata={"json": "type"}
    )


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """An entry of a template list that holds the text of a short message itself."""

    usage_type: str
    content: str


def mail_content(templates: Templates[MailTemplate], message: Message) -> Content:
    """A mail's texts: the overriding ones, else the template's; variables filled in."""
    if content := message.rendered_content():
        return content
    template = templates.choose(message.usage_type)
    content_type = ContentType(template.content_type)
    return Content(
        subject=message.render_line(template.subject),
        body=message.render_as(content_type, template.content),
        content_type=content_type,
    )


def text_content(templates: Templates[TextTemplate], message: Message) -> str:
    """The text of a short message: the overriding one, else the template's; variables filled in."""
    if message.content:
        return message.render(message.content.body)
    return message.render(templates.choose(message.usage_type).content)
