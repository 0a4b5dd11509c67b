"""The columns of a stored memory in an engine that keeps rows, and the records they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from romaine.arrays import FloatArray
from romaine.errors import RomaineError, StorageCorruptError
from romaine.memory.codec import (
    content_checksum,
    decode_id,
    decode_json,
    decode_names,
    decode_optional,
    decode_text,
    decode_time,
    encode_id,
    encode_time,
    to_json_text,
    token_checksum,
    vector_checksum,
)
from romaine.memory.contents import PackedRow
from romaine.memory.records import Category, Kind, Memory, Role, Scope
from romaine.memory.stored import IndexRows, Segment, StoredMemory, Wanted
from romaine.memory.terms import TermIds

Values: TypeAlias = "Sequence[Any]"
"""The values of `STORED`, the user and the chat."""

Text: TypeAlias = "str | bytes"
"""A text as an engine holds it: its own kind of text, or bytes."""

Name = TypeVar("Name")

_NONE = type(None)
_WORDS, _COUNT = (str, bytes), (int,)
_MAY_WORDS, _MAY_COUNT, _MAY_NAME = (*_WORDS, _NONE), (int, _NONE), (str, _NONE)
_TYPES = {
    "no": _COUNT,
    "id": (bytes,),
    "root": _COUNT,
    "space": _COUNT,
    "character": _MAY_WORDS,
    "kind": (str,),
    "text": _WORDS,
    "speaker": _MAY_WORDS,
    "role": _MAY_NAME,
    "position": _MAY_COUNT,
    "created_at": _COUNT,
    "source_id": _MAY_WORDS,
    "parent_id": _MAY_WORDS,
    "known_by": _MAY_WORDS,
    "category": _MAY_NAME,
    "importance": (float,),
    "pinned": _COUNT,
    "cold": _COUNT,
    "access_count": _COUNT,
    "last_used_at": _MAY_COUNT,
    "valid_from": _MAY_COUNT,
    "valid_to": _MAY_COUNT,
    "token_count": _COUNT,
    "metadata": _MAY_WORDS,
    "born": _COUNT,
    "retired": _MAY_COUNT,
}
"""What a column may hold; anything else is damage."""

STORED = tuple(_TYPES)
"""Columns of the table `memory`, in order, but for what an engine adds to keep its books."""

TEXT, SPEAKER = STORED.index("text"), STORED.index("speaker")
_ALLOWED = (*_TYPES.values(), _WORDS, _MAY_WORDS)

KINDS = {kind.value: kind for kind in Kind}
CATEGORIES: dict[str | None, Category | None] = {None: None, **{one.value: one for one in Category}}
_ROLES: dict[str | None, Role | None] = {None: None, **{role.value: role for role in Role}}


def decoded(values: Values) -> StoredMemory:
    """Returns what a row stands for.

    Raises:
        StorageCorruptError: If it is damaged.
    """
    try:
        if not _are_allowed(tuple(map(type, values))):
            raise ValueError("a column holds what it cannot")
        row_id, id_, root, space, character, kind, text, speaker, role, position, created = values[:11]
        source, parent, known_by, category, importance, pinned, cold, access_count, last_used = values[11:20]
        valid_from, valid_to, token_count, metadata, born, retired, user, chat = values[20:]
        memory = Memory.as_checked(
            id=decode_id(id_),
            scope=_scope(user, character, chat),
            kind=KINDS[kind],
            text=decode_text(text),
            speaker=decode_optional(speaker),
            role=_ROLES[role],
            position=position,
            created_at=decode_time(created),
            source_id=decode_optional(source),
            parent_id=decode_optional(parent),
            known_by=names(known_by),
            category=CATEGORIES[category],
            importance=importance,
            pinned=bool(pinned),
            cold=bool(cold),
            access_count=access_count,
            last_used_at=None if last_used is None else decode_time(last_used),
            superseded_by=None,
            valid_from=valid_from,
            valid_to=valid_to,
            token_count=token_count,
            metadata=decode_json(metadata) if metadata else {},
        )
    except (RomaineError, LookupError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise StorageCorruptError(
            f"row {values[0]} of the memory file is damaged ({error}); verify() lists what is, a backup has"
            " it whole"
        ) from None
    return StoredMemory(row_id, root, space, born, retired, memory)


def encoded(row: StoredMemory, encode: Callable[[str], Text]) -> tuple[Any, ...]:
    """Returns the values of `STORED` that stand for a row, its texts as an engine encodes them."""
    memory = row.memory

    def optional(text: str | None) -> Text | None:
        return None if text is None else encode(text)

    return (
        row.row_id,
        encode_id(memory.id),
        row.root,
        row.space,
        optional(memory.scope.character),
        memory.kind.value,
        encode(memory.text),
        optional(memory.speaker),
        None if memory.role is None else memory.role.value,
        memory.position,
        encode_time(memory.created_at),
        optional(memory.source_id),
        optional(memory.parent_id),
        encode(to_json_text(sorted(memory.known_by))) if memory.known_by else None,
        None if memory.category is None else memory.category.value,
        float(memory.importance),
        int(memory.pinned),
        int(memory.cold),
        memory.access_count,
        None if memory.last_used_at is None else encode_time(memory.last_used_at),
        memory.valid_from,
        memory.valid_to,
        memory.token_count,
        encode(to_json_text(memory.metadata)) if memory.metadata else None,
        row.born,
        row.retired,
    )


def row_checksum(values: Values, terms: bytes) -> int:
    """CRC-32 over all columns of `STORED`, and the terms made of the text."""
    return content_checksum(values[: len(STORED)], terms)


def packed_row(
    values: Values,
    seal: int,
    vector: bytes | None,
    context: bytes | None,
    terms: TermIds | None,
    checksum: int | None,
    previous: int | None,
    tokens: bytes | None = None,
    token_seal: int | None = None,
) -> PackedRow:
    """Returns a row with its vectors, by their checksums.

    Raises:
        StorageCorruptError: If it is not what was stored.
    """
    if (
        vector is None
        or context is None
        or terms is None
        or row_checksum(values, terms.astype("<u4").tobytes()) != seal
        or vector_checksum(vector, context, previous) != checksum
        or (tokens is not None and token_checksum(tokens, checksum) != token_seal)
    ):
        raise StorageCorruptError(
            f"row {values[0]} of the memory is not what was stored; `romaine memory check --repair` mends"
            " what can be, a backup has it whole"
        )
    return PackedRow(decoded(values), vector, context, previous, terms, tokens)


def sound_tokens(rows: Iterable[tuple[int, bytes, int, int]]) -> dict[int, bytes]:
    """Packed vectors of tokens by row, of rows, tokens, their checksums and those of the rows' vectors."""
    return {
        no: tokens
        for no, tokens, seal, vectors in rows
        if isinstance(tokens, bytes) and token_checksum(tokens, vectors) == seal
    }


@lru_cache(maxsize=4096)
def names(value: Text | None) -> frozenset[str]:
    """`decode_names`; most rows of a chat have the same."""
    return decode_names(value)


@lru_cache(maxsize=1024)
def _scope(user: Text, character: Text | None, chat: Text | None) -> Scope:
    return Scope(user=decode_text(user), character=decode_optional(character), chat=decode_optional(chat))


@lru_cache(maxsize=1024)
def _are_allowed(types: tuple[type, ...]) -> bool:
    return all(found in allowed for found, allowed in zip(types, _ALLOWED, strict=True))


# --- for an index of what is seen --------------------------------------------------------------------------

LOADED = """m.no, m.kind, m.category, m.speaker, m.known_by, m.importance, m.pinned, m.cold, m.position,
        m.created_at, m.valid_from, m.valid_to, v.terms, v.vector, v.context, v.checksum, v.previous"""
"""What an index needs of a row, of `memory m` and `vector v`."""

BLANK: tuple[Sequence[Any], ...] = ((),) * (LOADED.count(",") + 1)
"""The columns of no rows."""


def witnessed(segment: Segment, known_by: Text | None) -> bool:
    """Whether a segment's character is among those who know."""
    return known_by is None or segment.character is None or segment.character in names(known_by)


def described(
    rows: Sequence[Values], terms: Sequence[TermIds], vectors: FloatArray, contexts: FloatArray
) -> IndexRows:
    """Rows of as many columns of `LOADED` as come before the terms, with these and vectors (n, dim)."""
    return columns_described(list(zip(*rows, strict=True)) or BLANK, terms, vectors, contexts, ())


def columns_described(
    columns: Sequence[Sequence[Any]],
    terms: Sequence[TermIds],
    vectors: FloatArray,
    contexts: FloatArray,
    damaged: Sequence[int],
) -> IndexRows:
    """As `described`, of columns, beside rows that are damaged."""
    return IndexRows(
        row_ids=columns[0],
        kinds=[KINDS[kind] for kind in columns[1]],
        categories=[CATEGORIES[category] for category in columns[2]],
        speakers=_each(decode_optional, columns[3]),
        known_by=_each(names, columns[4]),
        importance=columns[5],
        pinned=columns[6],
        cold=columns[7],
        positions=columns[8],
        created=columns[9],
        valid_from=columns[10],
        valid_to=columns[11],
        terms=terms,
        vectors=vectors,
        contexts=contexts,
        damaged=damaged,
    )


def _each(decode: Callable[[Text | None], Name], column: Sequence[Text | None]) -> list[Name]:
    """A column, each of its few values decoded once."""
    known = {value: decode(value) for value in set(column)}
    return [known[value] for value in column]


# --- what is asked for -------------------------------------------------------------------------------------


def asked_values(wanted: Wanted, encode: Callable[[str], Text]) -> dict[str, Any]:
    """What is given, by the names of an engine's conditions; row ids in order.

    Args:
        wanted: What is asked for.
        encode: Makes of a text what the engine holds for it.
    """
    values: dict[str, Any] = {}
    if wanted.row_ids is not None:
        values["row_ids"] = sorted(wanted.row_ids)
    if wanted.root is not None:
        values["root"] = wanted.root
    if wanted.id is not None:
        values["id"] = encode_id(wanted.id)
    if wanted.source_id is not None:
        values["source_id"] = encode(wanted.source_id)
    if wanted.source_prefix is not None:
        values["source_prefix"] = wanted.source_prefix.encode("utf-8", "surrogatepass")
    if wanted.parent_id is not None:
        values["parent_id"] = encode(wanted.parent_id)
    if wanted.placed is not None:
        values["placed" if wanted.placed else "unplaced"] = True
    if wanted.before is not None:
        values["before"], values["before_row"] = wanted.before
    if wanted.after is not None:
        values["after"] = wanted.after
    return values
