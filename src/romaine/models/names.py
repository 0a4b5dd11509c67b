"""What a caller may call a model, and what each form of name means.

A name is looked up in this order: the bundled model, one that another installed distribution ships, a folder
on this machine, the catalog (also by its short name), and any other ``organisation/name`` of the hub. Nothing
here touches the network.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from romaine.errors import MissingExtraError, ModelNotFoundError, OptionError
from romaine.models import catalog
from romaine.models.card import ModelCard

_HUB_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?!.*(?:--|\.\.|\.git$)){_HUB_PART}/{_HUB_PART}")
_MAX_HUB_ID = 96
_REVISION = re.compile(r"(?!.*(?:\.\.|//))[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9_-])?")
_PATH_PREFIXES = ("./", "../", "/", "~/", ".\\", "..\\", "\\\\")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, kw_only=True)
class ModelName:
    """A model's name after reading it.

    Attributes:
        id: The bundled name, the hub id, or the folder as text.
        folder: The folder, or None for a hub model.
        card: Its card in the catalog, or None if it has to be read from its files.
        package: Name and version of the distribution that brings it, if another one than this does.
    """

    id: str
    folder: Path | None = None
    card: ModelCard | None = None
    package: str = ""

    @property
    def is_hub(self) -> bool:
        """Whether its files come from the hub."""
        return self.folder is None


def parse_name(model: object) -> ModelName:
    """Says what `model` refers to.

    Args:
        model: A bundled or catalog name, a hub id, or a folder as `str` or path.

    Raises:
        OptionError: If `model` cannot be a name at all.
        ModelNotFoundError: If nothing is known under this name, with the nearest known one.
        MissingExtraError: If it is a model of this project's that has to be installed.
        PluginError: If a distribution says that it brings this model and does not.
        ModelFormatError: If an installed model's card cannot be read.
    """
    if isinstance(model, os.PathLike):
        return _folder(_checked_text(os.fsdecode(model)))
    text = _checked_text(model)
    if text == catalog.BUNDLED:
        return ModelName(id=text, folder=catalog.BUNDLED_FOLDER, card=catalog.card(text))
    if text.startswith(_PATH_PREFIXES) or _DRIVE.match(text) or text in (".", ".."):
        return _folder(text)
    if ".." in re.split(r"[\\/]", text):
        raise OptionError(
            f"model={text!r} is not a model's name: '..' is only allowed in a path that starts with"
            " ./ ../ / or ~"
        )
    if (installed := catalog.packaged(text)) is not None:
        return ModelName(id=text, folder=installed.folder, card=installed.card, package=installed.package)
    if os.path.isdir(text):  # noqa: PTH112 - as in `_folder`
        return ModelName(id=text, folder=Path(text))
    card = catalog.find(text)
    if card is not None:
        return ModelName(id=card.id, card=card)
    _refuse_file(Path(text), text)
    if (extra := catalog.installable().get(text)) is not None:
        raise MissingExtraError(f"model {text!r}", extra)
    if _HUB_ID.fullmatch(text) and len(text) <= _MAX_HUB_ID:
        return ModelName(id=text)
    raise ModelNotFoundError(
        f"unknown model {text!r}: no folder of this name, not in the catalog, and not a hub id"
        f" (organisation/name).{_suggestion(text)} Known: {', '.join(catalog.names())}"
    )


def check_revision(revision: object) -> str:
    """Returns the commit, tag or branch asked for, "main" for None.

    Raises:
        OptionError: If it is not one.
    """
    if revision is None:
        return "main"
    if not isinstance(revision, str) or not _REVISION.fullmatch(revision):
        raise OptionError(
            f"revision={revision!r} is not allowed: it must be a commit, a tag or a branch"
            " (letters, digits and ._/-)"
        )
    return revision


def _suggestion(text: str) -> str:
    """A sentence naming the catalog's nearest name, or nothing if none is near."""
    known = (*catalog.names(), *catalog.installable())
    short = {name.rpartition("/")[2]: name for name in known}
    close = get_close_matches(text, [*known, *short], n=1, cutoff=0.7)
    return f" Did you mean {short.get(close[0], close[0])!r}?" if close else ""


def _checked_text(model: object) -> str:
    if not isinstance(model, str):
        raise OptionError(
            f"model must be a name or a folder as str or path, got {type(model).__name__};"
            f" for example {catalog.BUNDLED!r}"
        )
    if not model.strip():
        raise OptionError(f"model is empty; give a name, for example {catalog.BUNDLED!r}, or a folder")
    if not all(char.isprintable() for char in model):  # control characters and lone surrogates are not
        raise OptionError(f"model={model!r} is not allowed: it holds control characters or broken Unicode")
    return model


def _folder(text: str) -> ModelName:
    folder = Path(text)
    if text.startswith("~"):
        try:
            folder = folder.expanduser()
        except RuntimeError:
            raise ModelNotFoundError(f"no folder {text!r}: there is no such home directory") from None
    if os.path.isdir(folder):  # noqa: PTH112 - unlike Path.is_dir it takes a name that is too long
        return ModelName(id=text, folder=folder)
    _refuse_file(folder, text)
    raise ModelNotFoundError(
        f"no folder {text!r}; give an existing folder, or a name: {', '.join(catalog.names())}"
    )


def _refuse_file(path: Path, text: str) -> None:
    if os.path.isfile(path):  # noqa: PTH113 - as in `_folder`
        raise ModelNotFoundError(f"{text!r} is a file; give the folder that holds the model's files")
