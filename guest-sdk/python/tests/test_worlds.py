"""A build asks for what a connector uses, and for nothing else."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from sendbox_link.worlds import worlds

from .projects import ROOT

EVERY, SIGNING, SMTP = (f"sendbox:python/{name}@0.1.0" for name in ("connector", "signing", "smtp"))


class WorldsTest(unittest.TestCase):
    """Which worlds a connector needs."""

    def of(self, source: str, **modules: str) -> list[str]:
        """Those of a connector with this source, beside these modules."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"connector": source, **modules}.items():
                Path(folder, f"{name}.py").write_text(text, "utf-8")
            return worlds(Path(folder, "connector.py"))

    def test_a_connector_over_http_needs_one(self) -> None:
        for name in ("postmark", "http-sms"):
            self.assertEqual(worlds(ROOT / f"examples/{name}/connector.py"), [EVERY])
        self.assertEqual(self.of("from sendbox_guest.mail import compose"), [EVERY])

    def test_a_module_of_the_sdks_brings_its_world(self) -> None:
        for source in (
            "from sendbox_guest.signing import Key",
            "from sendbox_guest import signing",
            "import sendbox_guest.sigv4",
            "def late():\n    from sendbox_guest.sigv4 import sigv4",
        ):
            self.assertEqual(self.of(source), [EVERY, SIGNING])
        both = "import sendbox_guest.smtp, sendbox_guest.signing"
        self.assertEqual(self.of(both), [EVERY, SIGNING, SMTP])

    def test_so_does_a_module_of_the_projects_that_imports_it(self) -> None:
        parts = {"parts": "from sendbox_guest import smtp\nraise ValueError('runs nothing')"}
        self.assertEqual(self.of("import parts", **parts), [EVERY, SMTP])
        self.assertEqual(self.of("import json", **parts), [EVERY])

    def test_what_is_no_python_is_shown_as_python_shows_it(self) -> None:
        with self.assertRaises(SyntaxError):
            self.of("def (")
