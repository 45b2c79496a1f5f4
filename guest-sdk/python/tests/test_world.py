"""A build asks for what a connector uses, and for nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from sendbox_link.world import world

from .projects import ROOT

EVERY, SIGNING, SMTP, BOTH = (
    f"sendbox:python/{name}@0.1.0" for name in ("connector", "signing", "smtp", "signing-smtp")
)


class WorldTest(unittest.TestCase):
    """Which world is a connector's."""

    def of(self, source: str, **modules: str) -> str:
        """That of a connector with this source, beside these modules."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"connector": source, **modules}.items():
                module = Path(folder, f"{name}.py")
                module.parent.mkdir(exist_ok=True)
                module.write_text(text, "utf-8")
            return world(Path(folder, "connector.py"))

    def test_a_connector_over_http_has_the_smallest(self) -> None:
        for name in ("postmark", "http-sms"):
            self.assertEqual(world(ROOT / f"examples/{name}/connector.py"), EVERY)
        self.assertEqual(self.of("from sendbox_guest.mail import compose"), EVERY)

    def test_a_module_of_the_sdks_brings_its_interface(self) -> None:
        for source in (
            "from sendbox_guest.signing import Key",
            "from sendbox_guest import signing",
            "import sendbox_guest.sigv4",
            "def late():\n    from sendbox_guest.sigv4 import sigv4",
        ):
            self.assertEqual(self.of(source), SIGNING)
        both = "import sendbox_guest.smtp, sendbox_guest.signing"
        self.assertEqual(self.of(both), BOTH)

    def test_so_does_a_module_of_the_projects_that_imports_it(self) -> None:
        parts = {"parts": "from sendbox_guest import smtp\nraise ValueError('runs nothing')"}
        self.assertEqual(self.of("import parts", **parts), SMTP)
        self.assertEqual(self.of("import json", **parts), EVERY)

    def test_so_does_one_in_a_package_which_needs_no_file_of_its_own(self) -> None:
        relative = {
            "parts/mails": "from .smtp import submit",
            "parts/smtp": "import sendbox_guest.smtp",
        }
        for init in ({}, {"parts/__init__": "from . import mails"}):
            self.assertEqual(self.of("from parts.mails import submit", **relative, **init), SMTP)
            self.assertEqual(self.of("import parts.gone, json", **relative), EVERY)

    def test_a_package_that_may_be_missing_is_missing(self) -> None:
        source = "try:\n    import orjson as json\nexcept ImportError:\n    import json"
        self.assertEqual(self.of(source), EVERY)

    def test_the_documented_command_runs_nothing_of_the_project(self) -> None:
        readme = (ROOT / "README.md").read_text("utf-8")
        (command,) = re.findall(r"world=\$\((.*)\)", readme)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "sdk").symlink_to(ROOT)
            Path(folder, "connector.py").write_text("import opcode, traceback", "utf-8")
            for name in ("opcode", "traceback"):
                Path(folder, f"{name}.py").write_text("raise SystemExit('ran')", "utf-8")
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(
                command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
            )
        self.assertEqual((done.stdout, done.stderr), (f"{EVERY}\n", ""))

    def test_there_is_a_world_of_each_name(self) -> None:
        wit = (ROOT / "world/world.wit").read_text("utf-8")
        for name in (EVERY, SIGNING, SMTP, BOTH):
            self.assertIn(f"\nworld {name[len('sendbox:python/'):-len('@0.1.0')]} {{", wit)

    def test_what_is_no_python_is_shown_as_python_shows_it(self) -> None:
        with self.assertRaises(SyntaxError):
            self.of("def (")
