"""From a model's name to checked files and the backend for them; some models are refused on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from romaine.backends.choice import Chosen, choose
from romaine.backends.options import DEFAULTS, LoadOptions
from romaine.backends.spec import BackendSpec
from romaine.errors import RejectedModelError, UnsafeModelError
from romaine.models import integrity
from romaine.models.card import ModelCard
from romaine.models.files import FoundModel, LocalModel, checked_hashes, fetch_files, find_files, repository
from romaine.models.from_files import card_from_files
from romaine.models.layouts import is_pickle
from romaine.models.names import ModelName, parse_name
from romaine.models.tree import FileTree


@dataclass(frozen=True, kw_only=True)
class ResolvedModel:
    """A model whose files are here and checked, and the backend that will run it.

    Attributes:
        local: The model, with exactly the files its backend needs.
        spec: The backend.
        card_is_stated: Whether the card comes from the catalog or a `romaine.json`, so that the weights have
            to agree with it. A card read from configs gives way to the weights.
    """

    local: LocalModel
    spec: BackendSpec
    card_is_stated: bool


def resolve_model(model: str | Path, *, options: LoadOptions = DEFAULTS) -> ResolvedModel:
    """Finds a model's files, downloading what is missing, and checks them.

    Raises:
        OptionError: If `model`, the backend, the revision or another option is not possible.
        ModelError: If the model cannot be found, read, trusted, or failed its evaluation.
        MissingExtraError: If the only backends that could run it are not installed.
    """
    chooser = _Chooser.of(model, options)
    found, choice = find_files(
        chooser.name,
        chooser,
        cache_folder=options.cache_folder,
        local_files_only=options.local_files_only,
        revision=options.revision,
        token=options.token,
    )
    return chooser.resolved(found, choice)


def download_model(
    model: str | Path,
    *,
    options: LoadOptions = DEFAULTS,
    force: bool = False,
    show_progress: bool = False,
) -> ResolvedModel:
    """Downloads what one backend needs of a hub model, its newest commit of `revision`, and checks it.

    A bundled model or a folder is only checked.

    Args:
        model: As in `open_model`.
        options: As in `open_model`.
        force: Whether what is in the cache is downloaded again, and its recorded hashes are forgotten.
        show_progress: Whether progress bars are shown.

    Raises:
        OfflineError: If the hub cannot be reached or may not be.
        RomaineError: As `resolve_model`.
    """
    chooser = _Chooser.of(model, options)
    if not chooser.name.is_hub:
        return resolve_model(model, options=options)
    repo = repository(
        chooser.name,
        revision=options.revision,
        cache_folder=options.cache_folder,
        offline=options.local_files_only,
        token=options.token,
    )
    found, choice = fetch_files(repo, chooser, force=force, show_progress=show_progress)
    if force:
        integrity.forget(found.key)
    return chooser.resolved(found, choice)


@dataclass(frozen=True, kw_only=True)
class _Chooser:
    """What the caller wants of one model, ready to be asked about its files."""

    name: ModelName
    options: LoadOptions

    @classmethod
    def of(cls, model: str | Path, options: LoadOptions) -> _Chooser:
        """Reads the caller's arguments and refuses a catalog model that should not be opened."""
        chooser = cls(name=parse_name(model), options=options)
        if chooser.name.card is not None:
            refuse(chooser.name.card, options)
        return chooser

    def __call__(self, tree: FileTree) -> Chosen:
        return choose(self.name.id, tree, known_card=self.name.card, options=self.options)

    def resolved(self, found: FoundModel, choice: Chosen) -> ResolvedModel:
        card = self.name.card
        if card is None:
            card = card_from_files(
                _card_id(self.name), found.tree, choice.match, backend_pools=choice.spec.pools
            )
            refuse(card, self.options)
        hashes = checked_hashes(found, choice.paths, card)
        local = LocalModel(
            id=self.name.id,
            folder=found.tree.folder,
            layout=choice.match.layout.name,
            card=card,
            files=MappingProxyType({use: found.tree.folder / path for use, path in choice.paths.items()}),
            hashes=hashes,
        )
        is_stated = self.name.card is not None or "card" in choice.match.paths
        return ResolvedModel(local=local, spec=choice.spec, card_is_stated=is_stated)


def refuse(card: ModelCard, options: LoadOptions) -> None:
    """Refuses what should not be opened, before anything is downloaded or read.

    Raises:
        RejectedModelError: If the card's quality is under the floor and that is not allowed.
        UnsafeModelError: If its weights are a pickle and that is not allowed.
    """
    if card.rejection is not None and not options.allow_rejected:
        raise RejectedModelError(
            f"{card.id} is rejected: {card.rejection}. Choose another model (romaine models), or pass"
            " allow_rejected=True to use it all the same."
        )
    weights = card.files.get("weights", "")
    if is_pickle(weights) and not options.allow_pickle:
        raise UnsafeModelError(
            f"{card.id} keeps its weights in {weights}, a pickle, and opening a pickle can run any code that"
            " its author put there. Use a model with safetensors or ONNX files, or pass allow_pickle=True if"
            " you trust it; then only its tensors are read (weights_only=True)."
        )


def _card_id(name: ModelName) -> str:
    return name.folder.resolve().name or name.id if name.folder is not None else name.id
