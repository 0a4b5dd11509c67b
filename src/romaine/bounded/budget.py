"""How much memory reading one file may take: ten times what is read of it and a little, up to a ceiling.

Small files can ask for much: a message of two letters becomes a record of hundreds of bytes, a name of a
megabyte can stand for a macro in every line. So whatever stays until the file is read is counted as it is
made, and the file is refused, whole, before the memory is gone. Sizes are those of CPython's objects.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from sys import getsizeof
from typing import Any, TypeVar

from romaine.errors import FormatError

#: Most memory that reading takes for each byte of the file, unpacked.
MAX_GROWTH = 10
#: Memory that reading any file may take besides, in bytes: short messages in a small file stay readable.
FREE_BYTES = 32 * 1024 * 1024
#: Most memory that reading takes for any file, in bytes.
MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024

#: A record with its time and its places in a list and in a tuple, without its texts.
_RECORD_BYTES = 250
_MAPPING_BYTES = 240
#: A place in a list or a mapping.
_PLACE_BYTES = 16
#: An id's place in the table that keeps ids unique.
_ID_BYTES = 120
_USUAL_ID_BYTES = 100

_Record = TypeVar("_Record")


class Budget:
    """What reading one file may take and has taken, in bytes of memory."""

    def __init__(self) -> None:
        self._read = 0
        self._kept = 0

    @property
    def limit(self) -> int:
        """The most that reading may take by now."""
        return min(MAX_MEMORY_BYTES, FREE_BYTES + MAX_GROWTH * self._read)

    @property
    def room(self) -> int:
        """What is left of it."""
        return self.limit - self._kept

    def grant(self, size: int) -> None:
        """Notes that so many more bytes of the file have been read and unpacked."""
        self._read += size

    def check(self, size: int, what: str) -> None:
        """Checks that `what`, which takes so many bytes for a while, has room.

        Raises:
            FormatError: If it has none; `what` are its first words.
        """
        if size > self.room:
            raise FormatError(
                f"{what} would bring the memory for this file to {self._kept + size:,} bytes; allowed are"
                f" {self.limit:,} ({MAX_GROWTH} for each of the {self._read:,} bytes read and {FREE_BYTES:,}"
                f" more, {MAX_MEMORY_BYTES:,} at most); split the file, or shorten its names and lists"
            )

    def spend(self, size: int, what: str) -> None:
        """Notes something that stays until the file is read.

        Raises:
            FormatError: If there is no room for it.
        """
        self.check(size, what)
        self._kept += size

    def keep(self, record: _Record) -> _Record:
        """Notes a record (a turn, a note, a reason to skip) and returns it.

        Raises:
            FormatError: If there is no room for it.
        """
        size = _RECORD_BYTES
        for name in _text_fields(type(record)):  # type: ignore[arg-type]  # classes are hashable
            value = getattr(record, name)
            kind = type(value)
            if kind is str:
                size += getsizeof(value)
            elif kind is dict:
                size += _mapping_size(value)
        if self._kept + size > self.limit:
            self.check(size, f"another {type(record).__name__.lower()}")
        self._kept += size
        return record

    def keep_id(self, name: str) -> None:
        """Notes an id in the table of them; one of usual length is counted with its record.

        Raises:
            FormatError: If there is no room for it.
        """
        self.spend(_ID_BYTES + max(0, getsizeof(name) - _USUAL_ID_BYTES), "another message id")


@cache
def _text_fields(kind: Any) -> tuple[str, ...]:
    """The fields that hold a text or a mapping of texts."""
    return tuple(field.name for field in fields(kind) if "str" in str(field.type))


def _mapping_size(values: dict[str, Any]) -> int:
    """What a mapping holds: texts, lists of texts, and numbers, which are small."""
    size = _MAPPING_BYTES + _PLACE_BYTES * len(values)
    for value in values.values():
        kind = type(value)
        if kind is str:
            size += getsizeof(value)
        elif kind is list:
            size += _PLACE_BYTES * len(value) + sum(map(getsizeof, value))
    return size
