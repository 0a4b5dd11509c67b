"""A model that is opened at first use, once, however many threads and embedders share it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from romaine.arrays import FloatArray
from romaine.precision import int8_range

if TYPE_CHECKING:
    from romaine.backends.options import LoadOptions
    from romaine.backends.registry import OpenModel


class LazyModel:
    """Opens a model once, at first use, however many threads and embedders share it."""

    def __init__(self, model: str | Path, options: LoadOptions) -> None:
        self._model, self._options = model, options
        self._lock = threading.Lock()
        self._open: OpenModel | None = None
        self._int8_limits: dict[int, float] = {}

    def __reduce__(self) -> tuple[type[LazyModel], tuple[str | Path, LoadOptions]]:
        """A pickle holds what was asked for; the process that reads it opens the model itself."""
        return LazyModel, (self._model, self._options)

    def __deepcopy__(self, memo: dict[int, object]) -> LazyModel:
        """Copies share the loaded model: it never changes."""
        return self

    def get(self) -> OpenModel:
        """The model, opened now if it was not.

        Raises:
            ModelError: If it cannot be found, read or trusted, or has no PASS where one is required.
            MissingExtraError: If its backend is not installed.
        """
        if self._open is None:
            with self._lock:
                if self._open is None:
                    self._open = self._load()
        return self._open

    def _load(self) -> OpenModel:
        from romaine.backends.registry import open_model
        from romaine.models.verdicts import require_pass

        opened = open_model(self._model, options=self._options)
        if self._options.require_verified:
            require_pass(opened.local, opened.backend_name, variant=self._options.variant)
        return opened

    def int8_limit(self, dim: int, embed: Callable[[Sequence[str]], FloatArray]) -> float:
        """The model's int8 range at `dim`: from its card, else calibrated on the built-in texts and kept."""
        from_card = self.get().local.card.int8_ranges.get(dim)
        if from_card is not None:
            return from_card
        if dim not in self._int8_limits:
            texts = resources.files("romaine.models").joinpath("calibration.txt").read_text(encoding="utf-8")
            self._int8_limits[dim] = int8_range(embed(texts.splitlines()))
        return self._int8_limits[dim]
