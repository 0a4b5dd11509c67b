"""A model that is opened at first use, once, however many threads and embedders share it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from romaine.arrays import FloatArray
from romaine.precision import int8_range

if TYPE_CHECKING:
    from romaine.backends.base import LoadOptions
    from romaine.backends.registry import OpenModel


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """What has to be known to open a model."""

    model: str | Path
    backend: str
    cache_folder: Path | None
    local_files_only: bool
    revision: str | None
    allow_rejected: bool
    options: LoadOptions
    require_verified: bool = False
    token: str | None = field(default=None, repr=False)


class LazyModel:
    """Opens a model once, at first use, however many threads and embedders share it."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._open: OpenModel | None = None
        self._int8_limits: dict[int, float] = {}

    def __reduce__(self) -> tuple[type[LazyModel], tuple[ModelRequest]]:
        """A pickle holds what was asked for; the process that reads it opens the model itself."""
        return LazyModel, (self._request,)

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

        request = self._request
        opened = open_model(
            request.model,
            backend=request.backend,
            cache_folder=request.cache_folder,
            local_files_only=request.local_files_only,
            revision=request.revision,
            token=request.token,
            allow_rejected=request.allow_rejected,
            options=request.options,
        )
        if request.require_verified:
            require_pass(opened.local, opened.backend_name, variant=request.options.variant)
        return opened

    def int8_limit(self, dim: int, calibrate: Callable[[], FloatArray]) -> float:
        """The model's int8 range at `dim`: from its card, else calibrated on the built-in texts and kept."""
        from_card = self.get().local.card.int8_ranges.get(dim)
        if from_card is not None:
            return from_card
        if dim not in self._int8_limits:
            self._int8_limits[dim] = int8_range(calibrate())
        return self._int8_limits[dim]
