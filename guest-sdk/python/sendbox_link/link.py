"""Links the core modules of a component into one, and leaves everything else as it is.

A component of componentize-py holds fourteen core modules: the interpreter, its libraries and the
bindings, each instantiated for every send with what the others export. Thousands of functions are
looked up and put into a table each time, which takes longer than the rest of the send.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from . import core
from .binary import LinkError, section
from .component import (
    LIFT,
    MEMORY_OPTION,
    PREAMBLE,
    Bag,
    Canon,
    CoreAlias,
    Instantiate,
    Item,
    Raw,
    alias_section,
    bag_section,
    canon_section,
    instance_section,
    items,
    module_section,
)
from .core import FUNCTION, GLOBAL, MEMORY, TABLE, Module
from .merge import Defined, Entity, Host, Library, Merger

# A module with this table stays: it stands in for host functions that need the others' memory.
_SHIM_TABLE = b"$imports"

Entities = dict[bytes, tuple[int, Entity]]
"""Things by their names, each with its kind."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A core instance that stays: its module, and what it is instantiated with."""

    module: int
    arguments: dict[bytes, Entities]


Instance = Kept | int | Entities
"""A core instance: one that stays, the number of a library, or what there is."""


def linked(component: bytes) -> bytes:
    """The component with its libraries in one module. Raises LinkError where it cannot."""
    linker = Linker(list(items(component)))
    linker.resolve()
    return PREAMBLE + b"".join(linker.written())


@dataclass(slots=True)
class Linker:
    """First resolves what every core index stands for, then writes the component anew."""

    items: list[Item | bytes]
    _merger: Merger = field(default_factory=lambda: Merger([]))
    _modules: list[Module] = field(default_factory=list)
    _instances: list[Instance] = field(default_factory=list)
    # What the component's core indices stand for, by kind.
    _spaces: dict[int, list[Entity]] = field(
        default_factory=lambda: {kind: [] for kind in (FUNCTION, TABLE, MEMORY, GLOBAL)}
    )
    # What the linked module has to export.
    _exports: dict[bytes, Defined] = field(default_factory=dict)
    # The new indices of modules, instances and everything else that is written, and their counts.
    _places: dict[object, int] = field(default_factory=dict)
    _counts: dict[object, int] = field(default_factory=dict)

    def resolve(self) -> None:
        """Finds the libraries, what their imports are, and what is needed of them."""
        for item in self.items:
            match item:
                case bytes():
                    self._modules.append(core.parse(item))
                case CoreAlias(kind, instance, name):
                    self._spaces[kind].append(self._exported(instance, name, kind))
                case Canon():
                    for kind, index in _core_indices(item):
                        self._need(kind, self._spaces[kind][index])
                    if item.operation != LIFT:
                        self._spaces[FUNCTION].append(Host(len(self._spaces[FUNCTION])))
                case Bag(exports):
                    self._instances.append(
                        {
                            name: (kind, self._spaces[kind][index])
                            for name, (kind, index) in exports.items()
                        }
                    )
                case Instantiate():
                    self._instances.append(self._instantiated(item))

    def _instantiated(self, item: Instantiate) -> Instance:
        module = self._modules[item.module]
        names = {*module.exports, *(entry.name for entry in module.imports)}
        if _SHIM_TABLE not in names:
            arguments = [
                self._exported(item.arguments[entry.module], entry.name, entry.kind)
                for entry in module.imports
            ]
            self._merger.libraries.append(Library(module, arguments))
            return len(self._merger.libraries) - 1
        kept: dict[bytes, Entities] = {}
        for name, number in item.arguments.items():
            entities = self._instances[number]
            if not isinstance(entities, dict):
                raise LinkError("a module that stays is instantiated with another one")
            kept[name] = entities
            for kind, entity in entities.values():
                self._need(kind, entity)
        return Kept(item.module, kept)

    def _exported(self, number: int, name: bytes, kind: int) -> Entity:
        instance = self._instances[number]
        if isinstance(instance, dict):
            return instance[name][1]
        if isinstance(instance, int):
            module = self._merger.libraries[instance].module
            return self._merger.definition(instance, *module.exports[name])
        # Of one that stays: named by its index in the component, as it is before linking.
        return Host(len(self._spaces[kind]))

    def _need(self, kind: int, entity: Entity) -> None:
        if isinstance(entity, Defined):
            self._exports[b"%d-%d-%d" % (kind, entity.library, entity.place)] = entity

    def written(self) -> Iterator[bytes]:
        """The sections of the linked component."""
        instances, modules = iter(self._instances), 0
        spaces = {kind: iter(space) for kind, space in self._spaces.items()}
        kept_modules = {entry.module for entry in self._instances if isinstance(entry, Kept)}
        for item in self.items:
            match item:
                case Raw(number, content):
                    yield section(number, content)
                case bytes():
                    if modules in kept_modules:
                        self._place("module", modules)
                        yield module_section(item)
                    modules += 1
                case CoreAlias(kind, number, name):
                    entity = next(spaces[kind])
                    if isinstance(self._instances[number], Kept):
                        self._place(kind, entity)
                        yield alias_section(kind, self._places["instance", number], name)
                case Canon():
                    if list(_core_indices(item)):
                        yield from self._linked_module()
                    if item.operation != LIFT:
                        self._place(FUNCTION, next(spaces[FUNCTION]))
                    yield canon_section(self._renumbered(item))
                case Bag() | Instantiate():
                    yield from self._instance(next(instances))

    def _instance(self, instance: Instance) -> Iterator[bytes]:
        """A core instance that stays, behind what it is instantiated with."""
        if not isinstance(instance, Kept):
            return
        arguments = {}
        for name, entities in instance.arguments.items():
            if any(isinstance(entity, Defined) for _, entity in entities.values()):
                yield from self._linked_module()
            arguments[name] = self._place("bag", (id(instance), name), of="instance")
            yield bag_section(
                {
                    key: (kind, self._places[kind, entity])
                    for key, (kind, entity) in entities.items()
                }
            )
        number = next(at for at, entry in enumerate(self._instances) if entry is instance)
        self._place("instance", number)
        yield instance_section(self._places["module", instance.module], arguments)

    def _linked_module(self) -> Iterator[bytes]:
        """The one module of all libraries, once, where it is first needed."""
        if ("module", "linked") in self._places:
            return
        yield module_section(self._merger.merged(self._exports))
        module = self._place("module", "linked")
        hosts = self._place("bag", "hosts", of="instance")
        functions = {}
        for place, host in enumerate(self._merger.hosts):
            if (FUNCTION, Host(host)) not in self._places:
                raise LinkError("a library is needed before what it imports")
            functions[b"%d" % place] = (FUNCTION, self._places[FUNCTION, Host(host)])
        yield bag_section(functions)
        instance = self._place("instance", "linked")
        yield instance_section(module, {b"host": hosts})
        for name, entity in self._exports.items():
            self._place(entity.kind, entity)
            yield alias_section(entity.kind, instance, name)

    def _place(self, kind: object, key: object, of: object = None) -> int:
        """Gives a thing the next index of its kind."""
        space = of or kind
        self._places[kind, key] = self._counts.get(space, 0)
        self._counts[space] = self._places[kind, key] + 1
        return self._places[kind, key]

    def _renumbered(self, canon: Canon) -> Canon:
        def new(kind: int, index: int | None) -> int | None:
            return None if index is None else self._places[kind, self._spaces[kind][index]]

        options = [
            (code, new(MEMORY if code == MEMORY_OPTION else FUNCTION, index))
            for code, index in canon.options
        ]
        return replace(canon, target=new(FUNCTION, canon.target), options=options)


def _core_indices(canon: Canon) -> Iterator[tuple[int, int]]:
    """The core memories and functions that a function needs, by their indices."""
    if canon.target is not None:
        yield FUNCTION, canon.target
    for code, index in canon.options:
        if index is not None:
            yield MEMORY if code == MEMORY_OPTION else FUNCTION, index
