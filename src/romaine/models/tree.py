"""A model's files by relative path, wherever they are: what the layout table looks at.

For a folder the tree is what is on disk. For a hub repository that is about to be downloaded it is the
repository's listing, with only the small JSON files present.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from romaine.errors import ModelFormatError

_MAX_ENTRIES = 1_000  # of one folder; a folder with more is not a model, and walking on only takes time
_SKIPPED_FOLDERS = frozenset({".git", ".cache", "__pycache__", "checkpoints"})
_MAX_DEPTH = 2
_MAX_JSON = 256 << 20  # bytes; the largest, a tokenizer.json with half a million tokens, have 40 MB


def read_json(path: Path) -> Any:
    """Reads a JSON file of a model. Whatever it holds, nothing but the error below is raised.

    Raises:
        ModelFormatError: If it cannot be read, is too large, or is not JSON.
    """
    try:
        if (size := path.stat().st_size) > _MAX_JSON:
            raise ValueError(f"{size} bytes; {_MAX_JSON} are allowed")
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        problem = "it is nested too deeply"
    except (OSError, ValueError, MemoryError) as error:
        problem = str(error) or type(error).__name__
    raise ModelFormatError(f"{path} is not readable JSON ({problem}); download the file again") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """As `read_json`, of a file that has to hold an object."""
    return _as_object(read_json(path), path)


def _as_object(values: Any, path: Path) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ModelFormatError(
            f"{path}: a JSON object is needed, got {type(values).__name__}; download the file again"
        )
    return values


@dataclass(frozen=True)
class FileTree:
    """Relative paths, and the folder where the JSON files among them can be read.

    Attributes:
        folder: Where the files are, or will be.
        paths: Relative POSIX paths of the files.
    """

    folder: Path
    paths: frozenset[str]

    @classmethod
    def of_folder(cls, folder: Path) -> FileTree:
        """The files on disk, broken links left out.

        Raises:
            ModelFormatError: If the folder cannot be read.
        """
        try:
            found = frozenset(_walk(folder))
        except OSError as error:
            raise ModelFormatError(f"the folder {folder} cannot be read: {error.strerror}") from None
        return cls(folder, found)

    def json(self, path: str) -> Any:
        """The JSON file at `path`, or None if there is none.

        Raises:
            ModelFormatError: If it is not JSON, or a link that leaves the model's folder.
        """
        if path not in self.paths or not (self.folder / path).is_file():
            return None
        check_inside(self.folder / path, self.folder)
        return read_json(self.folder / path)

    def json_object(self, path: str) -> Mapping[str, Any]:
        """The JSON object at `path`, empty if there is no such file.

        Raises:
            ModelFormatError: If it is not a JSON object.
        """
        values = self.json(path)
        return {} if values is None else _as_object(values, self.folder / path)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The transformer's (or static model's) own config, in the first module's folder or at the root."""
        inner = join(self.modules[0].path if self.modules else "", "config.json")
        return self.json_object(inner if inner in self.paths else "config.json")

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """The modules that `modules.json` lists, none if there is no such file.

        Raises:
            ModelFormatError: If it is malformed, or a module lies outside the folder.
        """
        if "modules.json" not in self.paths or not (self.folder / "modules.json").is_file():
            return ()
        listed = self.json("modules.json")
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed) or not listed:
            raise ModelFormatError(
                f"{self.folder / 'modules.json'}: a list of modules is needed; download it again"
            )
        return tuple(
            Module(type=str(item.get("type", "")), path=self._module(item.get("path", ""))) for item in listed
        )

    def _module(self, path: object) -> str:
        """A module's folder, where this tree has looked: what is elsewhere would be read unchecked."""
        folder = PurePosixPath(self.inner(path))
        if len(folder.parts) > _MAX_DEPTH or not _SKIPPED_FOLDERS.isdisjoint(folder.parts):
            raise ModelFormatError(
                f"{self.folder / 'modules.json'} names the module folder {path!r}; allowed are at most"
                f" {_MAX_DEPTH} levels, none called {' or '.join(sorted(_SKIPPED_FOLDERS))}: move the module"
            )
        return "" if str(folder) == "." else str(folder)

    def inner(self, path: object) -> str:
        """A path that a file of the model names, as a normal relative path.

        Raises:
            ModelFormatError: If it leaves the model's folder, by its words or through a link.
        """
        text = path if isinstance(path, str) else "\0"
        parts = PurePosixPath(text)
        is_safe = text.isprintable() and not any(char in text for char in "\\:\0")
        is_safe = is_safe and not parts.is_absolute() and ".." not in parts.parts
        if not is_safe or not _is_inside(self.folder / text, self.folder):
            raise ModelFormatError(
                f"{self.folder} names the path {path!r}, which is outside the model's folder; refused"
            )
        return "" if str(parts) == "." else str(parts)


@dataclass(frozen=True, kw_only=True)
class Module:
    """One entry of `modules.json`.

    Attributes:
        type: Its class with the package, e.g. "sentence_transformers.models.Pooling".
        path: Its folder inside the model's, "" for the root.
    """

    type: str
    path: str

    @property
    def kind(self) -> str:
        """The class without its package."""
        return self.type.rpartition(".")[2]


def join(folder: str, name: str) -> str:
    """A relative path of two parts, the first of which may be empty."""
    return f"{folder}/{name}" if folder else name


def _containing_root(folder: Path) -> Path:
    """The folder that links may stay in: the model's own, or its repository's in the hub cache.

    In that cache, `snapshots/<commit>/...` are links to `blobs/...` beside it.
    """
    real = folder.resolve()
    is_snapshot = real.parent.name == "snapshots" and real.parent.parent.name.startswith("models--")
    return real.parent.parent if is_snapshot else real


def check_inside(path: Path, folder: Path) -> None:
    """Refuses a file that a link takes out of the model's folder: it could be swapped, or be anyone's.

    Raises:
        ModelFormatError: If the file is really elsewhere.
    """
    if not _is_inside(path, folder):
        raise ModelFormatError(
            f"{path} is a link to a file outside the model's folder; refused. Allowed are links inside"
            f" {_containing_root(folder)}: put the file itself there"
        )


def _is_inside(path: Path, folder: Path) -> bool:
    try:
        # Only files are links to the hub cache's blobs; a folder there would be read without being seen
        root = folder.resolve() if path.is_dir() else _containing_root(folder)
        return path.resolve().is_relative_to(root)
    except (OSError, ValueError, RuntimeError):  # a loop of links, a name too long
        return False


def _walk(folder: Path, prefix: str = "", depth: int = 0) -> Iterator[str]:
    for entry in sorted(folder.iterdir())[:_MAX_ENTRIES]:
        if entry.is_file():
            yield prefix + entry.name
        elif entry.is_dir() and depth < _MAX_DEPTH and entry.name not in _SKIPPED_FOLDERS:
            yield from _walk(entry, f"{prefix}{entry.name}/", depth + 1)
