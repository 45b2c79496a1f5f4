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

Reader = Callable[[Any, str], Any]
"""Makes a setting of a JSON value at a path; raises Failure."""

_EXPECTED = {str: "a string", bool: "a boolean", int: "an integer", float: "a number"}


def parse(type_: Any, text: str) -> Any:
    """Reads settings from their JSON text. Raises Failure, `invalid-settings`."""
    try:
        value = payload.loads(text)
    except (ValueError, RecursionError):
        raise Failure.invalid_settings("settings", "expected JSON") from None
    return reader(type_)(value, "")


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


def _refuse(path: str, words: str) -> Failure:
    return Failure.invalid_settings(path or "settings", words)


def _only(*types: Any) -> Reader:
    if len(types) != 1:
        raise TypeError("a setting has one type, with or without None")
    return reader(types[0])


def _plain(type_: type) -> Reader:
    if type_ is Any:
        return lambda value, path: value
    if type_ not in _EXPECTED:
        raise TypeError(f"settings cannot hold {type_}")
    expected = f"expected {_EXPECTED[type_]}"

    def read(value: Any, path: str) -> Any:
        # In Python a bool is an int; in JSON an int is as good as a float.
        fits = type(value) is type_ or (type_ is float and type(value) is int)
        if not fits:
            raise _refuse(path, expected)
        return value

    return read


def _literal(choices: tuple[Any, ...]) -> Reader:
    expected = "expected " + " or ".join(f"`{choice}`" for choice in choices)

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise _refuse(path, expected)
        return value

    return read


def _checked(inner: Reader, checks: tuple[Any, ...]) -> Reader:
    def read(value: Any, path: str) -> Any:
        value = inner(value, path)
        for check in filter(callable, checks):
            try:
                check(value)
            except ValueError as error:
                raise _refuse(path, str(error)) from None
        return value

    return read


def _list(item: Reader) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise _refuse(path, "expected a sequence")
        return [item(entry, f"{path}[{index}]") for index, entry in enumerate(value)]

    return read


def _dict(item: Reader) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise _refuse(path, "expected a map")
        return {name: item(entry, _below(path, name)) for name, entry in value.items()}

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

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise _refuse(path, "expected a map")
        values = {}
        for attribute, name, part, required in parts:
            if name in value:
                values[attribute] = part(value[name], _below(path, name))
            elif required:
                raise _refuse(path, f"missing field `{name}`")
        return type_(**values)

    return read


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
