"""The examples do what the recorded peers did."""

from __future__ import annotations

import json
import unittest
from typing import Any

from sendbox_guest import Content, Failure, FailureKind, testing

from .projects import ROOT, golden, load

Postmark = load(ROOT / "examples/postmark/connector.py", "postmark").Postmark
HttpSms = load(ROOT / "examples/http-sms/connector.py", "http_sms").HttpSms

SETTINGS = {
    "serverToken": "token",
    "fromEmail": "noreply@example.com",
    "templates": testing.templates(templateAlias="code"),
}
ENDPOINT = {"endpoint": "https://hooks.example.com/"}


class PostmarkTest(unittest.TestCase):
    """Postmark, in the four parts."""

    def test_it_does_what_the_peer_does(self) -> None:
        cases = golden("postmark.jsonl")
        refused = {"to-crlf_injection": testing.refused(FailureKind.REJECTED)}
        self.assertGreater(testing.replay(Postmark, cases, refused), 40)

    def test_its_own_case_passes(self) -> None:
        testing.replay(Postmark, ROOT / "examples/postmark/cases/sign-in.jsonl")

    def test_the_receipt_carries_the_message_id(self) -> None:
        body = '{"To":"alice@example.net","MessageID":"b7bc2f4a","ErrorCode":0,"Message":"OK"}'
        receipt = testing.answered(Postmark, SETTINGS, testing.response(200, body))
        self.assertEqual((receipt.provider_message_id, receipt.detail), ("b7bc2f4a", "OK"))

    def test_a_success_that_carries_an_error_code_is_a_failure(self) -> None:
        body = '{"ErrorCode":406,"Message":"inactive: alice@example.net"}'
        failure = testing.failure(Postmark, SETTINGS, testing.response(200, body))
        self.assertEqual(failure.kind, FailureKind.REJECTED)
        self.assertEqual((failure.code, failure.message), ("406", "inactive: …"))

    def test_every_error_code_that_matters_has_its_kind(self) -> None:
        for status, code, kind in [
            (401, 10, FailureKind.UNAUTHORIZED),
            (503, 100, FailureKind.UNAVAILABLE),
            (422, 300, FailureKind.REJECTED),
            (422, 400, FailureKind.INVALID_SETTINGS),
            (422, 405, FailureKind.THROTTLED),
            (429, 429, FailureKind.THROTTLED),
            (422, 1101, FailureKind.TEMPLATE_NOT_FOUND),
            (503, 9999, FailureKind.UNAVAILABLE),
            (500, 9999, FailureKind.UNKNOWN),
        ]:
            body = json.dumps({"ErrorCode": code, "Message": "words"})
            failure = testing.failure(Postmark, SETTINGS, testing.response(status, body))
            self.assertEqual(failure.kind, kind, code)

    def test_a_text_of_the_tenants_own_takes_the_templates_place(self) -> None:
        self.assertEqual(
            mail(),
            {
                "From": "noreply@example.com",
                "To": "alice@example.net",
                "HtmlBody": "<p>123456</p>",
                "Subject": "Hello 123456",
                "TextBody": "123456!",
            },
        )
        named = mail(send_from="Example", reply_to="help@example.com")
        self.assertEqual(named["From"], "Example <noreply@example.com>")
        self.assertEqual(named["ReplyTo"], "help@example.com")


def mail(**others: str) -> Any:
    """The mail that Postmark gets for a text of the tenant's own."""
    message = testing.mail_in_both_forms(**others)
    return json.loads(testing.request(Postmark, SETTINGS, message).data or b"")


class HttpSmsTest(unittest.TestCase):
    """HTTP SMS, with a send of its own."""

    def test_it_does_what_the_peer_does(self) -> None:
        cases = golden("http-sms.jsonl")
        self.assertGreater(testing.replay(HttpSms, cases), 40)

    def test_its_own_case_passes(self) -> None:
        testing.replay(HttpSms, ROOT / "examples/http-sms/cases/sign-in.jsonl")

    def test_an_empty_authorization_is_not_sent(self) -> None:
        settings = {**ENDPOINT, "authorization": ""}
        request = testing.request(HttpSms, settings, testing.message("4915112345678"))
        self.assertIsNone(request.credential)

    def test_a_number_with_control_characters_is_rejected_before_any_request(self) -> None:
        with self.assertRaises(Failure) as caught:
            testing.request(HttpSms, ENDPOINT, testing.message("49151\x7f"))
        self.assertEqual(caught.exception.kind, FailureKind.REJECTED)

    def test_the_endpoint_may_ask_to_wait(self) -> None:
        busy = testing.response(429, "busy", retry_after="7")
        failure = testing.failure(HttpSms, ENDPOINT, busy)
        self.assertEqual((failure.kind, failure.retry_after), (FailureKind.THROTTLED, 7_000))

    def test_a_text_of_the_tenants_own_is_handed_on(self) -> None:
        message = testing.message(content=Content("", "Code {{code}}"))
        request = testing.request(HttpSms, ENDPOINT, message)
        self.assertEqual(
            json.loads(request.data or b"")["content"],
            {"subject": "", "content": "Code 123456", "contentType": "text/html"},
        )
