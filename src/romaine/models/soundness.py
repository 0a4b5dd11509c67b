"""Whether a file is what its name says, found out without loading it: empty, cut off, or never downloaded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeGuard

from romaine.errors import ModelFormatError

_LFS_START = b"version https://git-lfs"
_MAX_HEADER = 100_000_000  # the limit of the safetensors format
_MAX_AXES = 64  # as many as an array of numpy has
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
"""Bits of an element by safetensors' name of its dtype. Of others only the offsets are checked."""


def check_sound(path: Path, *, repair: str) -> None:
    """Checks one file of a model; `repair` says in one sentence how to get a whole one.

    Raises:
        ModelFormatError: If it is missing, empty, a git-lfs pointer, cut off, or cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(_LFS_START))
    except OSError as error:
        raise ModelFormatError(f"{path} cannot be read ({error.strerror or error}). {repair}") from None
    if size == 0:
        raise ModelFormatError(f"{path} is empty: the download did not finish. {repair}")
    if start == _LFS_START:
        raise ModelFormatError(
            f"{path} is a git-lfs pointer, not the file itself: run 'git lfs pull' in its repository."
            f" {repair}"
        )
    if path.suffix == ".safetensors":
        _check_safetensors(path, size, repair)


def _check_safetensors(path: Path, size: int, repair: str) -> None:
    """Compares the size with what the header promises."""
    entries, begin = read_header(path, repair=repair)
    expected = begin + max((_end(path, *item, repair) for item in entries.items()), default=0)
    if size != expected:
        state = "cut off" if size < expected else "longer than it should be"
        raise ModelFormatError(f"{path} is {state}: {size} bytes, and its header says {expected}. {repair}")


def read_header(path: Path, *, repair: str) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where their bytes begin.

    The file is 8 bytes of header length, the header as JSON, the bytes.

    Returns:
        An entry by the name of each tensor as JSON gives it, unchecked; and the offset of the bytes.

    Raises:
        ModelFormatError: If the file is too short for its header, or that is no JSON object.
        OSError: If the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        if size < 8 or header_size > min(size - 8, _MAX_HEADER):
            raise ModelFormatError(f"{path} is cut off or no safetensors file ({size} bytes). {repair}")
        header_bytes = file.read(header_size)
    try:
        header = json.loads(header_bytes)
    except (ValueError, RecursionError, MemoryError):
        header = None
    if not isinstance(header, dict):
        raise ModelFormatError(f"{path} has a damaged safetensors header (no JSON object). {repair}")
    header.pop("__metadata__", None)
    return header, 8 + header_size


def _end(path: Path, name: str, entry: Any, repair: str) -> int:
    """Where a tensor's bytes end. They are as many as its shape needs, or memory is taken for nothing."""
    values = entry if isinstance(entry, dict) else {}
    offsets, shape, dtype = (values.get(key) for key in ("data_offsets", "shape", "dtype"))
    what = f"{path} has a damaged safetensors header: the tensor {name[:80]!r}"
    if not (_are_counts(offsets) and len(offsets) == 2 and _are_counts(shape) and isinstance(dtype, str)):
        raise ModelFormatError(
            f"{what} needs a dtype, and a shape and two data_offsets of whole numbers. {repair}"
        )
    begin, end = offsets
    if len(shape) > _MAX_AXES or begin > end:
        raise ModelFormatError(
            f"{what} has {len(shape)} axes ({_MAX_AXES} are allowed) and bytes {begin} to {end}. {repair}"
        )
    bits = _BITS.get(dtype)
    if bits is not None and (needed := math.prod(shape) * bits // 8) != end - begin:
        raise ModelFormatError(
            f"{what} has {end - begin} bytes in the file, and its shape needs {needed}. {repair}"
        )
    return end


def _are_counts(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(item) is int and 0 <= item < 2**63 for item in values)
