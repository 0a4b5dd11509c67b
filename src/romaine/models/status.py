"""What `romaine models` shows: which models can be used right now, and how good they are said to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from romaine.errors import ModelFormatError, PluginError
from romaine.models import catalog
from romaine.models.card import ModelCard
from romaine.models.card_json import card_to_json
from romaine.models.files import folder_found, repository, snapshot_found
from romaine.models.from_files import card_from_files
from romaine.models.layouts import is_pickle
from romaine.models.matching import matches
from romaine.models.names import ModelName, parse_name
from romaine.models.tree import FileTree


class Status(str, Enum):
    """Whether a model can be used."""

    READY = "ready offline"
    DOWNLOAD = "needs download"
    INSTALL = "needs pip install"
    REJECTED = "rejected"
    DAMAGED = "damaged"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One model.

    Attributes:
        id: The model's name.
        status: Whether it can be used.
        card: What is known about it; None if an installed model's card cannot be read, or it is not
            installed.
        extra: The extra of this distribution that installs it, if it is not.
    """

    id: str
    status: Status
    card: ModelCard | None
    extra: str = ""

    @property
    def words(self) -> str:
        """The status, and what to do about it."""
        return f"{self.status.value} 'romaine[{self.extra}]'" if self.extra else self.status.value

    def to_json(self) -> dict[str, Any]:
        """The card's values with the status."""
        return {"id": self.id, "status": self.words, **(card_to_json(self.card) if self.card else {})}


def listings(*, cache_folder: Path | None = None) -> list[Listing]:
    """Every model of the catalog, installed ones first. Looks at the disk, never at the network."""
    missing = catalog.installable().items()
    return [
        *(_listing(name, cache_folder) for name in catalog.names()),
        *(Listing(id=name, status=Status.INSTALL, card=None, extra=extra) for name, extra in missing),
    ]


def describe(model: str | Path, *, cache_folder: Path | None = None) -> Listing:
    """Describes one model, of the catalog or not, without the network and without loading it.

    Raises:
        OptionError: If `model` cannot be a name.
        ModelError: If nothing is known under this name, or its files are not a model.
        OfflineError: If it is in no catalog and not here.
    """
    name = parse_name(model)
    if name.card is not None:
        return _listing(name.card.id, cache_folder)
    if name.folder is not None:
        found = folder_found(name, name.folder)
    else:
        repo = repository(name, revision=None, cache_folder=cache_folder, offline=True)
        snapshot = repo.snapshot()
        if snapshot is None:
            raise repo.offline_error("this command never uses it")
        found = snapshot_found(repo, snapshot)
    match = next((match for match in matches(found.tree, {}) if match.complete), None)
    if match is None:
        raise ModelFormatError(f"{found.tree.folder} holds no complete model. {found.repair}")
    card = card_from_files(name.id, found.tree, match)
    refused = card.rejection is not None or match.is_pickle
    return Listing(id=name.id, status=Status.REJECTED if refused else Status.READY, card=card)


def _listing(name: str, cache_folder: Path | None) -> Listing:
    try:
        known = parse_name(name)
    except (ModelFormatError, PluginError):
        return Listing(id=name, status=Status.DAMAGED, card=None)
    card = catalog.card(name) if known.card is None else known.card
    return Listing(id=card.id, status=_status(known, card, cache_folder), card=card)


def _status(name: ModelName, card: ModelCard, cache_folder: Path | None) -> Status:
    if card.rejection is not None or is_pickle(card.files.get("weights", "")):
        return Status.REJECTED
    if name.card is not None and name.folder is not None:
        return Status.READY if _is_complete(name.folder, card) else Status.DAMAGED
    snapshot = repository(name, revision=None, cache_folder=cache_folder, offline=True).snapshot()
    return Status.READY if snapshot is not None and _is_complete(snapshot, card) else Status.DOWNLOAD


def _is_complete(folder: Path, card: ModelCard) -> bool:
    try:
        found = matches(FileTree.of_folder(folder), card.files)
    except ModelFormatError:
        return False
    return any(match.complete and not match.is_pickle for match in found)


@dataclass(frozen=True, kw_only=True)
class QualityRow:
    """One figure of one model: what was published beside what was measured here, never mixed.

    Attributes:
        model: The model's name.
        figure: What was measured, e.g. "STSBenchmark Spearman"; "" if there is no figure at all.
        published: What others published, None if nobody did.
        source: Where they did.
        measured: What this project measured, None if it did not.
        command: The command that measures it again.
    """

    model: str
    figure: str = ""
    published: float | None = None
    source: str = ""
    measured: float | None = None
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values."""
        return asdict(self)


def quality_rows(cards: Iterable[ModelCard] | None = None) -> list[QualityRow]:
    """Every figure of every card; a model without any has one empty row.

    Figures of one name share a row. Published ones come first, in the order of the card.

    Args:
        cards: Which; None for the whole catalog, the bundled model first.

    Raises:
        ModelFormatError: If the bundled model's card cannot be read.
    """
    chosen = [catalog.card(name) for name in catalog.names()] if cards is None else list(cards)
    return [row for card in chosen for row in _rows_of(card)]


def _rows_of(card: ModelCard) -> list[QualityRow]:
    by_figure: dict[str, dict[str, Any]] = {}
    for item in card.quality:
        by_figure[item.name] = {"published": item.value, "source": item.source}
    for item in card.measured:
        values = {"measured": item.value, "command": item.command or item.source}
        by_figure.setdefault(item.name, {}).update(values)
    rows = [QualityRow(model=card.id, figure=name, **values) for name, values in by_figure.items()]
    return rows or [QualityRow(model=card.id)]
