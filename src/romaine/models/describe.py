"""What is known about any model that is here: of the catalog, in a folder, or in the hub cache."""

from __future__ import annotations

from pathlib import Path

from romaine.errors import ModelFormatError
from romaine.models.files import Found, folder_found, repository, snapshot_found
from romaine.models.from_files import card_from_files
from romaine.models.matching import matches
from romaine.models.names import parse_name
from romaine.models.status import Listing, Status, listing


def describe(model: str | Path, *, cache_folder: Path | None = None) -> Listing:
    """Describes one model without the network and without loading it.

    Raises:
        OptionError: If `model` cannot be a name.
        ModelError: If nothing is known under this name, or its files are not a model.
        OfflineError: If it is in no catalog and not here.
    """
    name = parse_name(model)
    if name.card is not None:
        return listing(name.card.id, cache_folder=cache_folder)
    found = _find(name.folder, model, cache_folder)
    complete = [match for match in matches(found.tree, {}) if match.complete]
    if not complete:
        raise ModelFormatError(f"{found.tree.folder} holds no complete model. {found.repair}")
    card = card_from_files(name.id, found.tree, complete[0])
    refused = card.rejection is not None or complete[0].is_pickle
    return Listing(id=name.id, status=Status.REJECTED if refused else Status.READY, card=card)


def _find(folder: Path | None, model: str | Path, cache_folder: Path | None) -> Found:
    name = parse_name(model)
    if folder is not None:
        return folder_found(name, folder)
    repo = repository(name, revision=None, cache_folder=cache_folder, offline=True)
    snapshot = repo.snapshot()
    if snapshot is None:
        raise repo.offline_error("this command never uses it")
    return snapshot_found(repo, snapshot)
