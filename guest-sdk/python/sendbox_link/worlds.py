"""Says which of the SDK's worlds a connector needs: `python3 -m sendbox_link.worlds connector.py`.

A component in Python imports its whole worlds, whatever its code uses; so the build names only
those whose modules the connector imports, itself or by another module. Nothing of it is run.
"""

from __future__ import annotations

import sys
import traceback
from modulefinder import ModuleFinder
from pathlib import Path

_SDK = Path(__file__).parents[1]

_WORLD = "sendbox:python/connector@0.1.0"
"""Every connector's."""

_WORLDS = {
    "sendbox_guest.signing": "sendbox:python/signing@0.1.0",
    "sendbox_guest.smtp": "sendbox:python/smtp@0.1.0",
}
"""By the module that needs it."""


def worlds(entry: Path) -> list[str]:
    """The worlds of a connector's source file. Raises SyntaxError."""
    # The modules of the project and of the SDK; the standard library needs no world.
    finder = ModuleFinder([str(entry.parent), str(_SDK)])
    finder.run_script(str(entry))
    return [_WORLD, *(world for module, world in _WORLDS.items() if module in finder.modules)]


if __name__ == "__main__":
    try:
        print(*(f"-w {world}" for world in worlds(Path(sys.argv[1]))))
    except SyntaxError as error:
        sys.exit("".join(traceback.format_exception_only(error)))
