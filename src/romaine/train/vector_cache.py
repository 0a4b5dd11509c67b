"""Teachers' vectors on disk, text by text: what was computed once serves every later run and recipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.train.teacher import ModelTeacher, Side, Teacher

_CHUNK = 4096  # texts between two writes to the disk; also the window in which texts are sorted by length
_KEY = 16  # bytes of a text's hash

Advance = Callable[[int], None]
"""Called with the number of texts just finished."""


@dataclass(frozen=True, eq=False)
class CachedVectors:
    """Unit vectors float32 (m, dim), mapped from the disk, and the row of each of n texts, int64 (n,)."""

    vectors: FloatArray
    rows: NDArray[np.int64]


def cached_vectors(
    teacher: Teacher,
    texts: Sequence[str],
    side: Side,
    *,
    cache: Path,
    advance: Advance = lambda _: None,
) -> CachedVectors:
    """Has a teacher encode texts, as far as they are not in the cache.

    A run that is stopped continues after its last finished chunk. A teacher's arithmetic depends in its last
    bit on what else is in a batch; runs are the same bit for bit from the same cache, or from an empty one.

    Raises:
        OptionError: If the cache cannot be written.
    """
    try:
        store = _Store(cache, teacher, side)
        keys = [_key(text) for text in texts]
        # each once: a text that is there twice would put all rows after it in the wrong place
        first = {key: place for place, key in reversed([*enumerate(keys)]) if key not in store.rows}
        missing = sorted(first.values())
        advance(len(texts) - len(missing))
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            store.add([keys[i] for i in chunk], teacher.encode([texts[i] for i in chunk], side))
            advance(len(chunk))
        rows = np.fromiter((store.rows[key] for key in keys), dtype=np.int64, count=len(keys))
        return CachedVectors(store.vectors(), rows)
    except OSError as error:
        raise OptionError(f"the cache {cache} cannot be used: {error}; choose another --cache") from error


def encoded(teacher: Teacher, texts: Sequence[str], *, side: Side, cache: Path) -> FloatArray:
    """The vectors of texts as one array, float32 (n, dim); see `cached_vectors`."""
    found = cached_vectors(teacher, texts, side, cache=cache)
    return np.asarray(found.vectors[found.rows])


class _Store:
    """One teacher's vectors: a file of vectors, and one of their texts' hashes, which is written last."""

    def __init__(self, folder: Path, teacher: Teacher, side: Side) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        what = f"{teacher.fingerprint} {side.value if teacher.sided else ''}"
        stem = f"teacher-{blake2b(what.encode(), digest_size=8).hexdigest()}"
        self._keys, self._vectors = folder / f"{stem}.keys", folder / f"{stem}.f32"
        self._dim = teacher.dim
        self._width = 4 * teacher.dim
        for path in (self._keys, self._vectors):
            path.touch()
        count = min(self._keys.stat().st_size // _KEY, self._vectors.stat().st_size // self._width)
        # what a killed run wrote halfway goes
        os.truncate(self._keys, count * _KEY)
        os.truncate(self._vectors, count * self._width)
        known = self._keys.read_bytes()
        self.rows = {known[_KEY * row : _KEY * (row + 1)]: row for row in range(count)}

    def add(self, keys: Sequence[bytes], vectors: FloatArray) -> None:
        for path, content in ((self._vectors, vectors.tobytes()), (self._keys, b"".join(keys))):
            with path.open("ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        begin = len(self.rows)
        self.rows |= {key: begin + place for place, key in enumerate(keys)}

    def vectors(self) -> FloatArray:
        if not self.rows:
            return np.empty((0, self._dim), dtype=np.float32)
        shape = (self._vectors.stat().st_size // self._width, self._dim)
        return np.memmap(self._vectors, dtype=np.float32, mode="r", shape=shape)


def token_vectors(teacher: ModelTeacher, *, cache: Path) -> FloatArray:
    """Each token's vector alone, float32 (vocab, dim), from the cache if it is there.

    Raises:
        OptionError: If the cache cannot be written.
    """
    path = cache / f"tokens-{teacher.fingerprint[:24]}.npy"
    try:
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial.npy")
            np.save(partial, teacher.token_vectors())
            partial.replace(path)
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, EOFError, ValueError) as error:
        raise OptionError(
            f"the cache {cache} cannot be used: {error}; delete it, or choose another --cache"
        ) from error


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()
