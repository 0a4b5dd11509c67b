"""Opening a model: its name and files resolved, its backend imported and loaded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from romaine.backends.base import Backend
from romaine.backends.options import DEFAULTS, LoadOptions
from romaine.backends.resolve import ResolvedModel, download_model, resolve_model
from romaine.backends.spec import BackendSpec, available_backends, backend_names, spec
from romaine.errors import BackendError, ModelFormatError
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel, first_fingerprint, model_fingerprint

__all__ = [
    "BackendSpec",
    "OpenModel",
    "ResolvedModel",
    "available_backends",
    "backend_names",
    "download_model",
    "load_model",
    "open_model",
    "resolve_model",
    "spec",
]


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

    @property
    def count_unfamiliar(self) -> Callable[[Sequence[str]], tuple[int, int]] | None:
        """`Tokenizer.unfamiliar` of its tokenizer; None where the backend shows none."""
        return getattr(getattr(self.backend, "tokenizer", None), "unfamiliar", None)

    def fingerprint(self, *, query_prompt: str, document_prompt: str) -> str:
        """Identifies its vector space with these prompts; see `romaine.models.files.model_fingerprint`."""
        return model_fingerprint(self.local, query_prompt=query_prompt, document_prompt=document_prompt)

    def legacy_fingerprints(self, *, query_prompt: str, document_prompt: str) -> tuple[str, ...]:
        """What earlier versions called the same space, the latest first."""
        return (first_fingerprint(self.local, query_prompt=query_prompt, document_prompt=document_prompt),)


def open_model(model: str | Path, *, options: LoadOptions = DEFAULTS) -> OpenModel:
    """Finds, checks and loads a model.

    Args:
        model: The bundled model's name, a catalog name (its short form too), a hub id or a folder.
        options: How. Backend "auto" is "static" for a static table, "onnx" for an ONNX file, else "torch",
            else "sentence-transformers", among those installed.

    Raises:
        OptionError: If `model`, the backend, the revision or another option is not possible.
        ModelError: If the model cannot be found, read, trusted, or failed its evaluation.
        MissingExtraError: If the only backends that could run it are not installed.
        BackendError: If the runtime refuses it.
    """
    return load_model(resolve_model(model, options=options), options=options)


def load_model(resolved: ResolvedModel, *, options: LoadOptions = DEFAULTS) -> OpenModel:
    """Loads a resolved model on its backend.

    Raises:
        MissingExtraError: If the backend is not installed.
        ModelFormatError: If the weights do not fit the card.
        BackendError: If the runtime refuses the model or cannot itself be imported.
    """
    chosen, local = resolved.spec, resolved.local
    chosen.require()
    try:
        module = importlib.import_module(chosen.module)
        load = module.load
    except Exception as error:  # another package's may fail in any way
        raise BackendError(f"backend {chosen.name!r} is installed and cannot be imported: {error}") from error
    backend: Backend = load(local, local.card, options)
    token_dim = getattr(backend, "token_dim", None)
    if (backend.full_dim, token_dim or local.card.token_dim) != (local.card.full_dim, local.card.token_dim):
        local = replace(local, card=_card_of_weights(resolved, backend.full_dim, token_dim))
    return OpenModel(local=local, backend_name=chosen.name, backend=backend)


def _card_of_weights(resolved: ResolvedModel, full_dim: int, token_dim: int | None) -> ModelCard:
    """The card with the dimensions that the weights turned out to have.

    Raises:
        ModelFormatError: If the card was not a guess, so that these are another model's weights.
    """
    card = resolved.local.card
    if resolved.card_is_stated:
        (found, stated), *_ = (
            dims for dims in ((full_dim, card.full_dim), (token_dim, card.token_dim)) if dims[0] != dims[1]
        )
        raise ModelFormatError(
            f"{card.id} has vectors of {found} components, its card says {stated}:"
            " these weights are not this model's. Download it again."
        )
    trained = [dim for dim in card.dims[:-1] if dim < full_dim]  # the last is the full_dim that was wrong
    return replace(card, full_dim=full_dim, dims=(*trained, full_dim), token_dim=token_dim)
