"""Linking makes one module of several without changing what they do."""

from __future__ import annotations

import unittest

from sendbox_link import code, core
from sendbox_link.binary import LinkError, Reader, signed, unsigned
from sendbox_link.core import FUNCTION, GLOBAL, MEMORY, Global, Import, Module, Segment
from sendbox_link.link import linked
from sendbox_link.merge import Defined, Host, Library, Merger

NOTHING = b"\x60\0\0"
A_NUMBER = b"\x60\0\1\x7f"


def shared() -> Library:
    """The library with memory, table, a place for elements and one global that changes."""
    module = Module(tables=[b"\x70\0\x09"], memories=[b"\0\1"])
    module.globals = [Global(0x7F, False, b"\x41\x05"), Global(0x7F, True, b"\x41\x07")]
    return Library(module, [])


def user(body: bytes) -> Library:
    """A library that imports a host's function, the table's base, and the global that changes."""
    module = Module(types=[A_NUMBER, NOTHING], functions=[0, 1], bodies=[b"\0\x23\0\x0b", body])
    module.imports = [
        Import(b"host", b"f", FUNCTION, b"\1"),
        Import(b"env", b"__table_base", GLOBAL, b"\x7f\0"),
        Import(b"env", b"changes", GLOBAL, b"\x7f\1"),
    ]
    module.elements = [Segment(b"\x23\0\x41\2\x6a", functions=[1, 0])]
    return Library(module, [Host(4), Defined(0, GLOBAL, 0), Defined(0, GLOBAL, 1)])


class MergeTest(unittest.TestCase):
    """Libraries become one module."""

    def merge(self, body: bytes) -> Module:
        """What becomes of a library whose second function has this body."""
        merger = Merger([shared(), user(body)])
        merged = merger.merged({b"run": Defined(1, FUNCTION, 1), b"m": Defined(0, MEMORY, 0)})
        self.assertEqual(merger.hosts, [4])
        return core.parse(merged)

    def test_a_global_that_nobody_sets_is_a_constant(self) -> None:
        module = self.merge(b"\0\x0b")
        self.assertEqual(module.bodies[0], b"\0\x41\x05\x0b")
        self.assertEqual(module.globals, [])

    def test_a_global_that_is_set_stays_one(self) -> None:
        module = self.merge(b"\0\x41\x01\x24\x01\x0b")
        self.assertEqual(module.globals, [Global(0x7F, True, b"\x41\x07")])
        self.assertEqual(module.bodies[1], b"\0\x41\x01\x24\0\x0b")

    def test_elements_have_a_constant_place_and_new_numbers(self) -> None:
        # The host's function is the first of the linked module, the library's own follow.
        self.assertEqual(self.merge(b"\0\x0b").elements, [Segment(b"\x41\x07", [1, 0])])

    def test_calls_lead_where_they_led(self) -> None:
        module = self.merge(b"\0\x10\x01\x1a\x10\0\x0b")
        self.assertEqual(module.bodies[1], b"\0\x10\x01\x1a\x10\0\x0b")
        self.assertEqual(module.exports, {b"run": (FUNCTION, 2), b"m": (MEMORY, 0)})
        self.assertEqual([entry.name for entry in module.imports], [b"0"])

    def test_two_memories_are_refused(self) -> None:
        with self.assertRaises(LinkError):
            Merger([shared(), shared()]).merged({})


class BodyTest(unittest.TestCase):
    """Function bodies."""

    def test_every_instruction_with_an_index_is_found_and_no_other(self) -> None:
        body = (
            b"\1\2\x7f"  # locals
            b"\x20\x81\0\x28\2\x80\x01\x43\x10\x10\x10\x10\x1a"  # an f32 that looks like calls
            b"\x02\x40\x0e\2\0\0\0\x0b\x42\x90\x7f\x1a\xfc\x0a\0\0"  # block, br_table, i64, copy
            b"\x10\x05\x11\x03\0\x23\x85\x01\x02\x04\x0b\x0b"
        )
        found = [(operation, index) for _, _, operation, index in code.references(body)]
        expected = [
            (code.CALL, 5),
            (code.CALL_INDIRECT, 3),
            (code.GLOBAL_GET, 133),
            (code.BLOCK, 4),
        ]
        self.assertEqual(found, expected)

    def test_an_unknown_instruction_is_refused(self) -> None:
        with self.assertRaises(LinkError):
            list(code.references(b"\0\xfd\0\x0b"))


class BinaryTest(unittest.TestCase):
    """Numbers."""

    def test_numbers_are_written_as_they_are_read(self) -> None:
        for number in (0, 1, 63, 64, 127, 128, 2**31, 2**32 - 1):
            self.assertEqual(Reader(unsigned(number)).unsigned(), number)
            self.assertEqual(Reader(signed(-number)).signed(), -number)
        self.assertEqual(code.i32_constant(2**32 - 1), b"\x41\x7f")

    def test_a_component_without_libraries_stays_as_it_is(self) -> None:
        empty = b"\0asm\x0d\0\1\0"
        self.assertEqual(linked(empty), empty)

    def test_a_core_module_is_refused(self) -> None:
        with self.assertRaises(LinkError):
            linked(core.PREAMBLE)
