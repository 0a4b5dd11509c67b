"""Telling what is left of a damaged row, whatever the engine that kept it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from romaine.errors import StorageCorruptError
from romaine.memory.codec import decode_text, token_checksum, vector_checksum
from romaine.memory.records import Memory
from romaine.memory.rows import SPEAKER, TEXT, decoded, row_checksum
from romaine.memory.stored import Damage, StoredMemory
from romaine.memory.terms import TermIds


def damage_of(
    values: list[Any],
    sealed: int,
    vectors: tuple[Any, Any, bytes | None, int | None, int | None],
    tokens: tuple[Any, int | None],
    vector_size: int,
    terms_of: Callable[[Memory], TermIds],
) -> Damage | None:
    """Returns what is wrong with a row, or None if nothing is.

    Args:
        values: Of `STORED`, then its user and chat; no UTF-8 stands as lone surrogates or as bytes.
        sealed: Its checksum, terms included.
        vectors: Vector, context, terms, checksum and the root of the turn before; no terms are None.
        tokens: Vectors of its tokens and their checksum, or None where none are kept.
        vector_size: Bytes of a vector.
        terms_of: What the terms of a memory should be.
    """
    vector, context, terms, checksum, previous = vectors
    is_content = not isinstance(terms, bytes) or row_checksum(values, terms) != sealed
    if is_content and isinstance(terms, bytes):
        is_content = not _only_terms_differ(values, sealed, terms_of)
        terms = None
    are_vectors = (
        isinstance(vector, bytes)
        and isinstance(context, bytes)
        and len(vector) == len(context) == vector_size
        and checksum is not None
        and vector_checksum(vector, context, previous) == checksum
        and _are_tokens(tokens, checksum)
    )
    if not is_content and terms is not None and are_vectors:
        return None
    row = _readable(values, is_content)
    return Damage(values[0], f"row {values[0]}" if row is None else row.memory.id, row)


def _are_tokens(tokens: tuple[Any, int | None], checksum: int) -> bool:
    packed, sealed = tokens
    return packed is None or (isinstance(packed, bytes) and token_checksum(packed, checksum) == sealed)


def _only_terms_differ(values: list[Any], sealed: int, terms_of: Callable[[Memory], TermIds]) -> bool:
    try:
        terms = terms_of(decoded(values).memory).astype("<u4").tobytes()
    except StorageCorruptError:
        return False
    return row_checksum(values, terms) == sealed


def _readable(values: Sequence[Any], is_content: bool) -> StoredMemory | None:
    """A row with replacement characters where bytes of its words are lost; None if it is none any more."""
    mended = list(values)
    if is_content:
        for place in (TEXT, SPEAKER):
            if isinstance(values[place], (str, bytes)):
                mended[place] = _without_escapes(values[place]).encode("utf-8", "surrogatepass")
    try:
        return decoded(mended)
    except StorageCorruptError:
        return None


def _without_escapes(text: str | bytes) -> str:
    """Text with U+FFFD for bytes that are no UTF-8."""
    try:
        words = decode_text(text)
    except StorageCorruptError:
        assert isinstance(text, bytes)
        words = text.decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if "\udc80" <= c <= "\udcff" else c for c in words)
