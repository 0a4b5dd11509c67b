"""The reading half of `RoleplayMemory`: nothing here writes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Literal, overload

from numpy.typing import ArrayLike

from romaine.arrays import FloatArray
from romaine.memory.hits import Explanation
from romaine.memory.listing import HeldScope, Stats, find_memory, list_memories, scopes_of, stats_of, users_of
from romaine.memory.options import RecallOptions
from romaine.memory.recall import Recaller
from romaine.memory.records import Hit, Kind, Memory, Scope, check_scope
from romaine.memory.restoring import derived_memories
from romaine.memory.sampling import sampled_vectors
from romaine.memory.store import Store
from romaine.options import explains


class MemoryReading:
    """What may be asked of a memory."""

    _store: Store
    _recaller: Recaller

    @overload
    def recall(
        self,
        query: str | Sequence[str],
        scope: Scope,
        *,
        k: int = 5,
        token_budget: int | None = None,
        min_score: float | str | None = None,
        kinds: Collection[Kind | str] | None = None,
        speakers: Collection[str] | None = None,
        as_character: str | None = None,
        as_of: int | datetime | None = None,
        include_superseded: bool = False,
        neighbours: int = 0,
        order: str = "score",
        diversity: int | None = None,
        dim: int | None = None,
        vector: ArrayLike | None = None,
        without_sources: Collection[str] | None = None,
        where: Callable[[Memory], bool] | None = None,
        explain: Literal[False] = False,
    ) -> list[Hit]: ...

    @overload
    def recall(
        self,
        query: str | Sequence[str],
        scope: Scope,
        *,
        k: int = 5,
        token_budget: int | None = None,
        min_score: float | str | None = None,
        kinds: Collection[Kind | str] | None = None,
        speakers: Collection[str] | None = None,
        as_character: str | None = None,
        as_of: int | datetime | None = None,
        include_superseded: bool = False,
        neighbours: int = 0,
        order: str = "score",
        diversity: int | None = None,
        dim: int | None = None,
        vector: ArrayLike | None = None,
        without_sources: Collection[str] | None = None,
        where: Callable[[Memory], bool] | None = None,
        explain: Literal[True],
    ) -> Explanation: ...

    @explains
    def recall(
        self,
        query: str | Sequence[str],
        scope: Scope,
        *,
        k: int = 5,
        token_budget: int | None = None,
        min_score: float | str | None = None,
        kinds: Collection[Kind | str] | None = None,
        speakers: Collection[str] | None = None,
        as_character: str | None = None,
        as_of: int | datetime | None = None,
        include_superseded: bool = False,
        neighbours: int = 0,
        order: str = "score",
        diversity: int | None = None,
        dim: int | None = None,
        vector: ArrayLike | None = None,
        without_sources: Collection[str] | None = None,
        where: Callable[[Memory], bool] | None = None,
        explain: bool = False,
    ) -> list[Hit] | Explanation:
        """Finds the memories that fit a question or what is being said.

        Args:
            query: One text, or the last few messages, the latest last.
            scope: Whose memory; nothing else is ever found.
            k: How many hits at most.
            token_budget: How many tokens hits and neighbours may have together.
            min_score: Score a hit must reach, in the ranker's unit; "auto" returns nothing where the model's
                calibration doubts that the answer is there; None returns the k best.
            kinds: Which kinds may be found: "turn", "fact", "lore", "summary"; None for all.
            speakers: Whose words may be found; None for all.
            as_character: Leaves out what this character did not witness; the scope's own always applies.
            as_of: Story position or time; only what was there and held then is found.
            include_superseded: Whether what was corrected may be found too.
            neighbours: How many turns before and after each hit to show; none is shown twice.
            order: "score", or "chronological" for the order of the story.
            diversity: How many of one category come before the others have their turn.
            dim: Components of the first stage of search, up to the embedder's own.
            vector: Embedding of the query, (full_dim,), where the caller has it already; words are looked for
                from `query` all the same.
            without_sources: Source ids of messages that the prompt shows already: they are neither hits nor
                neighbours.
            where: Says which of the memories that all else allows may be found, asked of each before
                anything is ranked; it must not call the memory. Neighbours are not asked about.
            explain: Whether to return an `Explanation`, which tells what was left out and why.

        Returns:
            Hits, the best first unless `order` says otherwise.

        Raises:
            OptionError: If an option has a value that is not allowed.
            VectorError: If `vector` has another shape or holds values that are not finite.
            RankingError: If the ranker or reranker fails or gives what cannot be used.
            OtherEmbedderError: If another process has brought the file over to another embedder.
        """
        options = RecallOptions(
            k=k,
            token_budget=token_budget,
            min_score=min_score,
            kinds=kinds,
            speakers=speakers,
            as_character=as_character,
            as_of=as_of,
            include_superseded=include_superseded,
            neighbours=neighbours,
            order=order,
            diversity=diversity,
            dim=dim,
            without_sources=without_sources,
            where=where,
            explain=explain,
        )
        explanation = self._recaller.recall(query, check_scope(scope), options, vector=vector)
        return explanation if explain else list(explanation.hits)

    def users(self) -> list[str]:
        """Returns everybody whose memory the file ever held; for who looks after it, not for its users."""
        return users_of(self._store)

    def scopes(self, user: str) -> list[HeldScope]:
        """Returns the scopes of a user that hold something, by chat and character.

        Args:
            user: Whose; others' are never told.
        """
        return scopes_of(self._store, user)

    def get(self, scope: Scope, memory_id: str) -> Memory:
        """Returns one memory.

        Raises:
            MemoryNotFoundError: If the scope sees no memory of this id.
        """
        return find_memory(self._store, check_scope(scope), memory_id)

    def list(
        self,
        scope: Scope,
        *,
        kinds: Collection[Kind | str] | None = None,
        include_superseded: bool = True,
        source_ids: Collection[str] | None = None,
        source_prefix: str | None = None,
        after: int | None = None,
        before: int | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[Memory]:
        """Returns what a scope sees, in the order of the story; what has no place in it comes last.

        Args:
            scope: Who asks.
            kinds: Which kinds; None for all.
            include_superseded: Whether what was corrected is listed, too.
            source_ids: Only what comes from these messages or entries, found without reading the rest.
            source_prefix: Only what comes from messages or entries whose id begins so.
            after: Only what stands after this position in the story, found without reading the rest.
            before: Only what stands before this one; what has no place is not listed then.
            offset: How many to leave out at the beginning.
            limit: How many at most.
        """
        options = RecallOptions(kinds=kinds, include_superseded=include_superseded)
        return list_memories(
            self._store,
            check_scope(scope),
            options,
            source_ids=source_ids,
            source_prefix=source_prefix,
            after=after,
            before=before,
            offset=offset,
            limit=limit,
        )

    def derived(self, scope: Scope, ids: Collection[str]) -> Sequence[Memory]:
        """Returns memories with all that was made from them, which `forget` and `retract` take along.

        Args:
            scope: Who asks.
            ids: Of what is to go.

        Raises:
            MemoryNotFoundError: If the scope sees no memory of one of the ids.
        """
        return derived_memories(self._store, check_scope(scope), ids)

    def vectors(
        self, scope: Scope, *, kinds: Collection[Kind | str] | None = None, limit: int = 2000
    ) -> tuple[Sequence[Memory], FloatArray]:
        """Returns memories with their vectors, taken evenly over all that the scope sees if that is more.

        Args:
            scope: Who asks.
            kinds: Which kinds; None for all.
            limit: How many at most.

        Returns:
            `n` memories in the order of the story, and what was made of their words, float32 (n, full_dim),
            unit length. Those whose vectors are damaged are left out.
        """
        options = RecallOptions(kinds=kinds)
        return sampled_vectors(self._store, check_scope(scope), options, limit=limit)

    def stats(self, scope: Scope) -> Stats:
        """Returns how much a scope sees, and how large the file is."""
        return stats_of(self._store, check_scope(scope))
