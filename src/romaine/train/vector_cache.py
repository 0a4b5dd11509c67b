"""Teachers' vectors on disk: computed once, continued where a stopped run left off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.train.teacher import ModelTeacher, Side, Teacher, fingerprint_of

_CHUNK = 4096  # texts between two writes to the cache; also the window in which texts are sorted by length

Advance = Callable[[int], None]
"""Called with the number of texts just finished."""


def teach(
    teacher: Teacher,
    texts: Sequence[str],
    side: Side,
    *,
    cache: Path | None = None,
    advance: Advance = lambda _: None,
) -> FloatArray:
    """The teacher's vectors of all texts, from the cache as far as they are there.

    A run that is stopped continues after its last finished chunk. With a cache, what is returned is mapped
    from the file and read as it is used.

    Args:
        teacher: Who encodes.
        texts: What.
        side: As queries or as documents.
        cache: Folder for the vectors; None keeps them in memory alone.
        advance: Called as texts are finished.

    Returns:
        float32 (n, dim), unit length.

    Raises:
        OptionError: If the cache cannot be written.
    """
    if cache is None or not texts:
        vectors = np.empty((len(texts), teacher.dim), dtype=np.float32)
        for start in range(0, len(texts), _CHUNK):
            chunk = texts[start : start + _CHUNK]
            vectors[start : start + len(chunk)] = teacher.encode(chunk, side)
            advance(len(chunk))
        return vectors
    try:
        return _cached(teacher, texts, side, cache, advance)
    except OSError as error:
        raise OptionError(f"the cache {cache} cannot be used: {error}; choose another --cache") from error


def _cached(teacher: Teacher, texts: Sequence[str], side: Side, cache: Path, advance: Advance) -> FloatArray:
    cache.mkdir(parents=True, exist_ok=True)
    name = f"teacher-{fingerprint_of(teacher, texts, side)}"
    finished, partial, progress = (cache / f"{name}{end}" for end in (".npy", ".partial.npy", ".progress"))
    if finished.exists():
        advance(len(texts))
        return np.asarray(np.load(finished, mmap_mode="r", allow_pickle=False))
    done = int(progress.read_text() or 0) if progress.exists() and partial.exists() else 0
    vectors = np.lib.format.open_memmap(
        partial,
        mode="r+" if done else "w+",
        dtype=np.float32,
        shape=None if done else (len(texts), teacher.dim),
    )
    advance(done)
    for start in range(done, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        vectors[start : start + len(chunk)] = teacher.encode(chunk, side)
        vectors.flush()
        progress.write_text(str(start + len(chunk)))
        advance(len(chunk))
    del vectors
    partial.replace(finished)
    progress.unlink(missing_ok=True)
    return np.asarray(np.load(finished, mmap_mode="r", allow_pickle=False))


def token_vectors(teacher: ModelTeacher, *, cache: Path | None = None) -> FloatArray:
    """Each token's vector alone, float32 (vocab, dim), from the cache if it is there.

    Raises:
        OptionError: If the cache cannot be written.
    """
    if cache is None:
        return teacher.token_vectors()
    path = cache / f"tokens-{teacher.fingerprint[:24]}.npy"
    try:
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial.npy")
            np.save(partial, teacher.token_vectors())
            partial.replace(path)
        return np.asarray(np.load(path, allow_pickle=False))
    except OSError as error:
        raise OptionError(f"the cache {cache} cannot be used: {error}; choose another --cache") from error
