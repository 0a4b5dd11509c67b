"""From a model's name to checked files and the backend for them; some models are refused on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from romaine.backends.base import LoadOptions
from romaine.backends.choice import Choice, choose
from romaine.backends.spec import BackendSpec, spec
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


def resolve_model(
    model: str | Path,
    *,
    backend: str = "auto",
    cache_folder: Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
    token: str | None = None,
    allow_rejected: bool = False,
    options: LoadOptions | None = None,
) -> ResolvedModel:
    """Finds a model's files, downloading what is missing, and checks them. Arguments as in `open_model`.

    Raises:
        OptionError: If `model`, `backend`, `revision` or an option is not possible.
        ModelError: If the model cannot be found, read, trusted, or failed its evaluation.
        MissingExtraError: If the only backends that could run it are not installed.
    """
    chooser = _Chooser.of(model, backend=backend, allow_rejected=allow_rejected, options=options)
    found, choice = find_files(
        chooser.name,
        chooser,
        cache_folder=cache_folder,
        local_files_only=local_files_only,
        revision=revision,
        token=token,
    )
    return chooser.resolved(found, choice)


def download_model(
    model: str | Path,
    *,
    backend: str = "auto",
    cache_folder: Path | None = None,
    revision: str | None = None,
    token: str | None = None,
    allow_rejected: bool = False,
    options: LoadOptions | None = None,
    force: bool = False,
    show_progress: bool = False,
) -> ResolvedModel:
    """Downloads what one backend needs of a hub model, its newest commit of `revision`, and checks it.

    A bundled model or a folder is only checked.

    Args:
        model: As in `open_model`.
        backend: As in `open_model`.
        cache_folder: As in `open_model`.
        revision: As in `open_model`.
        token: As in `open_model`.
        allow_rejected: As in `open_model`.
        options: As in `open_model`.
        force: Whether what is in the cache is downloaded again, and its recorded hashes are forgotten.
        show_progress: Whether progress bars are shown.

    Raises:
        OfflineError: If the hub cannot be reached or may not be.
        RomaineError: As `resolve_model`.
    """
    chooser = _Chooser.of(model, backend=backend, allow_rejected=allow_rejected, options=options)
    if not chooser.name.is_hub:
        found, choice = find_files(chooser.name, chooser, revision=revision)
    else:
        repo = repository(
            chooser.name, revision=revision, cache_folder=cache_folder, offline=False, token=token
        )
        found, choice = fetch_files(repo, chooser, force=force, show_progress=show_progress)
        if force:
            integrity.forget(found.key)
    return chooser.resolved(found, choice)


@dataclass(frozen=True, kw_only=True)
class _Chooser:
    """What the caller wants of one model, ready to be asked about its files."""

    name: ModelName
    wanted: BackendSpec | None
    allow_rejected: bool
    options: LoadOptions

    @classmethod
    def of(
        cls, model: str | Path, *, backend: str, allow_rejected: bool, options: LoadOptions | None
    ) -> _Chooser:
        """Reads the caller's arguments and refuses a catalog model that should not be opened."""
        wanted = None if backend == "auto" else spec(backend)
        chooser = cls(
            name=parse_name(model),
            wanted=wanted,
            allow_rejected=allow_rejected,
            options=options or LoadOptions(),
        )
        if chooser.name.card is not None:
            chooser.refuse(chooser.name.card)
        return chooser

    def __call__(self, tree: FileTree) -> Choice:
        return choose(self.name.id, tree, known_card=self.name.card, wanted=self.wanted, options=self.options)

    def refuse(self, card: ModelCard) -> None:
        refuse(card, allow_rejected=self.allow_rejected, allow_pickle=self.options.allow_pickle)

    def resolved(self, found: FoundModel, choice: Choice) -> ResolvedModel:
        card = self.name.card
        if card is None:
            card = card_from_files(
                _card_id(self.name), found.tree, choice.match, backend_pools=choice.spec.pools
            )
            self.refuse(card)
        hashes = checked_hashes(found, choice.paths, card)
        local = LocalModel(
            id=self.name.id,
            folder=found.tree.folder,
            layout=choice.match.layout.name,
            card=card,
            files=_absolute(found.tree.folder, choice.paths),
            hashes=hashes,
        )
        is_stated = self.name.card is not None or "card" in choice.match.paths
        return ResolvedModel(local=local, spec=choice.spec, card_is_stated=is_stated)


def refuse(card: ModelCard, *, allow_rejected: bool, allow_pickle: bool) -> None:
    """Refuses what should not be opened, before anything is downloaded or read.

    Raises:
        RejectedModelError: If the card's quality is under the floor and that is not allowed.
        UnsafeModelError: If its weights are a pickle and that is not allowed.
    """
    if card.rejection is not None and not allow_rejected:
        raise RejectedModelError(
            f"{card.id} is rejected: {card.rejection}. Choose another model (romaine models), or pass"
            " allow_rejected=True to use it all the same."
        )
    weights = card.files.get("weights", "")
    if is_pickle(weights) and not allow_pickle:
        raise UnsafeModelError(
            f"{card.id} keeps its weights in {weights}, a pickle, and opening a pickle can run any code that"
            " its author put there. Use a model with safetensors or ONNX files, or pass allow_pickle=True if"
            " you trust it; then only its tensors are read (weights_only=True)."
        )


def _card_id(name: ModelName) -> str:
    return name.folder.resolve().name or name.id if name.folder is not None else name.id


def _absolute(folder: Path, paths: Mapping[str, str]) -> Mapping[str, Path]:
    return MappingProxyType({use: folder / path for use, path in paths.items()})
