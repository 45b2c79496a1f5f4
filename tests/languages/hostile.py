"""Does its worst, as its settings say."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from sendbox_guest import About, Channel, Connector, Message, Receipt, export, file_beside


@dataclass(frozen=True, slots=True)
class Settings:
    """What to do."""

    act: str


class Hostile(Connector[Settings]):
    """The connector."""

    about = About(
        id="hostile",
        channel=Channel.SMS,
        version="0.1.0",
        titles={"en": "Hostile"},
        descriptions={"en": "Does its worst."},
        hosts=["echo.example.com"],
        settings_schema=file_beside(__file__, "settings.schema.json"),
        readme=file_beside(__file__, "README.md"),
    )

    def send(self, settings: Settings, message: Message) -> Receipt:
        """The act."""
        match settings.act:
            case "endless-loop":
                while True:
                    pass
            case "memory-bomb":
                kept = []
                while True:
                    kept.append(bytearray(b"x" * (1 << 20)))
            case "log-flood":
                for _ in range(1_000):
                    print("words " * 20)
            case "throw":
                raise ValueError("thrown as told")
            case "exit":
                sys.exit(7)
        return Receipt()


SendMessage = export(Hostile)
