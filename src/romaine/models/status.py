"""What `romaine models` shows: each model of the catalog and whether it can be used right now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from romaine.errors import ModelFormatError
from romaine.models import catalog
from romaine.models.card import ModelCard
from romaine.models.card_json import card_to_json
from romaine.models.files import repository
from romaine.models.layouts import is_pickle
from romaine.models.matching import matches
from romaine.models.names import ModelName
from romaine.models.tree import FileTree


class Status(str, Enum):
    """Whether a model can be used."""

    READY = "ready offline"
    DOWNLOAD = "needs download"
    REJECTED = "rejected"
    DAMAGED = "damaged"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One row.

    Attributes:
        id: The model's name.
        status: Whether it can be used.
        card: What is known about it; None if the bundled model's card cannot be read.
    """

    id: str
    status: Status
    card: ModelCard | None

    def to_json(self) -> dict[str, Any]:
        """The card's values with the status."""
        return {"id": self.id, "status": self.status.value, **(card_to_json(self.card) if self.card else {})}


def listings(*, cache_folder: Path | None = None) -> list[Listing]:
    """Every model of the catalog, the bundled one first. Looks at the disk, never at the network."""
    return [listing(name, cache_folder=cache_folder) for name in catalog.names()]


def listing(name: str, *, cache_folder: Path | None = None) -> Listing:
    """One model of the catalog.

    Raises:
        ModelNotFoundError: If the catalog has none of this name.
    """
    try:
        card = catalog.card(name)
    except ModelFormatError:
        return Listing(id=name, status=Status.DAMAGED, card=None)
    return Listing(id=card.id, status=_status(card, cache_folder), card=card)


def _status(card: ModelCard, cache_folder: Path | None) -> Status:
    if card.rejection is not None or is_pickle(card.files.get("weights", "")):
        return Status.REJECTED
    if card.bundled:
        return Status.READY if _is_complete(catalog.BUNDLED_FOLDER, card) else Status.DAMAGED
    name = ModelName(id=card.id, card=card)
    snapshot = repository(name, revision=None, cache_folder=cache_folder, offline=True).snapshot()
    return Status.READY if snapshot is not None and _is_complete(snapshot, card) else Status.DOWNLOAD


def _is_complete(folder: Path, card: ModelCard) -> bool:
    try:
        found = matches(FileTree.of_folder(folder), card.files)
    except ModelFormatError:
        return False
    return any(match.complete and not match.is_pickle for match in found)
