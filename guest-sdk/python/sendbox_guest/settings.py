"""Reads an integration's settings into dataclasses, and names the field that does not fit.

Fields are named in camel case in JSON (`from_email` is `fromEmail`), or as
`field(metadata={"json": "..."})` says. Unknown fields are accepted. A field with a default may be
absent and must not be null. Values are never repeated: one may be a secret in the wrong place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from . import payload
from .failure import Failure

Reader = Callable[[Any], Any]
"""Makes a setting of a JSON value; raises Misfit."""

_EXPECTED = {str: "a string", bool: "a boolean", int: "an integer", float: "a number"}


class Misfit(Exception):
    """What is wrong with a setting, and, from the inside out, where."""

    def __init__(self, words: str) -> None:
        """A value that is wrong in itself."""
        super().__init__(words)
        self.words = words
        self.path = ""

    def below(self, step: str) -> Misfit:
        """The same, in a value that has it at `step`: a name, or an index in brackets."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        self.path = step + dot + self.path
        return self


def parse(type_: Any, text: str) -> Any:
    """Reads settings from their JSON text. Raises Failure, `invalid-settings`."""
    try:
        value = payload.loads(text)
    except (ValueError, RecursionError):
        raise Failure.invalid_settings("settings", "expected JSON") from None
    try:
        return reader(type_)(value)
    except Misfit as misfit:
        raise Failure.invalid_settings(misfit.path or "settings", misfit.words) from None


def unescaped_html(text: str) -> bool:
    """Whether the settings ask for `unescapedHtml`."""
    return '"unescapedHtml"' in text and payload.loads(text).get("unescapedHtml") is True


def not_empty(text: str) -> None:
    """For `Annotated[str, not_empty]`: refuses an empty text."""
    if not text:
        raise ValueError("must not be empty")


@cache
def reader(type_: Any) -> Reader:
    """The reader for a type: a dataclass, str, bool, int, float, list, dict or Literal of those.

    `Annotated[T, check]` calls `check(value)`, which raises ValueError with words. A class with a
    static method `settings_reader(*arguments)` makes its own.
    """
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _checked(reader(arguments[0]), type_.__metadata__)
    if origin in (Union, UnionType):
        return _only(*(argument for argument in arguments if argument is not NoneType))
    if origin is Literal:
        return _literal(arguments)
    if origin is list:
        return _list(reader(arguments[0]))
    if origin is dict:
        return _dict(reader(arguments[1]))
    own = getattr(origin or type_, "settings_reader", None)
    if own is not None:
        made: Reader = own(*arguments)
        return made
    if is_dataclass(type_):
        return _dataclass(type_)
    return _plain(type_)


def _only(*types: Any) -> Reader:
    if len(types) != 1:
        raise TypeError("a setting has one type, with or without None")
    return reader(types[0])


def _plain(type_: type) -> Reader:
    if type_ is Any:
        return lambda value: value
    if type_ not in _EXPECTED:
        raise TypeError(f"settings cannot hold {type_}")
    expected = f"expected {_EXPECTED[type_]}"

    def read(value: Any) -> Any:
        # In Python a bool is an int; in JSON an int is as good as a float.
        if type(value) is type_ or (type_ is float and type(value) is int):
            return value
        raise Misfit(expected)

    return read


def _literal(choices: tuple[Any, ...]) -> Reader:
    expected = "expected " + " or ".join(f"`{choice}`" for choice in choices)

    def read(value: Any) -> Any:
        if isinstance(value, str) and value in choices:
            return value
        raise Misfit(expected)

    return read


def _checked(inner: Reader, checks: tuple[Any, ...]) -> Reader:
    def read(value: Any) -> Any:
        value = inner(value)
        for check in filter(callable, checks):
            try:
                check(value)
            except ValueError as error:
                raise Misfit(str(error)) from None
        return value

    return read


def _list(item: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise Misfit("expected a sequence")
        items: list[Any] = []
        try:
            for entry in value:
                items.append(item(entry))
        except Misfit as misfit:
            raise misfit.below(f"[{len(items)}]") from None
        return items

    return read


def _dict(item: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Misfit("expected a map")
        items = {}
        for name, entry in value.items():
            try:
                items[name] = item(entry)
            except Misfit as misfit:
                raise misfit.below(name) from None
        return items

    return read


def _dataclass(type_: Any) -> Reader:
    hints = get_type_hints(type_, include_extras=True)
    parts = [
        (
            field.name,
            field.metadata.get("json") or _camel_case(field.name),
            reader(hints[field.name]),
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(type_)
    ]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Misfit("expected a map")
        values = {}
        for attribute, name, part, required in parts:
            if name in value:
                try:
                    values[attribute] = part(value[name])
                except Misfit as misfit:
                    raise misfit.below(name) from None
            elif required:
                raise Misfit(f"missing field `{name}`")
        return type_(**values)

    return read


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
