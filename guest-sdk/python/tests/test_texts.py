"""Variables, numbers, payloads and senders read as they do in Logto's connector kit."""

from __future__ import annotations

import json
import unittest
from typing import Any

from sendbox_guest import Content, Failure, Mailbox, payload, testing
from sendbox_guest.mailbox import without_controls
from sendbox_guest.number import text
from sendbox_guest.template import render

from .projects import vectors

# The peer prints JavaScript's own functions for these names; here they count as missing.
INHERITED = ("constructor", "toString", "__proto__", "hasOwnProperty", "valueOf")


def rows(file: str) -> list[Any]:
    """The recorded calls of functions of the kit."""
    lines = vectors(file).read_text("utf-8").split("\n")
    return [payload.loads(line) for line in lines if line]


class TemplateTest(unittest.TestCase):
    """`{{variables}}`."""

    def test_texts_are_rendered_as_the_kit_renders_them(self) -> None:
        for row in rows("render.jsonl") + rows("number-format.jsonl"):
            if not any(name in row["template"] for name in INHERITED):
                with self.subTest(row["id"]):
                    self.assertEqual(render(row["template"], row["payload"]), row["expect"])

    def test_inherited_names_count_as_missing(self) -> None:
        values = {"code": "1", "list": []}
        self.assertEqual(
            render("{{constructor}} {{ toString.x }} [{{list.constructor}}]", values),
            "{{constructor}} {{ toString.x }} []",
        )

    def test_values_are_inserted_as_they_are_and_not_read_again(self) -> None:
        values = {"a": "{{b}}$&\\1<b>", "b": "x"}
        self.assertEqual(render("{{{a}}}{{a", values), "{{{b}}$&\\1<b>}{{a")

    def test_white_space_is_javascripts(self) -> None:
        self.assertEqual(render("{{\ufeff a\u2028}}{{\x85a}}", {"a": 1}), "1{{\x85a}}")


class NumberTest(unittest.TestCase):
    """The text of numbers."""

    def test_the_borders_between_notations_are_those_of_javascript(self) -> None:
        for written, expected in [
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("0.00000123", "0.00000123"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("-1.5e300", "-1.5e+300"),
            ("123.456", "123.456"),
            ("5e-324", "5e-324"),
            ("0.1", "0.1"),
            ("12345678901234567890123", "1.2345678901234568e+22"),
            ("1e2", "100"),
            ("-0.0", "0"),
            ("-9007199254740991", "-9007199254740991"),
            ("18446744073709551615", "18446744073709552000"),
            ("1e999", "Infinity"),
        ]:
            self.assertEqual(text(json.loads(written)), expected)


class PayloadTest(unittest.TestCase):
    """JSON objects in JavaScript's order and words."""

    def assert_round_trip(self, given: str, expected: str) -> None:
        """What is read is written as JavaScript writes it."""
        self.assertEqual(payload.stringify(payload.parse(given)), expected)

    def test_keys_come_in_javascript_order_at_every_depth(self) -> None:
        self.assert_round_trip(
            '{"b":1,"10":2,"a":{"x":0,"2":1,"01":2,"1":3},"9":[{"z":1,"0":2}]}',
            '{"9":[{"0":2,"z":1}],"10":2,"b":1,"a":{"1":3,"2":1,"x":0,"01":2}}',
        )

    def test_a_repeated_key_keeps_its_first_place_and_its_last_value(self) -> None:
        self.assert_round_trip('{"a":1,"b":2,"a":3}', '{"a":3,"b":2}')

    def test_numbers_are_printed_as_javascript_prints_them(self) -> None:
        self.assert_round_trip(
            '{"a":[1.0,-0,1e21,12345678901234567890,9007199254740993,1e-7,0.00001,1e999]}',
            '{"a":[1,0,1e+21,12345678901234567000,9007199254740992,1e-7,0.00001,null]}',
        )

    def test_half_a_surrogate_pair_becomes_the_replacement_character(self) -> None:
        self.assert_round_trip(
            r'{"a":"\ud83d","b":"\uD83D\uDE00 \\ud83d \udc00\ud83dx"}',
            '{"a":"\ufffd","b":"\U0001f600 \\\\ud83d \ufffd\ufffdx"}',
        )

    def test_what_is_no_object_is_rejected(self) -> None:
        for given in ["", "[]", "null", "{", '"a"', '{"a":NaN}', "[" * 9999]:
            with self.assertRaises(Failure):
                payload.parse(given)


class MailboxTest(unittest.TestCase):
    """Senders."""

    def test_senders_are_read_and_written_as_in_the_kit(self) -> None:
        for row in rows("mailbox.jsonl"):
            with self.subTest(row["id"]):
                self.assertEqual(self.seen(row["fn"], *row["args"]), row["expect"])

    def seen(self, function: str, text: str, *others: str | None) -> Any:
        """What this package makes of a call of the kit's."""
        if function == "parseSendFrom":
            mailbox = Mailbox.parse(text, *(other or "" for other in others))
            return {"email": mailbox.address, **({"name": mailbox.name} if mailbox.name else {})}
        if function == "formatMailbox":
            return str(Mailbox.of(text, others[0] or ""))
        if function == "sanitizeMailboxDisplayName":
            return Mailbox.of("", text).name
        return without_controls(text)


class ForeignValueTest(unittest.TestCase):
    """What people may choose who ask for a message."""

    NAME = '<a href="https://evil.test">ceo@bank.test</a>, V\u202e <v@evil.test>'
    SHOWN = "a href= https //evil.test ceo bank.test /a V v evil.test"

    def message(self, send_from: str = "", reply_to: str = "", **others: Any) -> Any:
        content = Content("{{name}}", "<p title='{{name}}'>", text="{{name}}", **{"send_from": send_from, "reply_to": reply_to})
        values = {"code": "123456", "name": self.NAME, "mail": "v@evil.test"}
        return testing.message(payload=values, content=content, **others)

    def test_a_value_is_a_name_and_never_an_address(self) -> None:
        for template, sender, text in (
            ("{{name}}", f"{self.SHOWN} <own@x.test>", self.SHOWN),
            ("{{mail}}", "v evil.test <own@x.test>", "v evil.test"),
            ("{{name}} <team@x.test>", f"{self.SHOWN} <team@x.test>", f"{self.SHOWN} <team@x.test>"),
            ("Team <{{mail}}>", "Team <own@x.test>", "Team"),
            ("<{{mail}}>", "Own <own@x.test>", None),
            ("{{code}}@x.test", "Own <own@x.test>", None),
            ("Team <team@x.test>", "Team <team@x.test>", "Team <team@x.test>"),
        ):
            with self.subTest(template):
                message = self.message(send_from=template)
                self.assertEqual(str(message.sender("own@x.test", "Own")), sender)
                self.assertEqual(message.rendered_content().send_from, text)
        for template, expected in (
            ("{{mail}}", None),
            ("Help <{{mail}}>", None),
            ("help+{{code}}@x.test", None),
            ("Help {{mail}} <help@x.test>", "Help v evil.test <help@x.test>"),
            ("help@x.test", "help@x.test"),
        ):
            with self.subTest(template):
                message = self.message(reply_to=template)
                self.assertEqual(message.reply_to(), expected)
                self.assertEqual(message.rendered_content().reply_to, expected)

    def test_a_value_is_text_in_html_and_never_markup(self) -> None:
        escaped = "&lt;a href=&quot;https://evil.test&quot;&gt;ceo@bank.test&lt;/a&gt;, V\u202e &lt;v@evil.test&gt;"
        content = self.message().rendered_content()
        self.assertEqual(content.body, f"<p title='{escaped}'>")
        self.assertEqual(content.text, self.NAME)
        peer = self.message(unescaped_html=True).rendered_content()
        self.assertEqual(peer.body, f"<p title='{self.NAME}'>")
