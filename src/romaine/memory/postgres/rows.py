"""Columns of the tables, and which rows a segment sees."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

from romaine.memory.postgres.schema import COLUMN_TYPES
from romaine.memory.rows import STORED
from romaine.memory.stored import Segment, StoredMemory
from romaine.memory.terms import TermIds

COLUMNS = ", ".join(f"m.{name}" for name in STORED) + ", s.user_name, s.chat"
"""What `decoded` takes, of ``memory m JOIN space s``."""

_SENT = {"id": "%b", "text": "%b"}  # what has no NULLs may be sent as it is; of lists the driver makes text

INSERT = f"""INSERT INTO memory ({", ".join(STORED)}, changed, checksum, owner)
    SELECT * FROM unnest({", ".join(f"{_SENT.get(name, '%s')}::{COLUMN_TYPES[name]}[]" for name in STORED)},
        %s::bigint[], %s::bigint[], %s::uuid[])"""  # noqa: S608
UPDATE = f"""UPDATE memory SET ({", ".join(STORED[1:])}, changed, checksum)
    = ROW ({", ".join(f"%s::{COLUMN_TYPES[name]}" for name in STORED[1:])}, %s, %s) WHERE no = %s"""  # noqa: S608

TOKENS = "LEFT JOIN token t ON t.no = v.no AND t.of_vectors = v.checksum"
"""Joins to ``vector v`` what is kept of its tokens."""

SEEN = """m.space = %(space)s
    AND (%(everyone)s OR m.character IS NULL OR m.character = %(character)s)
    AND (%(until)s::bigint IS NULL OR m.position IS NULL OR m.position <= %(until)s)
    AND CASE WHEN %(as_of)s::bigint IS NULL THEN m.retired IS NULL
             ELSE m.born <= %(as_of)s AND (m.retired IS NULL OR m.retired > %(as_of)s) END
    AND m.root <> ALL (%(hidden)s::bigint[])"""
"""What a segment sees of ``memory m``; its values come from `values_of`. `sees` says the same of a row."""


@lru_cache(maxsize=64)
def values_of(segment: Segment) -> dict[str, Any]:
    """Values of `SEEN`; not to be changed, since one who asks row by row gets the same ones again."""
    return {
        "space": segment.space,
        "character": optional_bytes(segment.character),
        "everyone": segment.everyone,
        "until": segment.until,
        "as_of": segment.as_of,
        "hidden": sorted(segment.hidden),
    }


def sees(segment: Segment, row: StoredMemory) -> bool:
    """Whether a segment sees a row, as `SEEN`."""
    at, position = segment.as_of, row.position
    return (
        row.space == segment.space
        and (segment.everyone or row.scope.character in (None, segment.character))
        and (segment.until is None or position is None or position <= segment.until)
        and (
            row.retired is None
            if at is None
            else row.born <= at and (row.retired is None or row.retired > at)
        )
        and row.root not in segment.hidden
    )


def to_bytes(text: str) -> bytes:
    """Returns a text as the tables hold it."""
    return text.encode("utf-8", "surrogatepass")


def optional_bytes(text: str | None) -> bytes | None:
    """`to_bytes`, or None."""
    return None if text is None else to_bytes(text)


@lru_cache(maxsize=4096)
def owner_of(user: str) -> str:
    """Returns whose rows those of a user are, a UUID of the first 128 bits of a SHA-256."""
    return sha256(to_bytes(user)).hexdigest()[:32]


def to_array(terms: TermIds) -> str:
    """Returns terms as the text of an array of integers."""
    return to_ids(terms.astype("<u4").view("<i4").tolist())


def to_ids(row_ids: Iterable[int]) -> str:
    """Returns row ids as the text of an array: the driver would look at each for the type they all fit."""
    return "{" + ",".join(map(str, row_ids)) + "}"


class HalfVector(bytes):
    """A vector as pgvector's halfvec is sent."""


class PackedDumper(Dumper):
    """Sends such a vector as it is; the number of the type is the database's."""

    format = Format.BINARY

    def dump(self, obj: HalfVector) -> bytes:
        """Returns it."""
        return obj


class TermsLoader(Loader):
    """Reads an array of integers as terms, without a Python number for each.

    The format is that of array_send in PostgreSQL's src/backend/utils/adt/arrayfuncs.c: dimensions, flags,
    type, length and lower bound, 4 bytes each, then length and value of every item.
    """

    format = Format.BINARY

    def load(self, data: Buffer) -> TermIds:
        """Returns uint32 (terms,)."""
        items = np.frombuffer(bytes(data)[20:], ">i4")
        return items[1::2].astype("<i4").view("<u4")
