"""Function bodies: what in them names something by its index, and everything else as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .binary import LinkError, Reader, signed, unsigned

_NUMBER = rb"[\x80-\xff]*[\x00-\x7f]"
# Instructions without an index that linking changes: read at the speed of the expression engine.
_PLAIN = re.compile(
    rb"(?:[\x00\x01\x05\x0b\x0f\x1a\x1b\x45-\xc4\xd1]"  # without anything
    rb"|[\x02-\x04][\x40\x6f-\x7f]"  # block, loop, if
    rb"|[\x0c\x0d\x20-\x22\x41\x42]"
    + _NUMBER  # br, local, const
    + rb"|[\x28-\x3e][\x00-\x3f]"
    + _NUMBER  # load, store
    + rb"|[\x3f\x40]\x00"  # memory.size, memory.grow
    rb"|\x43[\x00-\xff]{4}|\x44[\x00-\xff]{8}"  # f32.const, f64.const
    rb"|\x1c\x01[\x00-\xff]|\xd0[\x6f\x70]"  # select, ref.null
    rb"|\xfc[\x00-\x07]|\xfc\x0a\x00\x00|\xfc\x0b\x00"  # conversions, memory.copy, memory.fill
    rb")*+"
)
CALL, RETURN_CALL, FUNCTION_REFERENCE = 0x10, 0x12, 0xD2
CALL_INDIRECT, RETURN_CALL_INDIRECT = 0x11, 0x13
GLOBAL_GET, GLOBAL_SET = 0x23, 0x24
BLOCK, LOOP, IF = 0x02, 0x03, 0x04
_BRANCH_TABLE = 0x0E


@dataclass(frozen=True, slots=True)
class Indices:
    """Where a library's own indices lead in the linked module."""

    types: Sequence[int]
    functions: Sequence[int]
    globals: Sequence[int | None]
    constants: dict[int, int]
    """The values of globals, by their own index, that never change."""


def references(body: bytes) -> Iterator[tuple[int, int, int, int]]:
    """The instructions that name something: start, end, operation and index of each."""
    reader = Reader(body)
    for _ in range(reader.unsigned()):
        reader.unsigned()
        reader.byte()
    while True:
        if found := _PLAIN.match(body, reader.at):
            reader.at = found.end()
        if reader.is_at_end:
            return
        start, operation = reader.at, reader.byte()
        if operation in (CALL, RETURN_CALL, FUNCTION_REFERENCE, GLOBAL_GET, GLOBAL_SET):
            index = reader.unsigned()
        elif operation in (CALL_INDIRECT, RETURN_CALL_INDIRECT):
            index = reader.unsigned()
            if reader.unsigned() != 0:
                raise LinkError("a library has more than one table")
        elif operation in (BLOCK, LOOP, IF):
            index = reader.signed()
        elif operation == _BRANCH_TABLE:
            reader.vector(reader.unsigned)
            reader.unsigned()
            continue
        else:
            raise LinkError(f"a library has the instruction {operation:#x}")
        yield start, reader.at, operation, index


def relocated(body: bytes, indices: Indices) -> bytes:
    """The body with its indices changed, and constants in place of globals that never change."""
    written: list[bytes] = []
    behind = 0
    for start, end, operation, index in references(body):
        written += (body[behind:start], _instruction(operation, index, indices))
        behind = end
    written.append(body[behind:])
    return b"".join(written)


def _instruction(operation: int, index: int, indices: Indices) -> bytes:
    if operation in (CALL, RETURN_CALL, FUNCTION_REFERENCE):
        return bytes([operation]) + unsigned(indices.functions[index])
    if operation == GLOBAL_GET and index in indices.constants:
        return i32_constant(indices.constants[index])
    if operation in (GLOBAL_GET, GLOBAL_SET):
        target = indices.globals[index]
        if target is None:
            raise LinkError("a library sets a global that is a constant")
        return bytes([operation]) + unsigned(target)
    type_ = indices.types[index]
    if operation in (CALL_INDIRECT, RETURN_CALL_INDIRECT):
        return bytes([operation]) + unsigned(type_) + b"\0"
    return bytes([operation]) + signed(type_)


def i32_constant(value: int) -> bytes:
    """The instruction that gives a number of 32 bits."""
    return b"\x41" + signed((value + (1 << 31)) % (1 << 32) - (1 << 31))
