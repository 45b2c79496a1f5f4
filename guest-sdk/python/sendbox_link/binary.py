"""The bytes of WebAssembly: numbers, names, vectors and sections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class LinkError(Exception):
    """The component is none that this linker understands."""


class Reader:
    """Reads one value after another."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        """A reader of `data` from `at` on."""
        self.data = data
        self.at = at

    @property
    def is_at_end(self) -> bool:
        """Whether all is read."""
        return self.at >= len(self.data)

    def byte(self) -> int:
        """The next byte."""
        self.at += 1
        return self.data[self.at - 1]

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self.at += count
        return self.data[self.at - count : self.at]

    def unsigned(self) -> int:
        """An unsigned number (LEB128)."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def signed(self) -> int:
        """A signed number (LEB128)."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value - (1 << shift) if byte & 0x40 else value

    def sized(self) -> bytes:
        """Bytes behind their count; a name, if they are UTF-8."""
        return self.take(self.unsigned())

    def vector(self, item: Callable[[], T]) -> list[T]:
        """Items behind their count."""
        return [item() for _ in range(self.unsigned())]

    def raw(self, read: Callable[[], object]) -> bytes:
        """The bytes that `read` consumes."""
        start = self.at
        read()
        return self.data[start : self.at]


def unsigned(value: int) -> bytes:
    """Writes an unsigned number (LEB128)."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def signed(value: int) -> bytes:
    """Writes a signed number (LEB128)."""
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


def sized(data: bytes) -> bytes:
    """Writes bytes behind their count."""
    return unsigned(len(data)) + data


def vector(items: Iterable[bytes]) -> bytes:
    """Writes items behind their count."""
    items = list(items)
    return unsigned(len(items)) + b"".join(items)


def section(number: int, content: bytes) -> bytes:
    """Writes a section."""
    return bytes([number]) + sized(content)


def sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The sections of a module or component, behind its preamble of eight bytes."""
    reader = Reader(data, 8)
    while not reader.is_at_end:
        number = reader.byte()
        yield number, reader.sized()
