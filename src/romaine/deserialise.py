"""Values from a JSON or TOML file as a dataclass, by the types of its fields.

A field may be a str, int, float, bool, `Choice` or dataclass, a tuple[T, ...], dict or Mapping of them, or
optional. What types do not say (a range, a path's form) is for the dataclass or its own reader to check.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import MappingProxyType, NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from romaine.choice import Choice
from romaine.errors import OptionError, UnknownNameError

T = TypeVar("T")

_INT_LIMIT = 2**63
_SHOWN = 200  # characters of a value in an error


@dataclass(frozen=True)
class Tagged:
    """A union of dataclasses that a file tells apart by a key.

    Attributes:
        key: The key, which is no field.
        kinds: The dataclasses by what stands there.
    """

    key: str
    kinds: Mapping[str, type]


def deserialise(
    kind: type[T],
    values: object,
    *,
    where: str,
    ignore_unknown: bool = False,
    unions: Mapping[Any, Tagged] | None = None,
) -> T:
    """Makes a `kind` of what `json.loads` or `tomllib.loads` gave.

    Args:
        kind: A dataclass.
        values: Its fields by name.
        where: What to call the source in messages.
        ignore_unknown: Whether keys that are no fields are passed over, for files of a newer version.
        unions: How to tell the members of a union apart, by the union's type.

    Raises:
        OptionError: If a key is missing or unknown, a value is of another type, or the dataclass refuses it.
    """
    return _Reader(where, ignore_unknown, unions or {}).record(kind, values, "")


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)  # slower than reading a card


@dataclass(frozen=True)
class _Reader:
    where: str
    ignore_unknown: bool
    unions: Mapping[Any, Tagged]

    def record(self, kind: type[T], values: object, path: str) -> T:
        entries = self._table(values, path)
        hints = _hints(kind)
        known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
        for key in () if self.ignore_unknown else entries:
            if key not in known:
                raise UnknownNameError(f"key in {self._place(path)}", key, known)
        for name, item in known.items():
            if name not in entries and item.default is MISSING and item.default_factory is MISSING:
                raise OptionError(f"{self._place(path)} lacks {name!r}")
        built = {
            name: self.value(hints[name], entries[name], f"{path}.{name}" if path else name)
            for name in known
            if name in entries
        }
        try:
            return kind(**built)
        except OptionError as error:
            raise OptionError(f"{self._place(path)}: {error}") from None

    def value(self, hint: Any, value: object, path: str) -> Any:
        if hint in _NEEDED:
            return self._plain(hint, value, path)
        origin, inner = get_origin(hint), get_args(hint)
        if hint in self.unions:
            return self._tagged(self.unions[hint], value, path)
        if NoneType in inner:
            return None if value is None else self.value(inner[0], value, path)
        if origin is tuple:
            if not isinstance(value, list):
                raise self._refusal(path, value, "a list")
            return tuple(self.value(inner[0], item, f"{path}[{index}]") for index, item in enumerate(value))
        if isinstance(origin, type) and issubclass(origin, Mapping):
            read = {
                self._key(inner[0], key, path): self.value(inner[1], item, f"{path}.{key}")
                for key, item in self._table(value, path).items()
            }
            return read if origin is dict else MappingProxyType(read)
        if isinstance(hint, type) and is_dataclass(hint):
            return self.record(hint, value, path)
        return self._choice(hint, value, path)

    def _plain(self, hint: type, value: object, path: str) -> Any:
        if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            if -sys.float_info.max <= value <= sys.float_info.max:  # an int may be too large for a float
                return float(value)
        elif type(value) is hint and not (isinstance(value, int) and abs(value) >= _INT_LIMIT):
            return value
        raise self._refusal(path, value, _NEEDED[hint])

    def _choice(self, hint: type[Choice], value: object, path: str) -> Choice:
        try:
            return hint.parse(self._plain(str, value, path))
        except UnknownNameError as error:
            raise OptionError(f"{self._place(path)}: {error}") from None

    def _key(self, hint: type, key: str, path: str) -> Any:
        """A key, which JSON and TOML only have as text."""
        try:
            return hint(key)
        except ValueError:
            raise self._refusal(path, key, f"{_NEEDED[hint]} as a key") from None

    def _tagged(self, union: Tagged, value: object, path: str) -> Any:
        entries = dict(self._table(value, path))
        tag = entries.pop(union.key, None)
        if not isinstance(tag, str) or tag not in union.kinds:
            raise UnknownNameError(f"{union.key} in {self._place(path)}", tag, union.kinds)
        return self.record(union.kinds[tag], entries, path)

    def _table(self, value: object, path: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._refusal(path, value, "a table of keys and values")
        return value

    def _place(self, path: str) -> str:
        return f"{self.where}: {path}" if path else self.where

    def _refusal(self, path: str, value: object, needed: str) -> OptionError:
        if not path:
            return OptionError(f"{self.where} holds {_shown(value)}; {needed} is needed")
        return OptionError(f"{self._place(path)}={_shown(value)} is not allowed; {needed} is needed")


_NEEDED: Mapping[type, str] = {
    str: "a text",
    int: "a whole number below 2**63",
    float: "a finite number",
    bool: "true or false",
}


def _shown(value: object) -> str:
    """A value as an error shows it, at any size."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # ValueError: an int of more digits than Python converts
        return f"(a {type(value).__name__} too large to show)"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
