"""A component's parts, as far as linking needs them; see the component model's `Binary.md`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .binary import LinkError, Reader, sections, section, sized, unsigned, vector

PREAMBLE = b"\0asm\x0d\0\1\0"
LIFT, _LOWER, _RESOURCE_DROP = 0, 1, 3
MEMORY_OPTION = 3
_POST_RETURN_OPTION = 5

_CORE_MODULE, _CORE_INSTANCE, _ALIAS, _CANON = 1, 2, 6, 8
_CUSTOM_NAMES = b"component-name"
_INSTANCE_SORT = 0x12


@dataclass(frozen=True, slots=True)
class Raw:
    """A section, or an item of one, that has nothing to do with core modules."""

    section: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Canon:
    """A function that crosses the border; `target` is the lifted core function."""

    operation: int
    target: int | None
    before: bytes
    options: list[tuple[int, int | None]]
    after: bytes


@dataclass(frozen=True, slots=True)
class CoreAlias:
    """What a core instance exports, as the next of its kind."""

    kind: int
    instance: int
    name: bytes


@dataclass(frozen=True, slots=True)
class Instantiate:
    """The next core instance, of a module with instances as its imports."""

    module: int
    arguments: dict[bytes, int]


@dataclass(frozen=True, slots=True)
class Bag:
    """The next core instance, of things that there are."""

    exports: dict[bytes, tuple[int, int]]


Item = Raw | Canon | CoreAlias | Instantiate | Bag


def items(component: bytes) -> Iterator[Item | bytes]:
    """A component's parts in order; a core module is its bytes."""
    if not component.startswith(PREAMBLE):
        raise LinkError("it is no component")
    for number, content in sections(component):
        reader = Reader(content)
        if number == _CORE_MODULE:
            yield content
        elif number == _CORE_INSTANCE:
            yield from reader.vector(lambda: _instance(reader))
        elif number == _ALIAS:
            yield from reader.vector(lambda: _alias(reader))
        elif number == _CANON:
            yield from reader.vector(lambda: _canon(reader))
        elif number != 0 or Reader(content).sized() != _CUSTOM_NAMES:
            yield Raw(number, content)


def _instance(reader: Reader) -> Instantiate | Bag:
    if reader.byte() == 0:
        module = reader.unsigned()
        return Instantiate(module, dict(reader.vector(lambda: _argument(reader))))
    return Bag(dict(reader.vector(lambda: _export(reader))))


def _argument(reader: Reader) -> tuple[bytes, int]:
    name, sort = reader.sized(), reader.byte()
    if sort != _INSTANCE_SORT:
        raise LinkError("a core module is instantiated with something else than instances")
    return name, reader.unsigned()


def _export(reader: Reader) -> tuple[bytes, tuple[int, int]]:
    return reader.sized(), (reader.byte(), reader.unsigned())


def _alias(reader: Reader) -> Raw | CoreAlias:
    start = reader.at
    sort = reader.byte()
    kind = reader.byte() if sort == 0 else None
    target = reader.byte()
    if target == 1 and kind is not None:
        return CoreAlias(kind, reader.unsigned(), reader.sized())
    reader.unsigned()
    reader.sized() if target == 0 else reader.unsigned()
    return Raw(_ALIAS, b"\1" + reader.data[start : reader.at])


def _canon(reader: Reader) -> Canon:
    operation = reader.byte()
    if operation == _RESOURCE_DROP:
        return Canon(operation, None, reader.raw(reader.unsigned), [], b"")
    if operation not in (LIFT, _LOWER):
        raise LinkError(f"the component uses the canonical operation {operation:#x}")
    reader.byte()
    target = reader.unsigned()
    options = reader.vector(lambda: _option(reader))
    if operation == LIFT:
        return Canon(operation, target, b"\0", options, reader.raw(reader.unsigned))
    return Canon(operation, None, b"\0" + unsigned(target), options, b"")


def _option(reader: Reader) -> tuple[int, int | None]:
    code = reader.byte()
    if code > _POST_RETURN_OPTION:
        raise LinkError(f"the component uses the canonical option {code:#x}")
    return code, reader.unsigned() if code >= MEMORY_OPTION else None


def module_section(binary: bytes) -> bytes:
    """Writes a core module."""
    return section(_CORE_MODULE, binary)


def alias_section(kind: int, instance: int, name: bytes) -> bytes:
    """Writes an alias of what a core instance exports."""
    alias = b"\0" + bytes([kind]) + b"\1" + unsigned(instance) + sized(name)
    return section(_ALIAS, vector([alias]))


def bag_section(exports: dict[bytes, tuple[int, int]]) -> bytes:
    """Writes a core instance of what there is."""
    entries = (
        sized(name) + bytes([kind]) + unsigned(index) for name, (kind, index) in exports.items()
    )
    return section(_CORE_INSTANCE, vector([b"\1" + vector(entries)]))


def instance_section(module: int, arguments: dict[bytes, int]) -> bytes:
    """Writes a core instance of a module."""
    entries = (
        sized(name) + bytes([_INSTANCE_SORT]) + unsigned(instance)
        for name, instance in arguments.items()
    )
    return section(_CORE_INSTANCE, vector([b"\0" + unsigned(module) + vector(entries)]))


def canon_section(canon: Canon) -> bytes:
    """Writes a function that crosses the border."""
    target = b"" if canon.target is None else unsigned(canon.target)
    options = vector(
        bytes([code]) + (b"" if index is None else unsigned(index)) for code, index in canon.options
    )
    options = b"" if canon.operation == _RESOURCE_DROP else options
    content = bytes([canon.operation]) + canon.before + target + options + canon.after
    return section(_CANON, vector([content]))
