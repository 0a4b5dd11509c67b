"""Checks of options and texts. What a text says is never shown: it may be a user's own words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from romaine.errors import OptionError, TextTypeError


def positive_int(name: str, value: object) -> int:
    """Returns `value` if it is an int of at least 1, else raises an OptionError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{name}={value!r} is not allowed: it must be an int of at least 1")
    return value


def optional_positive_int(name: str, value: object) -> int | None:
    """As `positive_int`, with None let through."""
    return None if value is None else positive_int(name, value)


def optional_str(name: str, value: object) -> str | None:
    """Returns `value` if it is a str or None, else raises an OptionError."""
    if value is not None and not isinstance(value, str):
        raise OptionError(f"{name} must be a str or None, got {type(value).__name__}")
    return value


def optional_path(name: str, value: object) -> Path | None:
    """Returns `value` as a path if it is one or a str, or None, else raises an OptionError."""
    if value is None or isinstance(value, (str, Path)):
        return None if value is None else Path(value)
    raise OptionError(f"{name} must be a path or None, got {type(value).__name__}")


def optional_str_tuple(name: str, value: object) -> tuple[str, ...] | None:
    """Returns `value` as a tuple if it is a sequence of str or None, else raises an OptionError."""
    if value is None:
        return None
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise OptionError(f"{name}={value!r} is not allowed: it must be a list of str or None")


def one_text(text: object) -> str:
    """Returns `text` if it is a str, else raises a TextTypeError."""
    if not isinstance(text, str):
        raise TextTypeError(f"a text must be a str, got {type(text).__name__}")
    return text


def text_list(texts: Iterable[str]) -> list[str]:
    """Returns `texts` as a list if it is an iterable of str.

    Raises:
        TextTypeError: If it is one str or no iterable, or an item is no str; with the item's index.
    """
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TextTypeError(
            f"a list of texts is needed, got {type(texts).__name__};"
            " for one text use embed_query(text) or [text]"
        )
    checked = list(texts)
    for index, text in enumerate(checked):
        if not isinstance(text, str):
            raise TextTypeError(f"texts[{index}] is {type(text).__name__}; every text must be a str")
    return checked
