"""Requests, responses and what a status code means."""

from __future__ import annotations

import unittest

from sendbox_guest import Failure, FailureKind, Request, Response, path_segment, setting_segment
from sendbox_guest.endpoint import canonical


class RequestTest(unittest.TestCase):
    """Requests."""

    def test_forms_are_encoded_as_a_browser_encodes_them(self) -> None:
        request = Request("https://x.example").form([("a b", "ü+~*-._"), ("c", "&=\U0001f510")])
        self.assertEqual(request.data, b"a+b=%C3%BC%2B%7E*-._&c=%26%3D%F0%9F%94%90")
        self.assertEqual(request.method, "POST")

    def test_a_query_is_encoded_like_a_form(self) -> None:
        request = Request("https://x.example/a").query([("u", "a&b"), ("c", "é ")])
        self.assertEqual(request.method, "GET")
        self.assertEqual(request.url, "https://x.example/a?u=a%26b&c=%C3%A9+")

    def test_json_is_text_as_javascript_prints_it(self) -> None:
        request = Request("https://x.example", method="PUT").json({"ü": [1.0, None, "\u2028"]})
        self.assertEqual((request.data or b"").decode(), '{"ü":[1,null,"\u2028"]}')
        self.assertEqual(request.headers, {"content-type": "application/json"})
        self.assertEqual(request.method, "PUT")

    def test_a_path_segment_cannot_leave_its_place(self) -> None:
        self.assertEqual(path_segment("AC/../x?y#z%"), "AC%2F..%2Fx%3Fy%23z%25")
        with self.assertRaises(Failure):
            setting_segment("accountSid", "..")

    def test_its_repr_shows_no_secret(self) -> None:
        request = Request("https://x.example?key=s3cret").bearer("s3cret")
        self.assertEqual(repr(request), "<Request GET https://x.example>")
        self.assertNotIn("s3cret", repr(request.credential))


class ResponseTest(unittest.TestCase):
    """Responses."""

    def test_json_is_read_behind_a_byte_order_mark(self) -> None:
        self.assertEqual(Response(200, body=b"\xef\xbb\xbf[1]").json(), [1])
        self.assertIsNone(Response(200, body=b"<html>").json())
        self.assertEqual(Response(200, body=b"[1]").json_object(), {})

    def test_headers_are_found_in_any_case(self) -> None:
        headers = Response(200, [("x-id", "1"), ("X-ID", "2")]).headers
        self.assertEqual((headers["X-Id"], headers.get("absent"), len(headers)), ("1", None, 1))


class FailureTest(unittest.TestCase):
    """Answers outside 2xx."""

    def test_every_status_code_has_its_kind(self) -> None:
        kinds = {
            FailureKind.INVALID_SETTINGS: (301, 302, 307, 404, 405, 413, 415),
            FailureKind.REJECTED: (400, 422),
            FailureKind.UNAUTHORIZED: (401, 403, 407),
            FailureKind.THROTTLED: (402, 408, 425, 429),
            FailureKind.UNAVAILABLE: (503,),
            FailureKind.UNKNOWN: (100, 303, 500, 502, 504, 599),
        }
        for kind, statuses in kinds.items():
            for status in statuses:
                self.assertEqual(FailureKind.of_status(status), kind, status)

    def test_retry_after_is_read_as_seconds_and_as_a_date(self) -> None:
        date = "Sun, 06 Nov 1994 08:50:37 GMT"
        for headers, expected in [
            ({"retry-after": "120"}, 120_000),
            ({"retry-after": date}, 60_000),
            ({"retry-after": date, "date": "Sun, 06 Nov 1994 08:50:07 GMT"}, 30_000),
            ({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"}, 0),
            ({"retry-after": "Sun, 31 Feb 1994 08:00:00 GMT"}, None),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "-1"}, None),
            ({}, None),
        ]:
            response = Response(429, headers.items(), received_at=784_111_777)
            self.assertEqual(Failure.of_response(response).retry_after, expected, headers)

    def test_the_message_quotes_text_on_one_line_and_never_markup(self) -> None:
        text = Failure.of_response(Response(413, body=b"too\r\nlarge\n"))
        self.assertEqual(text.message, "HTTP status 413: too large")
        page = Failure.of_response(Response(502, body=b"<html>oops</html>"))
        self.assertEqual(page.message, "HTTP status 502")


class EndpointTest(unittest.TestCase):
    """Addresses that somebody typed."""

    def test_an_address_is_written_as_a_browser_writes_it(self) -> None:
        for typed, expected in [
            ("HTTPS://HOOKS.Example.COM:443/Path/../X", "https://hooks.example.com/X"),
            ("https://x.example", "https://x.example/"),
            (
                " https://x.example/a b?q='ü'&x=%41#frag\n",
                "https://x.example/a%20b?q=%27%C3%BC%27&x=%41",
            ),
            ("http://x.example:8080/./a/%2e%2E/b/..", "http://x.example:8080/"),
            ("https://x.example?q", "https://x.example/?q"),
            ("https://x.example:/a//b/", "https://x.example/a//b/"),
            ("https://x.example\\a", "https://x.example/a"),
            ("https://[2001:DB8::0:1]:8443/", "https://[2001:db8::1]:8443/"),
            ("https://192.0.2.1/{x}|y", "https://192.0.2.1/%7Bx%7D|y"),
            ("https://MÜNCHEN.example/", "https://xn--mnchen-3ya.example/"),
            ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/"),
            ("https://ΟΔΟΣ.example/", "https://xn--pxavbq.example/"),
        ]:
            self.assertEqual(canonical(typed), expected)

    def test_what_is_no_web_address_is_refused(self) -> None:
        for typed in [
            "",
            "x.example/hook",
            "ftp://x.example/",
            "unix:/var/run/x.sock",
            "http://unix:/var/run/docker.sock:/x",
            "https://",
            "https:///path",
            "https://u:p@x.example/",
            "https://x..example/",
            "https://x.example:99999/",
            "https://x.example:+1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://x y/",
            "https://%65xample.com/",
            "https://[::1/",
        ]:
            with self.subTest(typed), self.assertRaises(ValueError):
                canonical(typed)
