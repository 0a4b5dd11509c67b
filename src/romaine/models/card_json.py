"""`romaine.json`: a `ModelCard` as a file beside the weights it describes.

Every key is a field of `ModelCard`; `id`, `kind`, `full_dim` and `dims` are required, the rest have the
dataclass's defaults. A key this version does not know is left alone, so that a newer file still opens.

    {
      "schema": 1,
      "id": "little-gem", "kind": "static", "full_dim": 256, "dims": [32, 64, 128, 256],
      "max_tokens": null, "token_dim": null, "pooling": "mean", "layer_norm": false, "unit_output": false,
      "prompts": {"query": "", "document": ""},
      "files": {"weights": "model.safetensors", "tokenizer": "tokenizer.json"},
      "backends": ["static"], "int8_holds": false, "size": 7900000, "license": "Apache-2.0",
      "languages": ["en"],
      "quality": [{"name": "...", "value": 0.7, "source": "where it was published"}],
      "measured": [{"name": "...", "value": 0.7, "command": "romaine eval sts ..."}],
      "sha256": {"model.safetensors": "64 hex digits", "tokenizer.json": "..."},
      "int8_ranges": {"64": 0.4}, "duplicate_threshold": 0.95, "note": "...", "bundled": true
    }

`sha256` is by path inside the folder; where it is given, the files are checked against it at every load.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass, replace
from enum import Enum
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from romaine.deserialise import deserialise
from romaine.errors import ModelFormatError, OptionError
from romaine.models.card import ModelCard, Prompts
from romaine.models.tree import read_json

CARD_FILE = "romaine.json"
SCHEMA = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_SHOWN = 200  # characters of a value in an error


def card_to_json(card: ModelCard) -> dict[str, Any]:
    """The card as JSON values, to be written as `romaine.json`."""
    return {"schema": SCHEMA} | {name: _plain(value) for name, value in vars(card).items()}


def card_from_json(values: object, *, source: str = CARD_FILE) -> ModelCard:
    """Makes a card of JSON values.

    Args:
        values: What `json.loads` gave.
        source: Where they came from, for the error.

    Raises:
        ModelFormatError: If a required key is missing or a value has the wrong form.
    """
    try:
        card = deserialise(ModelCard, values, where=source, ignore_unknown=True)
    except OptionError as error:
        raise ModelFormatError(f"{error}; see romaine.models.card_json for the keys") from None
    for problem in _problems(card):
        raise ModelFormatError(f"{source}: {problem}")
    return replace(
        card,
        files=MappingProxyType({use: _normal(path) for use, path in card.files.items()}),
        sha256=MappingProxyType({_normal(path): digest for path, digest in card.sha256.items()}),
    )


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


def _problems(card: ModelCard) -> Iterator[str]:
    """What the types of the fields do not say."""
    for name, least in (
        ("max_tokens", card.max_tokens or 0),
        ("token_dim", card.token_dim or 0),
        ("size", card.size),
        ("dims", card.dims[0] - 1),
    ):
        if least < 0:
            yield f"{name}={getattr(card, name)} is not allowed; numbers that are not negative are needed"
    for name, paths in (("files", card.files.values()), ("sha256", card.sha256)):
        for text in paths:
            path = PurePosixPath(text)
            if path.is_absolute() or ".." in path.parts or "\\" in text or ":" in text or not path.parts:
                yield f"{name} names {text[:_SHOWN]!r}; a path inside the model's folder is needed"
    for text, digest in card.sha256.items():
        if not _SHA256.fullmatch(digest):
            yield f"sha256 of {text}={digest[:_SHOWN]!r} is not allowed; 64 lower-case hex digits are needed"
    for code in card.languages:
        if not _LANGUAGE.fullmatch(code):
            yield f"languages has {code[:_SHOWN]!r}; a code of ISO 639 is needed, for example 'ko'"
    for dim, value in card.int8_ranges.items():
        if value <= 0:
            yield f"int8_ranges: {dim}={value} is not allowed; a number above 0 is needed"


def _normal(path: str) -> str:
    return str(PurePosixPath(path))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {name: item for name, item in vars(value).items() if item != "" or isinstance(value, Prompts)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
