"""Whether a file is what its name says, found out without loading it: empty, cut off, or never downloaded."""

from __future__ import annotations

import json
from pathlib import Path

from romaine.errors import ModelFormatError

_LFS_START = b"version https://git-lfs"
_MAX_HEADER = 100_000_000  # the limit of the safetensors format


def check_sound(path: Path, *, repair: str) -> None:
    """Checks one file of a model.

    Args:
        path: The file.
        repair: One sentence that says how to get a whole one.

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
    """Compares the size with what the header promises (8 bytes of header length, JSON header, data)."""
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        if size < 8 or header_size > min(size - 8, _MAX_HEADER):
            raise ModelFormatError(f"{path} is cut off or no safetensors file ({size} bytes). {repair}")
        header_bytes = file.read(header_size)
    try:
        header = json.loads(header_bytes)
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise ModelFormatError(f"{path} has a damaged safetensors header. {repair}") from None
    expected = 8 + header_size + max(ends, default=0)
    if size != expected:
        state = "cut off" if size < expected else "longer than it should be"
        raise ModelFormatError(f"{path} is {state}: {size} bytes, and its header says {expected}. {repair}")
