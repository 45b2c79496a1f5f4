"""Replays the recorded cases without WebAssembly: `PYTHONPATH=sdk python3 -m unittest`."""

import unittest
from pathlib import Path

from connector import Provider
from sendbox_guest import FailureKind, testing

CASES = Path(__file__).parent / "cases"


class ProviderTest(unittest.TestCase):
    """What goes out, and what comes of it."""

    def test_it_sends_what_the_cases_recorded(self) -> None:
        for cases in CASES.glob("*.jsonl"):
            testing.replay(Provider, cases)

    def test_a_full_provider_is_asked_again_later(self) -> None:
        settings = {
            "endpoint": "https://mail.example.com/send",
            "token": "token",
            "templates": testing.templates(subject="Hello", content="{{code}}"),
        }
        failure = testing.failure(Provider, settings, testing.response(429, retry_after="7"))
        self.assertEqual(failure.kind, FailureKind.THROTTLED)
        self.assertEqual(failure.retry_after, 7_000)


if __name__ == "__main__":
    unittest.main()
