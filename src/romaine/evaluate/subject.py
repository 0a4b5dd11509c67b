"""What is measured: a model and how it is to be opened, as plain data that another process understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from romaine.backends.options import LoadOptions
from romaine.errors import OptionError
from romaine.options import keywords

if TYPE_CHECKING:
    from romaine.backends.resolve import ResolvedModel
    from romaine.embedder import Embedder


@dataclass(frozen=True, kw_only=True)
class Subject(LoadOptions):
    """A model to be measured. The attributes are the options of `Embedder` of the same name."""

    model: str | Path = "little-gem"
    dim: int | None = None

    @property
    def label(self) -> str:
        """The model and what sets this way of running it apart, e.g. ``"all-MiniLM-L6-v2 (onnx, int8)"``."""
        path = Path(self.model)
        name = path.resolve().name if path.is_dir() else path.name
        ways = [self.backend if self.backend != "auto" else None, self.variant]
        ways += [self.dtype if self.dtype != "float32" else None, self.device]
        chosen = ", ".join(way for way in ways if way)
        return f"{name} ({chosen})" if chosen else name

    def embedder(self) -> Embedder:
        """An embedder of it, not loaded yet.

        Raises:
            OptionError: If an option's value is not allowed.
        """
        from romaine.embedder import Embedder

        return Embedder(self.model, dim=self.dim, **keywords(self, LoadOptions))

    def resolve(self) -> ResolvedModel:
        """Finds the model's files, fetching what is missing, and the backend that is to run it.

        Raises:
            OptionError: If an option's value is not allowed.
            ModelError: If it cannot be found, read, trusted, or failed its evaluation.
            MissingExtraError: If the only backends that could run it are not installed.
        """
        from romaine.backends.registry import resolve_model

        return resolve_model(self.model, options=self)

    def fetched(self) -> Subject:
        """The same model with its files here and checked, to be opened from now on without the network.

        Raises:
            OptionError: If an option's value is not allowed.
            ModelError: As `resolve`.
            MissingExtraError: If its backend is not installed.
        """
        resolved = self.resolve()
        resolved.spec.require()
        return replace(self, backend=resolved.spec.name, local_files_only=True, token=None)

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values, without the access token."""
        values = {name: value for name, value in asdict(self).items() if name != "token"}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Subject:
        """Makes a subject of what `to_json` gave.

        Raises:
            OptionError: If there is a key that it does not have.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise OptionError(f"this is not a model to be measured: {error}") from None
