"""The sha256 of a model's files: recorded when a file is first used, checked whenever it is used again.

Where a card states hashes (the bundled model, any folder with a `romaine.json` that does), those count.
Otherwise each file has a record of its own, `<cache>/integrity/<model>/<file>.json`, written by an atomic
rename, so that any number of processes may use the cache at once. `<cache>` is the environment variable
ROMAINE_CACHE or the platform's cache folder, made when first needed. Where it cannot be written (a read-only
home), models still open and nothing is recorded.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from romaine.errors import IntegrityError, ModelFormatError

_LOG = logging.getLogger(__name__)
_CHUNK = 1 << 20


def cache_folder() -> Path:
    """Where romaine keeps what can be made again. Not created by this call."""
    chosen = os.environ.get("ROMAINE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - unlike Path.home() it does not raise without a home
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "romaine" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "romaine"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "romaine"


def sha256_of(path: Path) -> str:
    """The sha256 of a file as 64 hex digits.

    Raises:
        ModelFormatError: If it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ModelFormatError(f"{path} cannot be read ({error.strerror or error})") from None
    return digest.hexdigest()


def check_stated(path: Path, actual: str, stated: str, *, repair: str) -> None:
    """Compares a hash with the one its card states.

    Raises:
        IntegrityError: If they differ.
    """
    if actual != stated:
        raise IntegrityError(f"{path} has sha256 {actual[:12]}..., its card says {stated[:12]}.... {repair}")


def check_recorded(key: str, name: str, path: Path, actual: str, *, repair: str) -> None:
    """Compares a hash with the one recorded at first use, or records it.

    Args:
        key: The model: hub id and commit, or absolute folder.
        name: Path of the file inside the model.
        path: The file.
        actual: Its sha256.
        repair: One sentence on what to do about a difference.

    Raises:
        IntegrityError: If they differ.
    """
    record = _record_path(key, name)
    recorded = _read(record)
    if recorded is None:
        _write(record, {"model": key, "file": name, "sha256": actual})
    elif recorded != actual:
        raise IntegrityError(
            f"{path} has changed since it was first used: sha256 {actual[:12]}..., recorded"
            f" {recorded[:12]}.... {repair}"
        )


def forget(key: str) -> int:
    """Drops what was recorded of a model, so that its files as they are now count as the first.

    Returns:
        How many files were forgotten.
    """
    folder = _record_path(key, "").parent
    try:
        count = sum(1 for _ in folder.glob("*.json"))
    except OSError:
        return 0
    shutil.rmtree(folder, ignore_errors=True)
    return count


def _record_path(key: str, name: str) -> Path:
    model, file = (
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32] for text in (key, name)
    )
    return cache_folder() / "integrity" / model / f"{file}.json"


def _read(record: Path) -> str | None:
    """The recorded hash; None if there is none or the record is damaged, which counts as a first use."""
    try:
        value = json.loads(record.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _write(record: Path, values: dict[str, str]) -> None:
    try:
        write_whole(record, json.dumps(values))
    except OSError as error:
        _LOG.info("file hashes are not recorded: %s cannot be written (%s)", record.parent, error.strerror)


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Writes a file by an atomic rename, its folder made if need be, so that no reader sees half of it.

    Args:
        path: The file.
        text: What it is to hold, written as UTF-8.
        mode: Its permissions.

    Raises:
        OSError: If it cannot be written; nothing is left behind then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, mode=mode) as file:
        file.write(text.encode())


@contextmanager
def whole_file(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` when all of it is written, and on the disk.

    Args:
        path: The file; it stays as it is if anything is raised inside.
        mode: Its permissions.

    Raises:
        OSError: If it cannot be written; nothing is left behind then.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
