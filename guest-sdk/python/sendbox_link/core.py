"""Core modules, as far as linking needs them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .binary import LinkError, Reader, sections, sized, unsigned

FUNCTION, TABLE, MEMORY, GLOBAL = range(4)
PREAMBLE = b"\0asm\1\0\0\0"

# Sections.
TYPES, IMPORTS, FUNCTIONS, TABLES, MEMORIES, GLOBALS, EXPORTS = range(1, 8)
_START, ELEMENTS, CODE, DATA, _DATA_COUNT = range(8, 13)


@dataclass(frozen=True, slots=True)
class Import:
    """What a module imports; `type` is its type as it is written."""

    module: bytes
    name: bytes
    kind: int
    type: bytes


@dataclass(frozen=True, slots=True)
class Global:
    """A global: its value type, whether it is mutable, and its initial value."""

    type: int
    mutable: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """An active segment: where it begins, and what it holds."""

    offset: bytes
    functions: list[int] = field(default_factory=list)
    data: bytes = b""


@dataclass(slots=True)
class Module:
    """A core module; its own functions come behind the imported ones, as everywhere."""

    types: list[bytes] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    tables: list[bytes] = field(default_factory=list)
    memories: list[bytes] = field(default_factory=list)
    globals: list[Global] = field(default_factory=list)
    exports: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    elements: list[Segment] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    data: list[Segment] = field(default_factory=list)

    def imported(self, kind: int) -> list[Import]:
        """The imports of a kind, which have its first indices."""
        return [entry for entry in self.imports if entry.kind == kind]


def parse(binary: bytes) -> Module:
    """Reads a core module. Raises LinkError where it has what no linked library has."""
    module = Module()
    for number, content in sections(binary):
        reader = Reader(content)
        if number == TYPES:
            module.types = reader.vector(lambda: reader.raw(lambda: _function_type(reader)))
        elif number == IMPORTS:
            module.imports = reader.vector(lambda: _import(reader))
        elif number == FUNCTIONS:
            module.functions = reader.vector(reader.unsigned)
        elif number == TABLES:
            module.tables = reader.vector(lambda: reader.raw(lambda: _table(reader)))
        elif number == MEMORIES:
            module.memories = reader.vector(lambda: reader.raw(lambda: _limits(reader)))
        elif number == GLOBALS:
            module.globals = reader.vector(lambda: _global(reader))
        elif number == EXPORTS:
            module.exports = dict(reader.vector(lambda: _export(reader)))
        elif number == ELEMENTS:
            module.elements = reader.vector(lambda: _element(reader))
        elif number == CODE:
            module.bodies = reader.vector(reader.sized)
        elif number == DATA:
            module.data = reader.vector(lambda: _data(reader))
        elif number not in (0, _DATA_COUNT):
            raise LinkError(f"a library has section {number}")
    return module


def constant(reader: Reader) -> bytes:
    """A constant expression without its end."""
    start = reader.at
    while (operation := reader.byte()) != 0x0B:
        if operation in (0x41, 0x42):
            reader.signed()
        elif operation in (0x23, 0xD2, 0xD0):
            reader.unsigned()
        elif operation in (0x43, 0x44):
            reader.take(4 if operation == 0x43 else 8)
        elif operation not in (0x6A, 0x6B, 0x6C):
            raise LinkError(f"a constant has the operation {operation:#x}")
    return reader.data[start : reader.at - 1]


def _function_type(reader: Reader) -> None:
    if reader.byte() != 0x60:
        raise LinkError("a library has a type that is none of a function")
    reader.sized()
    reader.sized()


def _limits(reader: Reader) -> None:
    flags = reader.byte()
    reader.unsigned()
    if flags & 1:
        reader.unsigned()
    if flags > 1:
        raise LinkError("a library has a shared or 64-bit memory")


def _table(reader: Reader) -> None:
    reader.byte()
    _limits(reader)


def _import(reader: Reader) -> Import:
    module, name, kind = reader.sized(), reader.sized(), reader.byte()
    readers = {
        FUNCTION: reader.unsigned,
        TABLE: lambda: _table(reader),
        MEMORY: lambda: _limits(reader),
        GLOBAL: lambda: reader.take(2),
    }
    if kind not in readers:
        raise LinkError(f"a library imports something of kind {kind}")
    return Import(module, name, kind, reader.raw(readers[kind]))


def _global(reader: Reader) -> Global:
    return Global(reader.byte(), reader.byte() == 1, constant(reader))


def _export(reader: Reader) -> tuple[bytes, tuple[int, int]]:
    return reader.sized(), (reader.byte(), reader.unsigned())


def _element(reader: Reader) -> Segment:
    form = reader.unsigned()
    # Of the table 0 as everything else, in the short form or with the table's number.
    if form not in (0, 2) or (form == 2 and reader.unsigned() != 0):
        raise LinkError("a library has elements that are not plain functions")
    offset = constant(reader)
    if form == 2:
        reader.byte()
    return Segment(offset, functions=reader.vector(reader.unsigned))


def _data(reader: Reader) -> Segment:
    if reader.unsigned() != 0:
        raise LinkError("a library has data that is not active")
    return Segment(constant(reader), data=reader.sized())


def function_type(entry: Import) -> int:
    """The index of an imported function's type."""
    return Reader(entry.type).unsigned()


def export(name: bytes, kind: int, index: int) -> bytes:
    """Writes an export."""
    return sized(name) + bytes([kind]) + unsigned(index)
