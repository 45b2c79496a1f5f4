"""Loads a connector's source, as a build or its own tests would."""

from __future__ import annotations

import importlib.util
import os
import sys
import unittest
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent


def load(source: Path, name: str) -> ModuleType:
    """The module of a source file under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, source)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def golden(file: str) -> Path:
    """A file of recorded cases in the folder that `SENDBOX_GOLDEN` names, else in `shared/golden`
    beside the repository. Skips the test where it is absent."""
    folder = os.environ.get("SENDBOX_GOLDEN", ROOT.parents[2] / "shared" / "golden")
    path = Path(folder) / file
    if not path.exists():
        raise unittest.SkipTest(f"no {path}: SENDBOX_GOLDEN names the folder of golden cases")
    return path
