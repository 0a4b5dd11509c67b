"""`Models`: those the server was started with, each loaded at first use."""

from __future__ import annotations

from starlette.exceptions import HTTPException

from romaine.embedder import Embedder
from romaine.server.settings import ServerSettings

_FUNNEL_DIM = 64  # first stage of the memory's search, where the model is trained for it


class Models:
    """The models served, by name.

    Args:
        settings: Which, and how they are opened.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._embedders = {name: self._embedder(source) for name, source in settings.sources.items()}

    def embedder(self, name: str | None = None) -> Embedder:
        """The model of a name, or the first; it loads at first use, so call it in a thread.

        Raises:
            HTTPException: 404 if none of this name is served.
        """
        if name is None:
            return next(iter(self._embedders.values()))
        known = name.removesuffix(":latest")
        if known not in self._embedders:
            raise HTTPException(
                404, f"no model {name!r} is served here; there is {', '.join(self._embedders)}"
            )
        return self._embedders[known]

    def memory_embedder(self) -> Embedder:
        """The first model, as the memory uses it; loads it."""
        embedder = self.embedder().warm_up()
        return embedder.with_dim(_FUNNEL_DIM) if _FUNNEL_DIM in embedder.dims else embedder

    async def close(self) -> None:
        """Ends what is at work."""

    def _embedder(self, source: str) -> Embedder:
        settings = self._settings
        return Embedder(
            source,
            backend=settings.backend,
            variant=settings.variant,
            device=settings.device,
            threads=settings.threads,
            local_files_only=settings.offline,
        )
