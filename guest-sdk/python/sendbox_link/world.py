"""Says which of the SDK's worlds is a connector's: `python3 -P -m sendbox_link.world connector.py`.

A component in Python imports its whole world, whatever its code uses; so the build names the one
of just those modules that the connector imports, itself or by another module. Nothing of it is run:
`-P` keeps its folder out of this program's own imports.
"""

from __future__ import annotations

import sys
import traceback
from importlib.machinery import PathFinder
from modulefinder import Module, ModuleFinder
from pathlib import Path
from typing import Any

_SDK = Path(__file__).parents[1]

_PARTS = {"sendbox_guest.signing": "signing", "sendbox_guest.smtp": "smtp"}
"""What a world's name says by the module that needs it, in the names' order."""

_NAMESPACE = -1
"""Kind of a package without `__init__.py`; the standard library's are positive."""


class _Finder(ModuleFinder):
    """Finds packages without `__init__.py` too, which the standard library's finder trips over."""

    def find_module(self, name: str, path: Any, parent: Module | None = None) -> Any:
        spec = PathFinder.find_spec(name, self.path if path is None else path)
        if spec and spec.origin is None and spec.submodule_search_locations:
            return None, list(spec.submodule_search_locations), ("", "", _NAMESPACE)
        return super().find_module(name, path, parent)

    def load_module(self, fqname: str, fp: Any, pathname: Any, file_info: Any) -> Module:
        if file_info[2] != _NAMESPACE:
            return super().load_module(fqname, fp, pathname, file_info)
        package = self.modules[fqname] = Module(fqname, path=pathname)
        return package


def world(entry: Path) -> str:
    """The world of a connector's source file. Raises SyntaxError."""
    # The modules of the project and of the SDK; the standard library needs no world.
    finder = _Finder([str(entry.parent), str(_SDK)])
    finder.run_script(str(entry))
    parts = [part for module, part in _PARTS.items() if module in finder.modules]
    return f"sendbox:python/{'-'.join(parts) or 'connector'}@0.1.0"


if __name__ == "__main__":
    try:
        print(world(Path(sys.argv[1])))
    except SyntaxError as error:
        sys.exit("".join(traceback.format_exception_only(error)))
