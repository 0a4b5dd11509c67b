"""How values stand in a file, whatever the engine: times, JSON, vectors. Both directions, without I/O."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

from romaine.arrays import FloatArray, l2_normalize
from romaine.choice import Choice
from romaine.errors import StorageCorruptError

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_HALFVEC_HEAD = 4
_CANONICAL = json.JSONEncoder(default=bytes.hex)


def encode_time(moment: datetime) -> int:
    """Returns microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def decode_time(microseconds: int) -> datetime:
    """Undoes `encode_time`."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_json_text(value: Any) -> str:
    """Returns what JSON can hold as one text.

    Lone surrogates stand as they are: of escapes, a reader would make one character of two that stand side by
    side.
    """
    text = json.dumps(value)
    return json.dumps(value, ensure_ascii=False) if "\\ud" in text else text


def decode_text(value: str | bytes) -> str:
    """Returns a text that an engine holds, as bytes where it is not its own kind of text.

    Raises:
        StorageCorruptError: If it is no text.
    """
    if isinstance(value, str):
        return value
    try:
        return value.decode("utf-8", "surrogatepass")
    except (UnicodeDecodeError, AttributeError):
        raise StorageCorruptError("the memory file holds a text that is none; verify() says where") from None


def decode_optional(value: str | bytes | None) -> str | None:
    """`decode_text`, or None."""
    return None if value is None else decode_text(value)


def encode_id(identifier: str) -> bytes:
    """Returns a UUID's 16 bytes, which sort as its text does."""
    return bytes.fromhex(identifier.replace("-", ""))


def decode_id(value: bytes) -> str:
    """Undoes `encode_id`."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def decode_json(value: str | bytes) -> Any:
    """Undoes `encode_json`.

    Raises:
        StorageCorruptError: If it is no JSON.
    """
    try:
        return json.loads(decode_text(value))
    except (ValueError, RecursionError):
        raise StorageCorruptError("the memory file holds JSON that is none; verify() says where") from None


def decode_names(value: str | bytes | None) -> frozenset[str]:
    """Returns names that an engine holds as JSON.

    Raises:
        StorageCorruptError: If it is no list of names.
    """
    names = decode_json(value) if value else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StorageCorruptError("the memory file holds names that are none; verify() says where")
    return frozenset(names)


def vector_checksum(vector: bytes, context: bytes, previous: int | None) -> int:
    """CRC-32 over both vectors of a memory, and the root of the turn before it."""
    return vector_checksums([vector], [context], [previous])[0]


def vector_checksums(
    vectors: Iterable[bytes], contexts: Iterable[bytes], previous: Iterable[int | None]
) -> list[int]:
    """`vector_checksum` of each memory; a scope is loaded with a thousand of them."""
    crc = zlib.crc32
    return [
        crc(b"" if before is None else str(before).encode(), crc(context, crc(vector)))
        for vector, context, before in zip(vectors, contexts, previous, strict=True)
    ]


def token_checksum(tokens: bytes, vectors: int) -> int:
    """CRC-32 over the vectors of a memory's tokens, and the checksum of the vectors that they belong to."""
    return zlib.crc32(tokens, vectors)


def content_checksum(values: Sequence[Any], terms: bytes = b"") -> int:
    """CRC-32 over the values of a row as an engine holds them, and the terms that belong to it."""
    return zlib.crc32(terms, zlib.crc32(_CANONICAL.encode(values).encode()))


class VectorFormat(Choice):
    """How vectors are kept, little-endian but for HALFVEC.

    FLOAT32 keeps them exactly. FLOAT16 halves them and moves a cosine by less than 0.001. INT8 quarters them:
    each is scaled so that its largest component becomes 127, which moves a cosine by about 0.005. HALFVEC is
    FLOAT16 as pgvector has it, for a database that is to search among them itself.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    HALFVEC = "halfvec"

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy type of one component."""
        return np.dtype({"float32": "<f4", "float16": "<f2", "int8": "i1", "halfvec": ">f2"}[self.value])

    def size(self, dim: int) -> int:
        """Bytes of a blob of `dim` components."""
        return dim * self.dtype.itemsize + (_HALFVEC_HEAD if self is VectorFormat.HALFVEC else 0)

    def pack(self, vectors: FloatArray) -> list[bytes]:
        """Turns unit vectors into blobs.

        Args:
            vectors: float32 (n, full_dim).

        Returns:
            n blobs of full_dim components.
        """
        if self is VectorFormat.INT8:
            peak = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
            vectors = np.rint(vectors * (127 / np.where(peak > 0, peak, 1)))
        packed = np.ascontiguousarray(vectors.astype(self.dtype))
        view, width = packed.tobytes(), packed.shape[1] * self.dtype.itemsize
        head = b"" if self is not VectorFormat.HALFVEC else _halfvec_head(packed.shape[1])
        return [head + view[start : start + width] for start in range(0, len(view), width)]

    @property
    def portable(self) -> VectorFormat:
        """The one in which every storage can hold the same numbers."""
        return VectorFormat.FLOAT16 if self is VectorFormat.HALFVEC else self

    def to_portable(self, blob: bytes) -> bytes:
        """Turns a blob into that format."""
        if self is not VectorFormat.HALFVEC:
            return blob
        return np.frombuffer(blob[_HALFVEC_HEAD:], ">f2").astype("<f2").tobytes()

    def from_portable(self, blob: bytes) -> bytes:
        """Undoes `to_portable`."""
        if self is not VectorFormat.HALFVEC:
            return blob
        return (
            (len(blob) // 2).to_bytes(2, "big") + b"\0\0" + np.frombuffer(blob, "<f2").astype(">f2").tobytes()
        )

    def unpack(self, blobs: Sequence[bytes], dim: int) -> FloatArray:
        """Turns blobs into unit vectors.

        Args:
            blobs: n blobs of `dim` components.
            dim: full_dim.

        Returns:
            float32 (n, dim).

        Raises:
            StorageCorruptError: If a blob has another length.
        """
        if not {self.size(dim)}.issuperset(map(len, blobs)):
            raise StorageCorruptError(
                f"a stored vector does not have the {self.size(dim)} bytes of {dim} {self.value} components"
            )
        width = self.size(dim) // self.dtype.itemsize
        raw = np.frombuffer(b"".join(blobs), dtype=self.dtype).reshape(len(blobs), width)[:, -dim:]
        if self is VectorFormat.FLOAT32:
            return raw.astype(np.float32, copy=False)
        return l2_normalize(raw)


def _halfvec_head(dim: int) -> bytes:
    """Of halfvec_send in pgvector's src/halfvec.c: the number of components, and two bytes for later."""
    return dim.to_bytes(2, "big") + b"\0\0"
