"""Keys, and what is signed with them, against the published examples of those who verify them."""

from __future__ import annotations

import json
import subprocess
import shutil
import tempfile
import unittest
from collections.abc import Callable
from typing import Any

from sendbox_guest import Connector, Failure, FailureKind, Message, Receipt, Request, testing
from sendbox_guest.signing import Algorithm, Key, SigningError
from sendbox_guest.sigv4 import AccessKey, Scope, sigv4

from .projects import golden
from .ses import SCHEMA, Ses

PEER = {"unescapedHtml": True}
"""The peer writes values into HTML as they are."""
DATA = "what do ya want for nothing?"
SETTINGS = {
    "accessKeyId": "AKIDEXAMPLE",
    "accessKeySecret": "secret",
    "region": "eu-central-1",
    "templates": testing.templates(subject="S", content="C"),
}


def inside(sign: Callable[[], Any], secret: str = "Jefe", derivations: int = 0) -> Any:
    """What a function gives inside a send whose connector asks to sign with a secret."""
    given: list[Any] = []

    class Signing(Connector[dict[str, Any]]):
        """Does nothing else."""

        about = Ses.about

        def send(self, settings: dict[str, Any], message: Message) -> Receipt:
            given.append(sign())
            return Receipt()

    schema = json.loads(json.dumps(SCHEMA))
    schema["properties"]["accessKeySecret"]["x-derivations"] = derivations
    about = {name: getattr(Ses.about, name) for name in Ses.about.__slots__}
    Signing.about = type(Ses.about)(**{**about, "settings_schema": json.dumps(schema)})
    testing.answered(Signing, {"accessKeySecret": secret}, testing.response(200))
    return given[0]


class KeyTest(unittest.TestCase):
    """A key does what the host's does."""

    def test_hmac_is_that_of_the_rfcs(self) -> None:
        # RFC 2202, case 2, and RFC 4231, case 2.
        self.assertEqual(
            inside(lambda: Key("Jefe").sign(Algorithm.HMAC_SHA1, DATA)).hex(),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        )
        self.assertEqual(
            inside(lambda: Key("Jefe").sign(Algorithm.HMAC_SHA256, DATA)).hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        )

    def test_prefix_and_suffix_are_part_of_the_key(self) -> None:
        around = inside(
            lambda: Key("ef", prefix="J", suffix="e").sign(Algorithm.HMAC_SHA1, DATA), "ef"
        )
        self.assertEqual(around.hex()[:8], "effcdf6a")

    def test_a_key_derives_or_signs_and_never_both(self) -> None:
        for sign, derivations in [
            (lambda: Key("Jefe").derive("day"), 0),
            (lambda: Key("Jefe").sign(Algorithm.HMAC_SHA256, "day"), 1),
            (lambda: Key("Jefe").derive("day").derive("region"), 1),
        ]:
            with self.assertRaises(Failure) as raised:
                inside(sign, derivations=derivations)
            self.assertEqual(raised.exception.kind, FailureKind.INVALID_SETTINGS)
            self.assertEqual(raised.exception.code, "denied")
        signed = inside(
            lambda: Key("Jefe").derive(b"").sign(Algorithm.HMAC_SHA256, b""), derivations=1
        )
        self.assertEqual(len(signed), 32)

    def test_a_secret_that_the_connector_did_not_ask_for_makes_no_key(self) -> None:
        with self.assertRaises(SigningError) as raised:
            inside(lambda: Key("another"))
        self.assertIn("secret_grants", raised.exception.message)

    def test_a_send_has_sixteen_signatures(self) -> None:
        def sign(times: int) -> bytes:
            signatures = [Key("Jefe").sign(Algorithm.HMAC_SHA1, DATA) for _ in range(times)]
            return signatures[-1]

        inside(lambda: sign(16))
        with self.assertRaises(SigningError) as raised:
            inside(lambda: sign(17))
        self.assertEqual(raised.exception.code, "limit")

    def test_a_private_key_signs_as_openssl_does(self) -> None:
        openssl = shutil.which("openssl")
        if not openssl:
            raise unittest.SkipTest("openssl is not installed")

        def run(*arguments: str, data: bytes = b"") -> bytes:
            done = subprocess.run(
                [openssl, *arguments], input=data, capture_output=True, check=True
            )
            return done.stdout

        pem = run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        with tempfile.NamedTemporaryFile() as file:
            file.write(pem)
            file.flush()
            expected = run("dgst", "-sha256", "-sign", file.name, data=b"claims")
            older = run("rsa", "-in", file.name, "-traditional")
        for text in (pem.decode(), older.decode()):
            signed = inside(lambda: Key(text).sign(Algorithm.RSA_SHA256, "claims"), text)
            self.assertEqual(signed, expected)

    def test_a_private_key_of_another_algorithm_is_refused(self) -> None:
        openssl = shutil.which("openssl")
        if not openssl:
            raise unittest.SkipTest("openssl is not installed")
        command = [openssl, "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]
        pem = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        with self.assertRaises(SigningError) as raised:
            inside(lambda: Key(pem).sign(Algorithm.RSA_SHA256, ""), pem)
        self.assertEqual(raised.exception.code, "invalid-key")

    def test_what_is_no_private_key_is_refused_in_words(self) -> None:
        for secret in (
            "hunter2",
            "-----BEGIN PRIVATE KEY-----\neA==\n-----END PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----\neA==\n-----END EC PRIVATE KEY-----",
        ):
            with self.assertRaises(SigningError) as raised:
                inside(lambda: Key(secret).sign(Algorithm.RSA_SHA256, ""), secret)
            self.assertEqual(raised.exception.code, "invalid-key")

    def test_outside_a_send_there_are_no_keys(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "inside a send"):
            Key("secret")


class SigV4Test(unittest.TestCase):
    """AWS Signature Version 4."""

    def test_requests_have_the_signatures_of_the_published_examples(self) -> None:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, read 2026-11-21.
        secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        key = AccessKey("AKIAIOSFODNN7EXAMPLE", secret)
        for path, headers, names, signature in [
            (
                "test.txt",
                {"Range": "bytes=0-9"},
                "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "?lifecycle",
                {},
                "host;x-amz-content-sha256;x-amz-date",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "?prefix=J&max-keys=2",
                {},
                "host;x-amz-content-sha256;x-amz-date",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ]:
            request = Request(f"https://examplebucket.s3.amazonaws.com/{path}", headers=headers)
            scope, at = Scope("us-east-1", "s3"), 1_369_353_600_000
            signed = inside(lambda: sigv4(request, key, scope, at), secret, 4)
            self.assertEqual(
                signed.headers["authorization"],
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                f"SignedHeaders={names}, Signature={signature}",
            )
            testing.verify(signed, secret)

    def test_the_query_goes_out_as_it_is_signed(self) -> None:
        request = Request("https://sns.us-east-1.amazonaws.com/").query(
            [("Message", "a b+c~*ü"), ("Action", "Publish")]
        )
        key, scope = AccessKey("id", "secret"), Scope("us-east-1", "sns")
        signed = inside(lambda: sigv4(request, key, scope, 0), "secret", 4)
        self.assertTrue(signed.url.endswith("/?Action=Publish&Message=a%20b%2Bc~%2A%C3%BC"))
        testing.verify(signed, "secret")

    def test_of_a_query_without_pairs_and_a_value_with_spaces_one_form_is_signed(self) -> None:
        request = Request("https://sns.us-east-1.amazonaws.com/?&", headers={"x-a": " 1   2\t3 "})
        key, scope = AccessKey("id", "secret"), Scope("us-east-1", "sns")
        signed = inside(lambda: sigv4(request, key, scope, 0), "secret", 4)
        self.assertEqual(signed.url, "https://sns.us-east-1.amazonaws.com/")
        testing.verify(signed, "secret")

    def test_every_change_of_a_signed_request_is_noticed(self) -> None:
        def changed(change: Callable[[Request], Any]) -> Request:
            request = testing.request(Ses, SETTINGS, testing.message(now_ms=1_709_251_199_999))
            self.assertEqual(request.headers["x-amz-date"], "20240229T235959Z")
            change(request)
            return request

        testing.verify(changed(lambda request: None), "secret")
        for change in [
            lambda request: setattr(request, "method", "PUT"),
            lambda request: setattr(request, "url", request.url + "x"),
            lambda request: setattr(request, "url", request.url + "?x=1"),
            lambda request: setattr(request, "data", b"{}"),
            lambda request: request.header("content-type", "text/plain"),
            lambda request: request.header("x-amz-date", "20240229T235958Z"),
            lambda request: request.headers.pop("authorization"),
        ]:
            with self.assertRaises(AssertionError):
                testing.verify(changed(change), "secret")

    def test_a_connector_does_what_the_recorded_one_did(self) -> None:
        def nothing_inherited(expected: dict[str, Any]) -> None:
            names = ("constructor", "toString", "__proto__", "hasOwnProperty.name", "valueOf.x")
            text = "|".join("{{%s}}" % name for name in names)
            simple = expected["requests"][0]["body"]["value"]["Content"]["Simple"]
            simple["Subject"]["Data"], simple["Body"]["Html"]["Data"] = f"S: {text}", text

        cases = golden("aws-ses.jsonl")
        deviations = {
            "resp-g200_bom_json": testing.accepted,
            "resp-fail-then-ok": testing.failed(FailureKind.UNAVAILABLE),
            "to-crlf_injection": testing.refused(FailureKind.REJECTED),
            "render-quirk_prototype_keys": nothing_inherited,
        }
        self.assertGreater(testing.replay(Ses, cases, deviations, PEER), 60)

    def test_replaying_verifies_signatures(self) -> None:
        class Wrong(Ses):
            """Changes what it has signed."""

            def request(self, settings: Any, message: Message) -> Request:
                return super().request(settings, message).header("accept", "*/*").json({})

        with self.assertRaisesRegex(AssertionError, "is not the body's"):
            testing.replay(Wrong, golden("aws-ses.jsonl"), settings=PEER)
