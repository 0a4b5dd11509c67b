"""Recalling: from a query to hits, with reasons for what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

from numpy.typing import ArrayLike

from romaine.errors import DimensionError, OtherEmbedderError
from romaine.memory.abstention import GENERIC, Calibration, calibration_for
from romaine.memory.cache import IndexCache
from romaine.memory.encoder import MemoryEmbedder, TokenEmbedder
from romaine.memory.hits import Explanation
from romaine.memory.index import EXACT_ROWS
from romaine.memory.judging import Judges
from romaine.memory.large import LargeScope
from romaine.memory.late import TokenSource
from romaine.memory.locks import Turns
from romaine.memory.options import RecallOptions
from romaine.memory.query import Query, build_query, query_vector
from romaine.memory.records import Scope
from romaine.memory.scope_view import ScopeView, StaleRead
from romaine.memory.search import Search
from romaine.memory.storage import Snapshot
from romaine.memory.store import Bound, Store
from romaine.memory.token_codec import LateInteraction
from romaine.memory.views import view_of

_LARGE_BYTES = 256 << 20  # for samples of scopes that are not loaded, 3 MB each


@dataclass(frozen=True, eq=False)
class _Serving:
    """What answers for one embedder: it, and the indexes of its vectors."""

    bound: Bound
    full: MemoryEmbedder
    views: IndexCache[Scope, ScopeView]
    large: IndexCache[Scope, LargeScope]
    calibration: Calibration
    tokens: TokenSource | None


class Recaller:
    """Answers recalls over a file, with an index in memory for each scope that was asked for lately.

    Args:
        store: The file.
        cache_bytes: How much the indexes may hold together.
        judges: Who decides the order.
    """

    def __init__(self, store: Store, *, cache_bytes: int, judges: Judges) -> None:
        self._store = store
        self._cache_bytes = cache_bytes
        self._judges = judges
        self._turns = Turns()
        self._serving = self._serving_for(store.bound)

    def clear(self) -> None:
        """Drops all indexes."""
        self._serving.views.clear()

    def recall(
        self,
        query: str | Sequence[str],
        scope: Scope,
        options: RecallOptions,
        *,
        vector: ArrayLike | None = None,
    ) -> Explanation:
        """Finds what fits; `explain` decides whether what was left out is told."""
        self._store.storage.check_process()  # a fork may have left the locks of indexes locked for good
        while True:
            serving = self._current()
            try:
                return self._recall(serving, query, scope, options, vector)
            except OtherEmbedderError:
                # another thread may have brought the file over since the query was embedded
                if not self._store.has_switched_from(serving.bound):
                    raise

    def _recall(
        self,
        serving: _Serving,
        query: str | Sequence[str],
        scope: Scope,
        options: RecallOptions,
        vector: ArrayLike | None,
    ) -> Explanation:
        first_stage = serving.bound.embedder.dim
        if options.dim is not None and options.dim > first_stage:
            raise DimensionError(
                f"dim={options.dim} is more than the memory's first stage has: choose up to {first_stage},"
                " or open the memory with an embedder of a larger dim"
            )
        given = None if vector is None else query_vector(vector, serving.full.full_dim)
        source = serving.tokens
        asked = build_query(
            query,
            serving.full.embed_queries,
            self._store.analyzer,
            vector=given,
            embed_tokens=None if source is None else source.of_query,
        )
        view = self._view(serving, scope)
        while True:
            try:
                with self._store.storage.read(scope.user) as snapshot:
                    self._store.check_embedder(snapshot, serving.bound)
                    self._store.check_analyzer(snapshot)
                    decides = self._judges, serving.calibration, source
                    pooled = self._pooled(serving, snapshot, scope, asked, options)
                    if pooled is not None:
                        found = Search(*decides, pooled, snapshot, asked, options).run()
                        if source is not None:
                            serving.large.note_growth(scope)
                        return found
                    with view.at(snapshot) as changed, self._turn(view):
                        held = view.tokens.nbytes
                        found = Search(*decides, view, snapshot, asked, options).run()
                        if changed or view.tokens.nbytes != held:
                            serving.views.note_growth(scope)
                        return found
            except StaleRead:  # another thread asked later and got a later state
                continue

    def _pooled(
        self, serving: _Serving, snapshot: Snapshot, scope: Scope, query: Query, options: RecallOptions
    ) -> ScopeView | None:
        """What may be found best in a scope that is too large to be loaded, or None if it is not."""
        if snapshot.setting("large") is None:
            return None
        view = view_of(snapshot, scope)
        large = snapshot.large(view.segments)
        if large is None:
            return None
        shared = serving.large.get_or_put(scope, lambda: LargeScope(scope, full_dim=serving.full.full_dim))
        if shared.refresh(snapshot, large, view):
            serving.large.note_growth(scope)
        return shared.view(large, view, query, options)

    def _turn(self, view: ScopeView) -> AbstractContextManager[None]:
        """A turn in a small scope; in a large one most time goes into numpy, where threads do not meet."""
        return self._turns.taken() if len(view.index) <= EXACT_ROWS else nullcontext()

    def _current(self) -> _Serving:
        bound = self._store.bound
        if self._serving.bound is not bound:
            self._serving = self._serving_for(bound)
        return self._serving

    def _serving_for(self, bound: Bound) -> _Serving:
        card = getattr(bound.embedder, "card", None)
        full, how = bound.embedder.with_dim(None), self._store.late_interaction(bound)
        return _Serving(
            bound,
            full,
            IndexCache(self._cache_bytes),
            IndexCache(_LARGE_BYTES),
            calibration_for(getattr(card, "id", GENERIC), late=how is not LateInteraction.OFF),
            None if how is LateInteraction.OFF else TokenSource(cast("TokenEmbedder", full), how),
        )

    def _view(self, serving: _Serving, scope: Scope) -> ScopeView:
        return serving.views.get_or_put(
            scope,
            lambda: ScopeView(scope, full_dim=serving.full.full_dim, dim=serving.bound.embedder.dim),
        )

    @property
    def nbytes(self) -> int:
        """Bytes that the indexes hold."""
        return self._serving.views.nbytes
