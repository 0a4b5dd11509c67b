"""A model's name -> its files on this machine: bundled, local folder, hub cache, then network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from romaine.errors import ModelFormatError
from romaine.models.card import ModelCard


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A model whose files are on this machine.

    Attributes:
        id: What the caller called it.
        folder: Where its files are.
        layout: Name of the file layout that was recognised.
        card: What is known about it, from the catalog or read from its files.
        files: Path by use: "weights", "tokenizer", "config", "onnx:fp32", "onnx:int8", ...
    """

    id: str
    folder: Path
    layout: str
    card: ModelCard
    files: Mapping[str, Path] = field(default_factory=dict)

    def path(self, use: str) -> Path:
        """Returns the file for `use`.

        Raises:
            ModelFormatError: If the model has none, naming what it has.
        """
        try:
            return self.files[use]
        except KeyError:
            raise ModelFormatError(
                f"{self.id} has no file for {use!r} in {self.folder}; found: {', '.join(sorted(self.files)) or 'nothing'}"
            ) from None
