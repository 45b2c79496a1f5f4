"""Loads a connector's source, as a build or its own tests would."""

from __future__ import annotations

import importlib.util
import sys
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
    """A file of recorded cases."""
    return ROOT.parents[1] / "tests" / "golden" / file


def vectors(file: str) -> Path:
    """A file of rows that every SDK is held against."""
    return ROOT.parent / "vectors" / file
