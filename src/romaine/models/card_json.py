"""`romaine.json`: a `ModelCard` as a file beside the weights it describes.

Every key is a field of `ModelCard`; `id`, `kind`, `full_dim` and `dims` are required, the rest have the
dataclass's defaults. A key this version does not know is left alone, so that a newer file still opens.

    {
      "schema": 1,
      "id": "little-gem", "kind": "static", "full_dim": 256, "dims": [32, 64, 128, 256],
      "max_tokens": null, "pooling": "mean", "layer_norm": false, "unit_output": false,
      "prompts": {"query": "", "document": ""},
      "files": {"weights": "model.safetensors", "tokenizer": "tokenizer.json"},
      "backends": ["static"], "int8_holds": false, "size": 7900000, "license": "Apache-2.0",
      "quality": [{"name": "...", "value": 0.7, "source": "where it was published"}],
      "measured": [{"name": "...", "value": 0.7, "command": "romaine eval sts ..."}],
      "sha256": {"model.safetensors": "64 hex digits", "tokenizer.json": "..."},
      "int8_ranges": {"64": 0.4}, "duplicate_threshold": 0.95, "note": "...", "bundled": true
    }

`sha256` is by path inside the folder; where it is given, the files are checked against it at every load.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from romaine.arrays import Pooling
from romaine.errors import ModelFormatError, OptionError
from romaine.models.card import Measure, ModelCard, Prompts
from romaine.models.tree import read_json

CARD_FILE = "romaine.json"
SCHEMA = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST_COUNT = 2**53  # every JSON reader takes it, and int64 holds it
_SHOWN = 200


def card_to_json(card: ModelCard) -> dict[str, Any]:
    """The card as JSON values, to be written as `romaine.json`."""
    values: dict[str, Any] = {"schema": SCHEMA}
    for item in fields(card):
        values[item.name] = _plain(getattr(card, item.name))
    return values


def card_from_json(values: object, *, source: str = CARD_FILE) -> ModelCard:
    """Makes a card of JSON values.

    Args:
        values: What `json.loads` gave.
        source: Where they came from, for the error.

    Raises:
        ModelFormatError: If a required key is missing or a value has the wrong form.
    """
    if not isinstance(values, Mapping):
        raise ModelFormatError(f"{source}: a JSON object is needed, got {type(values).__name__}")
    missing = [key for key in ("id", "kind", "full_dim", "dims") if key not in values]
    if missing:
        raise ModelFormatError(
            f"{source}: {', '.join(missing)} missing; see romaine.models.card_json for the keys"
        )
    known = {}
    for key, read in _READERS.items():
        if key in values:
            try:
                known[key] = read(values[key])
            except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
                raise ModelFormatError(
                    f"{source}: {key}={_shown(values[key])} is not allowed ({error})"
                ) from None
    try:
        return ModelCard(**known)
    except OptionError as error:
        raise ModelFormatError(f"{source}: {error}") from None


def read_card(path: Path) -> ModelCard:
    """Reads a `romaine.json`.

    Raises:
        ModelFormatError: If it cannot be read.
    """
    return card_from_json(read_json(path), source=str(path))


def write_card(card: ModelCard, folder: Path) -> Path:
    """Writes `card` as `folder`/romaine.json, with sorted keys so that equal cards give equal bytes."""
    path = folder / CARD_FILE
    text = json.dumps(card_to_json(card), indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, Pooling):
        return value.value
    if isinstance(value, (Prompts, Measure)):
        return {
            item.name: getattr(value, item.name) for item in fields(value) if getattr(value, item.name) != ""
        } or {
            "query": "",
            "document": "",
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a string is needed")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is needed")
    return value


def _shown(value: object) -> str:
    """A value as an error shows it, at any size."""
    try:
        text = repr(value)
    except RecursionError:
        return f"(a {type(value).__name__} nested too deeply)"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_COUNT:
        raise TypeError(f"a whole number from 0 to {_LARGEST_COUNT} is needed")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number is needed")
    if not math.isfinite(value):
        raise ValueError("a finite number is needed")
    return float(value)


def _positive(value: Any) -> float:
    if _number(value) <= 0:
        raise ValueError("a number above 0 is needed")
    return float(value)


def _optional_count(value: Any) -> int | None:
    return None if value is None else _count(value)


def _inner_path(value: Any) -> str:
    path = PurePosixPath(_text(value))
    if path.is_absolute() or ".." in path.parts or "\\" in value or ":" in value or not path.parts:
        raise ValueError("a path inside the model's folder is needed")
    return str(path)


def _digest(value: Any) -> str:
    if not _SHA256.fullmatch(_text(value)):
        raise ValueError("64 lower-case hex digits are needed")
    return str(value)


def _tuple_of(read: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def read_all(values: Any) -> tuple[Any, ...]:
        if not isinstance(values, list):
            raise TypeError("a list is needed")
        return tuple(read(value) for value in values)

    return read_all


def _mapping_of(
    read_key: Callable[[Any], Any], read: Callable[[Any], Any]
) -> Callable[[Any], Mapping[Any, Any]]:
    def read_all(values: Any) -> Mapping[Any, Any]:
        if not isinstance(values, dict):
            raise TypeError("an object is needed")
        return MappingProxyType({read_key(key): read(value) for key, value in values.items()})

    return read_all


def _prompts(values: Any) -> Prompts:
    return Prompts(query=_text(values.get("query", "")), document=_text(values.get("document", "")))


def _measure(values: Any) -> Measure:
    return Measure(
        name=_text(values["name"]),
        value=_number(values["value"]),
        source=_text(values.get("source", "")),
        command=_text(values.get("command", "")),
    )


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "id": _text,
    "kind": _text,
    "full_dim": _count,
    "dims": _tuple_of(_count),
    "max_tokens": _optional_count,
    "pooling": lambda value: Pooling.parse(_text(value)),
    "layer_norm": _flag,
    "unit_output": _flag,
    "prompts": _prompts,
    "files": _mapping_of(_text, _inner_path),
    "backends": _tuple_of(_text),
    "int8_holds": _flag,
    "size": _count,
    "license": _text,
    "quality": _tuple_of(_measure),
    "measured": _tuple_of(_measure),
    "sha256": _mapping_of(_inner_path, _digest),
    "int8_ranges": _mapping_of(int, _positive),
    "duplicate_threshold": _number,
    "note": _text,
    "bundled": _flag,
}
