"""Links a component in place: `python3 -m sendbox_link build/my-mail.wasm`."""

from __future__ import annotations

import sys
from pathlib import Path

from .binary import LinkError
from .link import linked


def main(path: Path) -> None:
    """Replaces the file by its linked form; where it cannot be linked it stays as it is."""
    try:
        path.write_bytes(linked(path.read_bytes()))
    except LinkError as error:
        print(f"{path}: not linked, it works as it is but starts slower: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
