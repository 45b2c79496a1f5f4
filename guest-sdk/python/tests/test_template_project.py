"""The project that `sendbox connector new --lang python` writes works at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from .projects import ROOT


class TemplateProjectTest(unittest.TestCase):
    """A project as its author finds it."""

    def test_the_projects_own_tests_pass(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            write(ROOT / "template", Path(folder))
            run = subprocess.run(
                [sys.executable, "-m", "unittest"],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("Ran 2 tests", run.stderr)


def write(template: Path, folder: Path) -> None:
    """What the command does: names are filled in, and a leading `_` is a dot."""
    for source in template.rglob("*"):
        if source.is_file() and "__pycache__" not in source.parts:
            target = folder / source.relative_to(template)
            if target.name.startswith("_"):
                target = target.with_name("." + target.name[1:])
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text("utf-8")
            text = text.replace("{{name}}", "my-mail").replace("{{title}}", "My mail")
            target.write_text(text, "utf-8")
