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
    """The sha256 of a file as 64 hex digits; a ModelFormatError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ModelFormatError(f"{path} cannot be read ({error.strerror or error})") from None
    return digest.hexdigest()


def sha256_of_json(values: object) -> str:
    """The sha256 of JSON values as 64 hex digits, the same for any order of keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode("ascii")).hexdigest()


def short_sha256(text: str) -> str:
    """A text, which may be any str, as 32 hex digits that a file can be called by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def check_recorded(key: str, name: str, path: Path, actual: str, *, repair: str) -> None:
    """Compares a file's hash with the one recorded at first use, or records it.

    The record is by `key`, the model's hub id and commit or absolute folder, and `name`, the file's path
    inside it. `repair` says in one sentence what to do about a difference.

    Raises:
        IntegrityError: If they differ.
    """
    record = _record_path(key, name)
    try:
        recorded = json.loads(record.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        recorded = None
    if not isinstance(recorded, str):  # none yet, or damaged, which counts as a first use
        write_if_possible(
            record, {"model": key, "file": name, "sha256": actual}, "file hashes are not recorded"
        )
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
        count = len(list(folder.glob("*.json")))
    except OSError:
        return 0
    shutil.rmtree(folder, ignore_errors=True)
    return count


def _record_path(key: str, name: str) -> Path:
    return cache_folder() / "integrity" / short_sha256(key) / f"{short_sha256(name)}.json"


def write_if_possible(path: Path, values: object, otherwise: str, *, mode: int = 0o600) -> bool:
    """Writes JSON by an atomic rename, its folder made if need be.

    Args:
        path: The file.
        values: What it is to hold.
        otherwise: What is so if it cannot be written, for the log.
        mode: Its permissions.

    Returns:
        Whether it was written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, mode=mode) as file:
            file.write((json.dumps(values, indent=2) + "\n").encode())
    except OSError as error:
        _LOG.info("%s: %s cannot be written (%s)", otherwise, path.parent, error.strerror)
        return False
    return True


@contextmanager
def whole_file(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` when all of it is written, and on the disk.

    If anything is raised inside, `path` stays as it is and nothing is left behind.

    Raises:
        OSError: If it cannot be written.
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
