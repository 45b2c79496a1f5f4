"""The path of a send: what becomes a request, a receipt or a failure."""

from __future__ import annotations

import contextlib
import io
import unittest
from dataclasses import dataclass
from typing import Any
from unittest import mock

from sendbox_guest import (
    Connector,
    Failure,
    FailureKind,
    HTTPError,
    Message,
    Receipt,
    Request,
    Response,
    URLError,
    testing,
    urlopen,
)

URL = "https://api.example.com/send"


@dataclass
class Settings:
    """Nothing but a key."""

    api_key: str = ""


class FourParts(Connector[Settings]):
    """Posts the recipient."""

    def request(self, settings: Settings, message: Message) -> Request:
        return Request(URL).bearer(settings.api_key).json({"to": message.recipient})


class FourPartsTest(unittest.TestCase):
    """A connector of four parts."""

    def test_a_2xx_is_a_receipt_and_everything_else_a_failure(self) -> None:
        self.assertEqual(testing.answered(FourParts, {}, testing.response(202)), Receipt())
        failure = testing.failure(FourParts, {}, testing.response(403, "no access"))
        self.assertEqual(failure.kind, FailureKind.UNAUTHORIZED)
        self.assertEqual((failure.code, failure.message), ("403", "HTTP status 403: no access"))

    def test_what_surely_did_not_arrive_is_told_from_what_may_have(self) -> None:
        for code, kind in [
            ("denied", FailureKind.INVALID_SETTINGS),
            ("dns", FailureKind.UNAVAILABLE),
            ("connect", FailureKind.UNAVAILABLE),
            ("tls", FailureKind.UNAVAILABLE),
            ("timeout", FailureKind.UNKNOWN),
            ("interrupted", FailureKind.UNKNOWN),
            ("response-too-large", FailureKind.UNKNOWN),
        ]:
            transport = mock.Mock(side_effect=URLError.of_host(code))
            with self.assertRaises(Failure) as caught:
                send(FourParts, transport)
            self.assertEqual((caught.exception.kind, caught.exception.code), (kind, code))

    def test_a_header_with_a_line_break_is_not_sent(self) -> None:
        class LineBreak(FourParts):
            def request(self, settings: Settings, message: Message) -> Request:
                return Request(URL).secret_header("X-Key", "a\r\nb: c").json({})

        with self.assertRaises(Failure) as caught:
            testing.request(LineBreak, {}, testing.message())
        self.assertEqual(caught.exception.kind, FailureKind.INVALID_SETTINGS)
        self.assertTrue(caught.exception.message.startswith("x-key: "))

    def test_neither_a_number_nor_a_code_inside_it_stays_readable(self) -> None:
        message = testing.message("+4915112345678", payload={"code": 123456})
        words = "no 123456 to +4915112345678 or 4915112345678"
        failure = testing.failure(FourParts, {}, testing.response(422, words), message)
        self.assertEqual(failure.message, "HTTP status 422: no … to … or …")


class ErrorsOfTheAuthorTest(unittest.TestCase):
    """Errors in the connector's own code."""

    def test_before_a_request_they_are_unavailable_with_words_and_place(self) -> None:
        class Broken(FourParts):
            def request(self, settings: Settings, message: Message) -> Request:
                raise KeyError("missing")

        failure, log = self.fails(Broken)
        self.assertEqual((failure.kind, failure.code), (FailureKind.UNAVAILABLE, "exception"))
        self.assertRegex(failure.message, r"^KeyError: 'missing' \(test_sends.py, line \d+, in re")
        self.assertIn("Traceback", log)

    def test_after_a_request_the_provider_may_have_accepted(self) -> None:
        class Broken(FourParts):
            def receipt(self, response: Response) -> Receipt:
                raise SystemExit(3)

        failure, _ = self.fails(Broken)
        self.assertEqual(failure.kind, FailureKind.UNKNOWN)
        self.assertTrue(failure.message.startswith("SystemExit: 3 ("))

    def test_a_send_without_a_receipt_is_one(self) -> None:
        class Broken(FourParts):
            def receipt(self, response: Response) -> Any:
                return {"id": "7"}

        failure, _ = self.fails(Broken)
        self.assertEqual(failure.kind, FailureKind.UNKNOWN)
        self.assertIn("the end of a send is a Receipt, not dict", failure.message)

    def test_neither_failure_nor_log_names_the_recipient(self) -> None:
        class Broken(FourParts):
            def request(self, settings: Settings, message: Message) -> Request:
                raise ValueError(message.recipient)

        failure, log = self.fails(Broken)
        self.assertTrue(failure.message.startswith("ValueError: … ("))
        self.assertNotIn("alice@example.net", log)

    def fails(self, connector: type[Connector[Any]]) -> tuple[Failure, str]:
        """The failure of a send, and what it wrote to the log."""
        log = io.StringIO()
        with contextlib.redirect_stderr(log):
            return testing.failure(connector, {}, testing.response(200)), log.getvalue()


class UrlopenTest(unittest.TestCase):
    """The HTTP client like the standard library's."""

    def test_it_returns_a_response_like_the_standard_one(self) -> None:
        class Reads(Connector[Settings]):
            def send(self, settings: Settings, message: Message) -> Receipt:
                with urlopen(URL, b"to=1", timeout=2.5) as response:
                    return Receipt(response.headers["X-Id"], response.read().decode())

        transport = mock.Mock(return_value=Response(200, [("x-id", "7")], b"done"))
        self.assertEqual(send(Reads, transport), Receipt("7", "done"))
        request = transport.call_args.args[0]
        self.assertEqual((request.method, request.timeout), ("POST", 2.5))

    def test_it_raises_what_the_standard_one_raises(self) -> None:
        class Catches(Connector[Settings]):
            def send(self, settings: Settings, message: Message) -> Receipt:
                try:
                    urlopen(URL)
                except HTTPError as error:
                    return Receipt(str(error.code), error.read().decode())
                except URLError as error:
                    return Receipt(None, error.reason)
                return Receipt()

        answer = mock.Mock(return_value=Response(409, body=b"sent before"))
        self.assertEqual(send(Catches, answer), Receipt("409", "sent before"))
        nobody = mock.Mock(side_effect=URLError.of_host("connect"))
        self.assertEqual(send(Catches, nobody), Receipt(None, "no connection"))

    def test_outside_a_send_there_is_no_way_out(self) -> None:
        with self.assertRaises(RuntimeError):
            urlopen(URL)


def send(connector: type[Connector[Any]], transport: Any) -> Receipt:
    """One send through a transport."""
    from sendbox_guest.connector import send

    return send(connector(), "{}", testing.message(), transport)
