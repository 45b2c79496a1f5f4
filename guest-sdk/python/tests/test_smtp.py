"""Submission, from a connector to the host's interface, which is stood in for."""

from __future__ import annotations

import contextlib
import io
import unittest
from typing import Any

from sendbox_guest import Connector, FailureKind, Message, Receipt, testing, urlopen
from sendbox_guest.mail import compose
from sendbox_guest.smtp import (
    AccessToken,
    Login,
    Reply,
    Security,
    Server,
    SmtpError,
    submit,
)

SETTINGS = {"host": "mail.example", "user": "u", "password": "p", "from": "X <noreply@x.test>"}


class Mailing(Connector[dict[str, str]]):
    """Composes a mail and submits it."""

    server: dict[str, Any] = {}
    envelope: dict[str, Any] = {}

    def send(self, settings: dict[str, str], message: Message) -> Receipt:
        login = Login(settings["user"], settings["password"])
        given = {"port": 465, "security": Security.TLS, "auth": login, **self.server}
        content = message.rendered_content()
        assert content
        mail = compose(
            sender=settings["from"],
            to=message.recipient,
            subject=content.subject,
            html=content.html_part,
            text=content.text_part,
        )
        path = {"mail_from": "noreply@x.test", "rcpt_to": message.recipient, **self.envelope}
        reply = submit(Server(host=settings["host"], **given), mail, **path)
        return Receipt(detail=reply.text)


def mailing(
    answer: Reply | SmtpError = Reply(250, "queued"),
    server: dict[str, Any] | None = None,
    **envelope: Any,
) -> testing.Submitted:
    """What comes of a submission."""

    class Other(Mailing):
        """With another server or envelope."""

    Other.server, Other.envelope = server or {}, envelope
    return testing.submitted(Other, SETTINGS, testing.mail_in_both_forms(), answer)


class SmtpTest(unittest.TestCase):
    """A mail is submitted."""

    def test_the_servers_words_are_in_the_receipt(self) -> None:
        seen = mailing()
        self.assertEqual(seen.receipt, Receipt(detail="queued"))
        assert seen.submission
        self.assertEqual(seen.submission.server.host, "mail.example")
        self.assertEqual(seen.submission.server.auth, Login("u", "p"))
        self.assertEqual(seen.submission.mail_from, "noreply@x.test")
        self.assertEqual(seen.submission.rcpt_to, ["alice@example.net"])
        self.assertIn(b"\r\nSubject: Hello 123456\r\n", seen.submission.data)

    def test_an_access_token_comes_first_where_a_connector_asks_for_one(self) -> None:
        class WithToken(Mailing):
            """Logs in with a token."""

            def send(self, settings: dict[str, str], message: Message) -> Receipt:
                answer = urlopen("https://tokens.example/", data=b"")
                self.server = {"auth": AccessToken("u", answer.json_object()["token"])}
                return super().send(settings, message)

        message, response = testing.mail_in_both_forms(), testing.response(200, '{"token":"t"}')
        seen = testing.submitted(WithToken, SETTINGS, message, response=response)
        assert seen.submission
        self.assertEqual(seen.submission.server.auth, AccessToken("u", "t"))
        lost = testing.submitted(WithToken, SETTINGS, message)
        assert lost.failure
        self.assertEqual((lost.submission, lost.failure.kind), (None, FailureKind.UNAVAILABLE))

    def test_nothing_shows_a_password(self) -> None:
        for auth in (Login("u", "hunter2"), AccessToken("u", "hunter2")):
            self.assertNotIn("hunter2", repr(mailing(server={"auth": auth}).submission))

    def test_an_envelope_that_could_end_a_command_reaches_no_host(self) -> None:
        evil = "a@x.test>\r\nRCPT TO:<b@x.test"
        envelopes: list[tuple[dict[str, Any], FailureKind]] = [
            ({"mail_from": evil}, FailureKind.INVALID_SETTINGS),
            ({"rcpt_to": evil}, FailureKind.REJECTED),
            ({"rcpt_to": ["c@x.test", evil]}, FailureKind.REJECTED),
        ]
        for envelope, kind in envelopes:
            seen = mailing(**envelope)
            assert seen.failure
            self.assertEqual((seen.submission, seen.failure.kind), (None, kind))
        null_path = mailing(mail_from="", rcpt_to=("a@x.test", "b@X.test")).submission
        assert null_path
        self.assertEqual(null_path.mail_from, "")
        self.assertEqual(null_path.rcpt_to, ["a@x.test", "b@x.test"])

    def test_every_error_of_the_hosts_has_its_kind_code_and_words(self) -> None:
        of_host, of_reply = SmtpError.of_host, SmtpError.of_reply
        for error, kind, code, words in [
            (of_host("not-supported"), "invalid-settings", "not-supported", "does not offer"),
            (of_host("denied"), "invalid-settings", "denied", "policy"),
            (of_host("invalid-request", "long"), "invalid-settings", "invalid-request", "^long$"),
            (of_host("dns"), "unavailable", "dns", "host name"),
            (of_host("connect"), "unavailable", "connect", "no session"),
            (of_host("tls", "expired"), "unavailable", "tls", "TLS session: expired$"),
            (of_host("timeout"), "unavailable", "timeout", "in time"),
            (of_host("interrupted"), "unknown", "interrupted", "after the message"),
            (
                of_reply("unauthorized", Reply(535, "bad", "5.7.8")),
                "unauthorized",
                "5.7.8",
                "^535 bad$",
            ),
            (of_reply("rejected", Reply(550, "")), "rejected", "550", "^550$"),
            (
                of_reply("deferred", Reply(451, "greylisted", "4.7.1")),
                "unavailable",
                "4.7.1",
                "grey",
            ),
            (of_reply("deferred", Reply(451, "a Rate Limit")), "throttled", "451", "Rate"),
            (of_reply("deferred", Reply(452, "too many")), "throttled", "452", "too many"),
        ]:
            failure = mailing(error).failure
            assert failure
            self.assertEqual((failure.kind.value, failure.code), (kind, code))
            self.assertRegex(failure.message, words)

    def test_after_a_submission_an_exception_leaves_open_what_was_sent(self) -> None:
        class Careless(Mailing):
            """Fails once the mail is gone."""

            def send(self, settings: dict[str, str], message: Message) -> Receipt:
                super().send(settings, message)
                raise KeyError("id")

        with contextlib.redirect_stderr(io.StringIO()):
            seen = testing.submitted(Careless, SETTINGS, testing.mail_in_both_forms())
        assert seen.failure
        self.assertEqual(seen.failure.kind, FailureKind.UNKNOWN)

    def test_a_refusal_does_not_repeat_the_recipient(self) -> None:
        error = SmtpError.of_reply("rejected", Reply(550, "no alice@example.net here"))
        failure = mailing(error).failure
        assert failure
        self.assertEqual(failure.message, "550 no … here")
