"""Makes one core module of several that were instantiated with each other's exports.

What they share is decided once here instead of at every start: a function that one library imports
from another is called directly, elements and data have constant places, and a global that nobody
sets is a constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import code, core
from .binary import LinkError, Reader, section, sized, unsigned, vector
from .core import FUNCTION, GLOBAL, MEMORY, TABLE, Module


@dataclass(frozen=True, slots=True)
class Host:
    """A function that the linked module imports, by its number in the component."""

    function: int


@dataclass(frozen=True, slots=True)
class Defined:
    """An entity by the library that defines it and its place among that library's own."""

    library: int
    kind: int
    place: int


Entity = Host | Defined


@dataclass(slots=True)
class Library:
    """A module with what its imports are, in their order."""

    module: Module
    arguments: Sequence[Entity]


@dataclass(slots=True)
class Merger:
    """The libraries in the order in which they are instantiated."""

    libraries: list[Library]
    hosts: list[int] = field(default_factory=list)
    """The component's functions that the linked module imports, in order."""
    _types: dict[bytes, int] = field(default_factory=dict)
    _host_types: dict[int, int] = field(default_factory=dict)
    _first_functions: list[int] = field(default_factory=list)
    _globals_at: dict[Entity, int] = field(default_factory=dict)
    _constants: dict[Entity, int] = field(default_factory=dict)
    _globals: list[bytes] = field(default_factory=list)

    def merged(self, exports: Mapping[bytes, Defined]) -> bytes:
        """The linked module, with its imports named by their place in `hosts`."""
        self._collect_hosts()
        self._place_functions()
        self._place_globals()
        functions, bodies, elements, data = [], [], [], []
        for number, library in enumerate(self.libraries):
            indices, module = self._indices(number), library.module
            functions += [indices.types[type_] for type_ in module.functions]
            bodies += [code.relocated(body, indices) for body in module.bodies]
            for segment in module.elements:
                targets = [indices.functions[function] for function in segment.functions]
                if targets:
                    elements.append(self._offset(number, segment) + vector(map(unsigned, targets)))
            data += [self._offset(number, part) + sized(part.data) for part in module.data]
        imports = [
            sized(b"host") + sized(b"%d" % place) + b"\0" + unsigned(self._host_types[host])
            for place, host in enumerate(self.hosts)
        ]
        table, memory = self._only(TABLE), self._only(MEMORY)
        return core.PREAMBLE + b"".join(
            section(number, vector(items))
            for number, items in (
                (core.TYPES, list(self._types)),
                (core.IMPORTS, imports),
                (core.FUNCTIONS, map(unsigned, functions)),
                (core.TABLES, [table]),
                (core.MEMORIES, [memory]),
                (core.GLOBALS, self._globals),
                (core.EXPORTS, [self._export(name, entity) for name, entity in exports.items()]),
                (core.ELEMENTS, elements),
                (core.CODE, map(sized, bodies)),
                (core.DATA, data),
            )
        )

    def definition(self, library: int, kind: int, index: int) -> Entity:
        """What a library's own index stands for."""
        module, arguments = self.libraries[library].module, self.libraries[library].arguments
        imported = [at for at, entry in enumerate(module.imports) if entry.kind == kind]
        if index < len(imported):
            return arguments[imported[index]]
        return Defined(library, kind, index - len(imported))

    def _collect_hosts(self) -> None:
        for library in self.libraries:
            for entry, argument in zip(library.module.imports, library.arguments):
                if isinstance(argument, Host) and argument.function not in self._host_types:
                    type_ = library.module.types[core.function_type(entry)]
                    self._host_types[argument.function] = self._type(type_)
                    self.hosts.append(argument.function)

    def _type(self, type_: bytes) -> int:
        return self._types.setdefault(type_, len(self._types))

    def _place_functions(self) -> None:
        first = len(self.hosts)
        for library in self.libraries:
            self._first_functions.append(first)
            first += len(library.module.functions)

    def _place_globals(self) -> None:
        """Tells globals that change from constants, and gives the former their places."""
        changing = self._changing_globals()
        for number, library in enumerate(self.libraries):
            for place, own in enumerate(library.module.globals):
                entity = Defined(number, GLOBAL, place)
                if own.type == 0x7F and entity not in changing:
                    self._constants[entity] = self._value(number, own.value)
                else:
                    self._globals_at[entity] = len(self._globals)
                    value = self._constant(number, own.value)
                    self._globals.append(bytes([own.type, own.mutable]) + value + b"\x0b")

    def _changing_globals(self) -> set[Entity]:
        changing = set()
        for number, library in enumerate(self.libraries):
            indices = {
                index
                for body in library.module.bodies
                for _, _, operation, index in code.references(body)
                if operation == code.GLOBAL_SET
            }
            changing |= {self.definition(number, GLOBAL, index) for index in indices}
        return changing

    def _indices(self, number: int) -> code.Indices:
        module = self.libraries[number].module
        functions = [
            self._function(self.definition(number, FUNCTION, index))
            for index in range(len(module.imported(FUNCTION)) + len(module.functions))
        ]
        globals_ = [
            self.definition(number, GLOBAL, index)
            for index in range(len(module.imported(GLOBAL)) + len(module.globals))
        ]
        return code.Indices(
            types=[self._type(type_) for type_ in module.types],
            functions=functions,
            globals=[self._globals_at.get(entity) for entity in globals_],
            constants={
                index: self._constants[entity]
                for index, entity in enumerate(globals_)
                if entity in self._constants
            },
        )

    def _function(self, entity: Entity) -> int:
        if isinstance(entity, Host):
            return self.hosts.index(entity.function)
        return self._first_functions[entity.library] + entity.place

    def _offset(self, number: int, segment: core.Segment) -> bytes:
        return b"\0" + code.i32_constant(self._value(number, segment.offset)) + b"\x0b"

    def _constant(self, number: int, expression: bytes) -> bytes:
        """A global's initial value: one of 32 bits is computed, any other is as it stands."""
        if expression[0] in (0x42, 0x43, 0x44, 0xD0):
            return expression
        return code.i32_constant(self._value(number, expression))

    def _value(self, number: int, expression: bytes) -> int:
        """The value of a constant expression of 32 bits."""
        reader, stack = Reader(expression), []
        while not reader.is_at_end:
            operation = reader.byte()
            if operation == 0x41:
                stack.append(reader.signed())
            elif operation == code.GLOBAL_GET:
                entity = self.definition(number, GLOBAL, reader.unsigned())
                if entity not in self._constants:
                    raise LinkError("a constant needs a global that changes")
                stack.append(self._constants[entity])
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(
                    {0x6A: left + right, 0x6B: left - right, 0x6C: left * right}[operation]
                )
        return stack.pop()

    def _only(self, kind: int) -> bytes:
        """The one table or memory that there is."""
        parts = [
            part
            for library in self.libraries
            for part in (library.module.tables if kind == TABLE else library.module.memories)
        ]
        if len(parts) != 1:
            raise LinkError(f"the libraries have {len(parts)} tables or memories, not one")
        return parts[0]

    def _export(self, name: bytes, entity: Defined) -> bytes:
        index = 0 if entity.kind in (TABLE, MEMORY) else self._function(entity)
        if entity.kind == GLOBAL:
            raise LinkError("the component needs a global of a library")
        return core.export(name, entity.kind, index)
