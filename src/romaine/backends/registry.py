"""Opening a model: its name, its files, the backend that runs them, and what is refused on the way."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from romaine.backends.base import Backend, LoadOptions
from romaine.backends.choice import Choice, choose
from romaine.backends.spec import BackendSpec, available_backends, backend_names, spec
from romaine.errors import (
    BackendError,
    ModelFormatError,
    RejectedModelError,
    UnsafeModelError,
)
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel, checked_hashes, find_files, model_fingerprint
from romaine.models.from_files import card_from_files
from romaine.models.layouts import PICKLE_SUFFIXES
from romaine.models.names import ModelName, parse_name
from romaine.models.tree import FileTree

__all__ = [
    "BackendSpec",
    "OpenModel",
    "ResolvedModel",
    "available_backends",
    "backend_names",
    "load_model",
    "open_model",
    "refuse",
    "resolve_model",
    "spec",
]


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


@dataclass(frozen=True, kw_only=True)
class OpenModel:
    """A model that is loaded.

    Attributes:
        local: Its files and card.
        backend_name: The backend's name.
        backend: The loaded backend.
    """

    local: LocalModel
    backend_name: str
    backend: Backend

    def fingerprint(self, *, query_prompt: str, document_prompt: str) -> str:
        """Identifies its vector space with these prompts; see `romaine.models.files.model_fingerprint`."""
        return model_fingerprint(self.local, query_prompt=query_prompt, document_prompt=document_prompt)


def open_model(
    model: str | Path,
    *,
    backend: str = "auto",
    cache_folder: Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
    allow_rejected: bool = False,
    options: LoadOptions | None = None,
) -> OpenModel:
    """Finds, checks and loads a model.

    Args:
        model: The bundled model's name, a catalog name (its short form too), a hub id or a folder.
        backend: A name of `backend_names()`, or "auto": a static table on "static", an ONNX file on "onnx",
            else "torch", else "sentence-transformers", among those installed.
        cache_folder: Hub cache; None for the hub's own.
        local_files_only: Whether the network may not be used.
        revision: Commit, tag or branch of a hub model.
        allow_rejected: Whether a model that failed its evaluation may be opened.
        options: For the backend.

    Raises:
        OptionError: If `model`, `backend`, `revision` or an option is not possible.
        ModelError: If the model cannot be found, read, trusted, or failed its evaluation.
        MissingExtraError: If the only backends that could run it are not installed.
        BackendError: If the runtime refuses it.
    """
    chosen_options = options or LoadOptions()
    resolved = resolve_model(
        model,
        backend=backend,
        cache_folder=cache_folder,
        local_files_only=local_files_only,
        revision=revision,
        allow_rejected=allow_rejected,
        options=chosen_options,
    )
    return load_model(resolved, options=chosen_options)


def resolve_model(
    model: str | Path,
    *,
    backend: str = "auto",
    cache_folder: Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
    allow_rejected: bool = False,
    options: LoadOptions | None = None,
) -> ResolvedModel:
    """The first half of `open_model`: everything but loading. Same arguments and errors."""
    chosen_options = options or LoadOptions()
    wanted = None if backend == "auto" else spec(backend)
    name = parse_name(model)
    if name.card is not None:
        refuse(name.card, allow_rejected=allow_rejected, allow_pickle=chosen_options.allow_pickle)

    def select(tree: FileTree) -> Choice:
        return choose(name.id, tree, known_card=name.card, wanted=wanted, options=chosen_options)

    found, choice = find_files(
        name, select, cache_folder=cache_folder, local_files_only=local_files_only, revision=revision
    )
    card = name.card or card_from_files(_card_id(name), found.tree, choice.match)
    if name.card is None:
        refuse(card, allow_rejected=allow_rejected, allow_pickle=chosen_options.allow_pickle)
    local = LocalModel(
        id=name.id,
        folder=found.tree.folder,
        layout=choice.match.layout.name,
        card=card,
        files=_absolute(found.tree.folder, choice.paths),
        hashes=checked_hashes(found, choice.paths, card),
    )
    return ResolvedModel(
        local=local, spec=choice.spec, card_is_stated=name.card is not None or "card" in choice.match.paths
    )


def load_model(resolved: ResolvedModel, *, options: LoadOptions | None = None) -> OpenModel:
    """The second half of `open_model`: loads a resolved model on its backend.

    Raises:
        MissingExtraError: If the backend is not installed.
        ModelFormatError: If the weights do not fit the card.
        BackendError: If the runtime refuses the model or cannot itself be imported.
    """
    chosen, local = resolved.spec, resolved.local
    chosen.require()
    try:
        module = importlib.import_module(chosen.module)
    except ImportError as error:
        raise BackendError(f"backend {chosen.name!r} is installed and cannot be imported: {error}") from error
    backend: Backend = module.load(local, local.card, options or LoadOptions())
    if backend.full_dim != local.card.full_dim:
        local = replace(local, card=_card_of_weights(resolved, backend.full_dim))
    return OpenModel(local=local, backend_name=chosen.name, backend=backend)


def refuse(card: ModelCard, *, allow_rejected: bool, allow_pickle: bool) -> None:
    """Refuses what should not be opened, before anything is downloaded or read.

    Raises:
        RejectedModelError: If the card's measured quality is under the floor and that is not allowed.
        UnsafeModelError: If its weights are a pickle and that is not allowed.
    """
    if card.rejection is not None and not allow_rejected:
        raise RejectedModelError(
            f"{card.id} is rejected: {card.rejection}. Choose another model (romaine models), or pass"
            " allow_rejected=True to use it all the same."
        )
    weights = card.files.get("weights", "")
    if weights.endswith(PICKLE_SUFFIXES) and not allow_pickle:
        raise UnsafeModelError(
            f"{card.id} keeps its weights in {weights}, a pickle, and opening a pickle can run any code that"
            " its author put there. Use a model with safetensors or ONNX files, or pass allow_pickle=True if"
            " you trust it; then only its tensors are read (weights_only=True)."
        )


def _card_id(name: ModelName) -> str:
    return name.folder.resolve().name or name.id if name.folder is not None else name.id


def _absolute(folder: Path, paths: Mapping[str, str]) -> Mapping[str, Path]:
    return MappingProxyType({use: folder / path for use, path in paths.items()})


def _card_of_weights(resolved: ResolvedModel, full_dim: int) -> ModelCard:
    """The card with the dimension that the weights turned out to have.

    Raises:
        ModelFormatError: If the card was not a guess, so that these are another model's weights.
    """
    card = resolved.local.card
    if resolved.card_is_stated:
        raise ModelFormatError(
            f"{card.id} has vectors of {full_dim} components, its card says {card.full_dim}: these weights are"
            " not this model's. Download it again."
        )
    return replace(
        card, full_dim=full_dim, dims=(*(dim for dim in card.dims if 1 < dim < full_dim), full_dim)
    )
