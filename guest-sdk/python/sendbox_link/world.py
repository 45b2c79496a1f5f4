"""Says which of the SDK's worlds is a connector's: `python3 -m sendbox_link.world connector.py`.

A component in Python imports its whole world, whatever its code uses; so the build names the one
of just those modules that the connector imports, itself or by another module. Nothing of it is run.
"""

from __future__ import annotations

import sys
import traceback
from modulefinder import ModuleFinder
from pathlib import Path

_SDK = Path(__file__).parents[1]

_PARTS = {"sendbox_guest.signing": "signing", "sendbox_guest.smtp": "smtp"}
"""What a world's name says by the module that needs it, in the names' order."""


def world(entry: Path) -> str:
    """The world of a connector's source file. Raises SyntaxError."""
    # The modules of the project and of the SDK; the standard library needs no world.
    finder = ModuleFinder([str(entry.parent), str(_SDK)])
    finder.run_script(str(entry))
    parts = [part for module, part in _PARTS.items() if module in finder.modules]
    return f"sendbox:python/{'-'.join(parts) or 'connector'}@0.1.0"


if __name__ == "__main__":
    try:
        print(world(Path(sys.argv[1])))
    except SyntaxError as error:
        sys.exit("".join(traceback.format_exception_only(error)))
