"""Every error this package raises, in one tree.

A message states the value that was given, what was allowed and the remedy. Each class also inherits the
built-in exception a caller would expect (`ValueError`, `TypeError`, ...), so code that knows nothing of
romaine still catches it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def one_line(error: BaseException) -> str:
    """What an error of others says, short enough to be quoted in one of ours."""
    said = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


class RomaineError(Exception):
    """Base of every error raised by this package."""


# --- what the caller asked for ---------------------------------------------------------------------------


class OptionError(RomaineError, ValueError):
    """An option has a value that is not allowed."""


class UnknownNameError(OptionError):
    """A name is not one of the allowed names.

    Args:
        what: What the name stands for, e.g. ``"backend"``.
        value: The name that was given.
        allowed: The names that are known.
        remedy: One more sentence, if there is something to do besides choosing an allowed name.
    """

    def __init__(self, what: str, value: object, allowed: Iterable[str], remedy: str = "") -> None:
        names = list(allowed)
        close = get_close_matches(str(value), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(
            f"unknown {what} {value!r}.{hint} Allowed: {', '.join(map(repr, names)) or 'none'}."
            + (f" {remedy}" if remedy else "")
        )


class MisnamedOptionError(OptionError, TypeError):
    """A function was called with an option that it does not have, or without one that it needs."""


class DimensionError(OptionError):
    """A dimension is impossible for these vectors, or the model was not trained for it."""


class RepeatedKeyError(OptionError):
    """An idempotency key was used before, for another request."""


# --- what was to be embedded -----------------------------------------------------------------------------


class TextTypeError(RomaineError, TypeError):
    """Something other than text was given where text is needed."""


class TextTooLongError(RomaineError, ValueError):
    """A text exceeds the model's window and ``truncate="error"`` was asked for."""


class VectorError(RomaineError, ValueError):
    """An array has the wrong shape or holds values that are not finite."""


# --- what was to be imported ------------------------------------------------------------------------------


class FormatError(RomaineError, ValueError):
    """A file to import is unreadable, damaged, too large or of no known format; nothing of it was taken."""


class InputFileError(RomaineError, ValueError):
    """A line or entry of an input file cannot be used; the message says which and why."""


# --- what runs it ----------------------------------------------------------------------------------------


class MissingExtraError(RomaineError, ImportError):
    """An optional dependency is not installed.

    Args:
        what: What needs it, e.g. ``"backend 'torch'"``.
        extra: The extra of this distribution that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs: pip install 'romaine[{extra}]'")
        self.extra = extra


class BackendError(RomaineError, RuntimeError):
    """A runtime refused to load or run a model; the message carries its own words."""


class WorkerError(RomaineError, RuntimeError):
    """A process or a cluster that was to embed ended before its work did; what was done is kept."""


class RankingError(RomaineError, RuntimeError):
    """A ranker or reranker failed or gave what cannot be used; the message says which and what."""


class PluginError(RomaineError, ImportError):
    """Something that another package brings cannot be loaded or fails; the message names the package."""


class ContractError(RomaineError):
    """An embedder breaks a promise that every backend makes (see `romaine.evaluate.contract`)."""


# --- the model and its files -----------------------------------------------------------------------------


class ModelError(RomaineError):
    """Base of what can be wrong with a model."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """No model is known under this name and no folder is there."""


class ModelFormatError(ModelError, ValueError):
    """Files are missing, damaged or do not belong together."""


class IntegrityError(ModelError, ValueError):
    """A file is not the one that was recorded at first use."""


class UnsafeModelError(ModelError, ValueError):
    """The model can only be loaded by running code that came with it (a pickle, remote code)."""


class RejectedModelError(ModelError, ValueError):
    """The model's published or measured quality is under the floor."""


class UnverifiedModelError(ModelError, ValueError):
    """The model has no PASS of `romaine verify`, and one was asked for."""


class OfflineError(ModelError, ConnectionError):
    """Files would have to be downloaded, and the network may not or cannot be used."""


# --- the memory's file -----------------------------------------------------------------------------------


class StorageError(RomaineError):
    """Base of what can be wrong with a memory file."""


class StorageFormatError(StorageError, ValueError):
    """The file is no memory file."""


class StorageVersionError(StorageError, ValueError):
    """The file was written by a newer version of this package."""


class StorageCorruptError(StorageError, ValueError):
    """The file is damaged."""


class StorageFullError(StorageError, OSError):
    """The disk is full; nothing of the write is in the file, everything before it is."""


class StorageReadOnlyError(StorageError, PermissionError):
    """The file cannot be written."""


class StorageLockedError(StorageError, TimeoutError):
    """Another process has kept the file locked for too long."""


class StorageBusyError(StorageLockedError):
    """Others were in the way, and the write was undone; done again, it may succeed."""


class StorageUnreachableError(StorageError, ConnectionError):
    """The server of the memory cannot be reached, or the connection broke; nothing of the write was done."""


class StorageUnsureError(StorageError, ConnectionError):
    """The connection broke while a write was being kept: all of it is there, or nothing of it."""


class StorageClosedError(StorageError, ValueError):
    """The memory has been closed."""


class StorageForkedError(StorageError, RuntimeError):
    """The memory was open when this process was forked; SQLite's locks do not survive that."""


class StorageIncompleteError(StorageError, ValueError):
    """Memories are being copied into it, and not all are there yet."""


class StorageReplacedError(StorageError, OSError):
    """The file or its log was deleted or replaced while it was open."""


class OtherEmbedderError(StorageError, ValueError):
    """The file's vectors are another embedder's."""


class OtherAnalyzerError(StorageError, ValueError):
    """The file's terms are another analyzer's."""


class MemoryNotFoundError(RomaineError, KeyError):
    """No memory of this id is visible in the scope that asks."""

    def __str__(self) -> str:  # KeyError would show the message in quotes
        return str(self.args[0])
