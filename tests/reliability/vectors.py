"""Compares what a file stores of each memory with what embedding it all again would store."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np

from romaine.embedder import Embedder
from romaine.memory import reembed
from romaine.memory.codec import VectorFormat, decode_optional, decode_text
from romaine.memory.language import DEFAULT
from romaine.memory.terms import document_text, term_ids

_ROWS = """SELECT m.no, m.text, m.speaker, v.vector, v.context, v.terms
    FROM memory m LEFT JOIN vector v ON v.no = m.no"""


def stale_vectors(path: Path, embedder: Embedder, folder: Path) -> list[str]:
    """Returns what is wrong with the vectors and terms of a closed file, a line for each memory.

    Args:
        path: The file; a copy of it is embedded again.
        embedder: Whose vectors it holds, as float32.
        folder: Where the copy may stand.
    """
    copy = folder / "embedded again.db"
    shutil.copyfile(path, copy)
    reembed(copy, embedder)
    stored, fresh = _read(path), _read(copy)
    copy.unlink()
    wrong = []
    for no, (text, speaker, vector, context, terms) in stored.items():
        if no not in fresh or vector is None:
            wrong.append(f"{text!r} has no vector")
            continue
        _, _, fresh_vector, fresh_context, _ = fresh[no]
        if not _same(vector, fresh_vector, embedder.full_dim):
            wrong.append(f"{text!r} has the vector of another text")
        if not _same(context, fresh_context, embedder.full_dim):
            wrong.append(f"{text!r} has the context of another turn before it")
        if terms != term_ids(document_text(text, speaker), DEFAULT).astype("<u4").tobytes():
            wrong.append(f"{text!r} has the terms of another text")
    return wrong


def stored_texts(path: Path) -> set[str]:
    """Returns the texts of all memories in a closed file, seen or not."""
    return {text for text, *_ in _read(path).values()}


def _read(path: Path) -> dict[int, tuple[str, str | None, bytes, bytes, bytes]]:
    connection = sqlite3.connect(path)
    try:
        return {
            no: (decode_text(text), decode_optional(speaker), vector, context, terms)
            for no, text, speaker, vector, context, terms in connection.execute(_ROWS)
        }
    finally:
        connection.close()


def _same(one: bytes, other: bytes, dim: int) -> bool:
    if len(one) != len(other):
        return False
    pair = VectorFormat.FLOAT32.unpack([one, other], dim)
    return bool(np.abs(pair[0] - pair[1]).max() <= 1e-6)
