"""Mails as servers and readers need them: short lines, ASCII, one header a header."""

from __future__ import annotations

import email.policy
import re
import time
import unittest
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any, cast

from sendbox_guest import Failure, FailureKind, Mailbox
from sendbox_guest.mail import address, compose

TEXTS = [
    "Grüße aus München",
    "验证码 123456",
    "🌍👩‍👩‍👧",
    "two  spaces",
    "=?utf-8?Q?not_encoded?=",
    "x" * 1200,
    "many ASCII words",
    "words: that: end: like: names: of: fields:",
    'say "hi" \\ and; so, on',
]


def mail(**others: Any) -> bytes:
    """A mail that is like this where it is not said otherwise."""
    fields = {"sender": "Example, Inc. <noreply@mail.example.com>", "to": "alice@example.net"}
    return compose(**{**fields, "subject": "Code 123456", "text": "Hello", **others})


def read(data: bytes) -> EmailMessage:
    """What a reader makes of a mail, without defects."""
    # Unfolded, because the reader of Python 3.11 puts a space between encoded words.
    whole = email.message_from_bytes(data, policy=email.policy.SMTP)
    for part in whole.walk():
        assert not part.defects, part.defects
    return whole


def header(data: bytes, name: str) -> str:
    """A field, unfolded and decoded."""
    unfolded = email.message_from_bytes(re.sub(rb"\r\n(?=[ \t])", b"", data))[name]
    if name == "From":
        unfolded = parseaddr(unfolded)[0]
    return str(make_header(decode_header(unfolded)))


class MailTest(unittest.TestCase):
    """A mail is composed."""

    def assert_clean(self, data: bytes) -> None:
        """No server minds a line of it."""
        self.assertRegex(data, rb"\A([\t -~]{0,78}\r\n)*\Z")
        for word in re.findall(rb"=\?[^ \r]*\?=", data):
            self.assertLessEqual(len(word), 75)

    def test_it_carries_what_it_was_given_and_the_date_in_the_form_of_mails(self) -> None:
        reply_to = Mailbox("help@Example.com", 'say "hi"')
        data = mail(reply_to=reply_to, date=1_767_323_045, id="0199-a/b")
        self.assert_clean(data)
        self.assertEqual(
            data.decode(),
            'From: "Example, Inc." <noreply@mail.example.com>\r\n'
            "To: <alice@example.net>\r\n"
            'Reply-To: "say \\"hi\\"" <help@example.com>\r\n'
            "Subject: Code 123456\r\n"
            "Message-ID: <0199-a-b@mail.example.com>\r\n"
            "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 7bit\r\n"
            "\r\n"
            "Hello\r\n",
        )

    def test_date_message_id_and_boundary_are_fresh_for_each_mail(self) -> None:
        before = int(time.time())
        one, other = (read(mail(html="<p>Hello</p>")) for _ in range(2))
        self.assertGreaterEqual(one["Date"].datetime.timestamp(), before)
        self.assertRegex(one["Message-ID"], r"^<[0-9a-f-]{36}@mail\.example\.com>$")
        self.assertNotEqual(one["Message-ID"], other["Message-ID"])
        self.assertNotEqual(one.get_boundary(), other.get_boundary())

    def test_all_attempts_of_a_message_have_one_message_id(self) -> None:
        for own, token in [
            ("0199a3f2-7b1c", "0199a3f2-7b1c"),
            ("a@b>\r\nBcc: <c", "a-b---Bcc---c"),
            ("..ü" * 99, "-" * 64),
        ]:
            one, other = (read(mail(id=own, html="<p>Hello</p>")) for _ in range(2))
            self.assertEqual(one["Message-ID"], f"<{token}@mail.example.com>")
            self.assertEqual(one["Message-ID"], other["Message-ID"])
            self.assertNotIn("Bcc", one)

    def test_texts_in_many_scripts_and_of_any_length_are_read_back_as_they_were(self) -> None:
        for text in [text for one in TEXTS for text in (one, " ".join([one] * 9))]:
            data = mail(subject=text, sender=Mailbox("a@b.test", text), text=text, html="<p>ü")
            self.assert_clean(data)
            self.assertEqual(header(data, "Subject"), text)
            self.assertEqual(header(data, "From"), text)
            self.assertEqual(read(data)["Subject"], text)
            plain, html = read(data).iter_parts()
            self.assertEqual(cast(EmailMessage, plain).get_content().rstrip(), text)
            self.assertEqual(cast(EmailMessage, html).get_content(), "<p>ü")

    def test_no_line_of_a_header_is_longer_for_another_alphabets_separators(self) -> None:
        for separator in "\u0085\u2028\u2029":
            text = f"{separator}.{'x' * 80}"
            data = mail(subject=text, sender=Mailbox("a@b.test", text))
            self.assert_clean(data)
            self.assertEqual(read(data)["Subject"].strip(), text[1:])

    def test_no_text_begins_another_header(self) -> None:
        for evil in [
            "Hi\r\nBcc: v@evil.test",
            "Hi\nBcc: v@evil.test",
            "Hi\rBcc: v",
            'A"\r\nBcc: v',
            "ü\r\nBcc: v",
            "\0Hi\r\n\r\nbody",
        ]:
            sender = f"{evil} <a@b.test>"
            for box in (sender, Mailbox("a@b.test", evil)):
                data = mail(subject=evil, sender=box, reply_to=box)
                self.assert_clean(data)
                self.assertEqual(len(read(data).keys()), 9)
                self.assertEqual(read(data).get_payload(), "Hello\r\n")
                words = [word for word in re.split(r"[\0\r\n]+", evil) if word]
                self.assertEqual(header(data, "Subject"), " ".join(words))

    def test_text_and_html_become_alternatives_the_html_last(self) -> None:
        data = mail(text="Hello\n.\n", html="<p>Grüße</p>")
        self.assert_clean(data)
        whole = read(data)
        self.assertEqual(whole.get_content_type(), "multipart/alternative")
        plain, html = whole.iter_parts()
        self.assertEqual(plain.get_payload(), "Hello\r\n.\r\n")
        self.assertEqual(html.get_content_type(), "text/html")
        self.assertEqual(html.get_payload(decode=True), "<p>Grüße</p>".encode())

    def test_a_lone_body_is_a_mail_of_one_part(self) -> None:
        html = read(mail(text=None, html="<p>Hello</p>"))
        self.assertEqual(html.get_content_type(), "text/html")
        self.assertEqual(html.get_payload(), "<p>Hello</p>\r\n")
        self.assertEqual(read(mail(text=None)).get_payload(), "\r\n")

    def test_a_long_line_a_foreign_letter_and_a_control_put_a_body_into_base64(self) -> None:
        for text in ("a" * 79, "ü" * 600, "nul\0", "é\r\n" * 999 + "."):
            data = mail(text=text)
            self.assert_clean(data)
            self.assertEqual(read(data)["Content-Transfer-Encoding"], "base64")
            self.assertEqual(read(data).get_payload(decode=True), text.encode())
        self.assertTrue(mail(text="a\nb\r\nc\rd").endswith(b"\r\n\r\na\r\nb\r\nc\r\nd\r\n"))


class AddressTest(unittest.TestCase):
    """An address is one address."""

    def test_its_domain_is_in_a_labels(self) -> None:
        self.assertEqual(address(" Alice@EXAMPLE.Net "), "Alice@example.net")
        self.assertEqual(address("user@München.example"), "user@xn--mnchen-3ya.example")
        self.assertEqual(address("user@हिन्दी.example"), "user@xn--j2bd4cyah0f.example")
        self.assertEqual(address("user@Ｅxample。net"), "user@example.net")
        # As the Rust SDK and browsers read it, though Python's own lower case ends a word otherwise.
        self.assertEqual(address("user@ΟΔΟΣ-1.example"), address("user@οδοσ-1.example"))
        self.assertEqual(address('"a b"@x.test'), '"a b"@x.test')
        self.assertEqual(address("用户@x.test"), "用户@x.test")
        self.assertIn("To: <用户@x.test>".encode(), mail(to="用户@x.test"))

    def test_what_is_no_address_is_refused_and_not_repeated(self) -> None:
        for bad in [
            "",
            "alice",
            "alice@",
            "@x.test",
            "alice@b@c.test",
            "alice@x.test, b@x.test",
            "alice,b@x.test",
            "alice@x.test\r\nBcc: b@x.test",
            "alice@x.test\r\n",
            "alice@[127.0.0.1]",
            "alice@x..test",
            "alice@x.test/a",
            "alice@ü.test/a",
            "alice@ü/a.test",
            "alice b@x.test",
            "<alice@x.test>",
            "alice\u0085@x.test",
            "alice\ud800@x.test",
            "alice@ü\ud800.test",
            "alice@127.0.0.1",
            "alice@１.１",
            "=?utf-8?Q?b?=@x.test",
            '"alice> <b"@x.test',
            '"alice (b"@x.test',
            f"{'a' * 65}@x.test",
        ]:
            self.assertIsNone(address(bad), bad)
            with self.assertRaises(Failure) as raised:
                mail(to=bad)
            self.assertEqual(raised.exception.kind, FailureKind.REJECTED)
            self.assertNotIn("alice", raised.exception.message)
        for sender in ["", "Only a name", "A <x@y@z.test>", "A <x@\r\ny.test>"]:
            with self.assertRaises(Failure) as raised:
                mail(sender=sender)
            self.assertEqual(raised.exception.message, "sender: is no mail address")
            with self.assertRaises(Failure) as raised:
                mail(reply_to=sender or "x")
            self.assertEqual(raised.exception.kind, FailureKind.REJECTED)
