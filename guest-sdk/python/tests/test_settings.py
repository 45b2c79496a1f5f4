"""Settings are read into dataclasses, and the field that does not fit is named."""

from __future__ import annotations

import json
import unittest
from dataclasses import dataclass, field
from typing import Annotated, Literal

from sendbox_guest import Failure, FailureKind, Templates, TextTemplate, not_empty, testing
from sendbox_guest.settings import parse, reader


@dataclass
class Inner:
    """An entry of a list."""

    api_key: str
    pool: Annotated[str, not_empty] | None = None


@dataclass
class Outer:
    """Whole settings."""

    inner: list[Inner]
    region: Literal["eu", "us"] = "eu"
    weight: float = field(default=1, metadata={"json": "Weight"})
    labels: dict[str, int] = field(default_factory=dict)
    active: bool = True


class SettingsTest(unittest.TestCase):
    """Dataclasses from JSON."""

    def test_names_are_in_camel_case_and_unknown_fields_are_accepted(self) -> None:
        text = '{"inner":[{"apiKey":"k","more":1}],"Weight":2,"labels":{"a":1},"region":"us"}'
        expected = Outer([Inner("k")], "us", 2, {"a": 1})
        self.assertEqual(parse(Outer, text), expected)

    def test_the_failing_field_is_named_and_its_value_is_not(self) -> None:
        for text, expected in [
            ('{"inner":[{"apiKey":12345}]}', "inner[0].apiKey: expected a string"),
            ('{"inner":[{}]}', "inner[0]: missing field `apiKey`"),
            ('{"inner":[{"apiKey":"k","pool":""}]}', "inner[0].pool: must not be empty"),
            ('{"inner":[{"apiKey":"k","pool":null}]}', "inner[0].pool: expected a string"),
            ('{"inner":"sk_live"}', "inner: expected a sequence"),
            ('{"inner":[],"region":"sk_live"}', "region: expected `eu` or `us`"),
            ('{"inner":[],"labels":{"a":true}}', "labels.a: expected an integer"),
            ('{"inner":[],"active":1}', "active: expected a boolean"),
            ("{}", "settings: missing field `inner`"),
            ("[]", "settings: expected a map"),
            ("nonsense", "settings: expected JSON"),
        ]:
            with self.subTest(text), self.assertRaises(Failure) as caught:
                parse(Outer, text)
            self.assertEqual(caught.exception.kind, FailureKind.INVALID_SETTINGS)
            self.assertEqual(caught.exception.message, expected)

    def test_a_type_that_no_setting_has_is_refused_at_once(self) -> None:
        for type_ in (bytes, int | str):
            with self.assertRaises(TypeError):
                reader(type_)


class TemplatesTest(unittest.TestCase):
    """The choice of a template."""

    def test_the_first_one_for_the_usage_type_serves_else_generic(self) -> None:
        given = testing.templates(content="first") + testing.templates(content="second")
        templates = parse(Templates[TextTemplate], json.dumps(given))
        self.assertEqual(templates.choose("SignIn"), TextTemplate("SignIn", "first"))
        self.assertEqual(templates.choose("BindMfa"), TextTemplate("Generic", "first"))
        with self.assertRaises(Failure) as caught:
            templates.choose_exact("BindMfa")
        self.assertEqual(caught.exception.kind, FailureKind.TEMPLATE_NOT_FOUND)

    def test_a_list_without_the_required_ones_is_refused(self) -> None:
        given = [{"usageType": "SignIn", "content": ""}]
        with self.assertRaises(Failure) as caught:
            parse(Templates[TextTemplate], json.dumps(given))
        words = "settings: no template for Register, ForgotPassword, Generic"
        self.assertEqual(caught.exception.message, words)
