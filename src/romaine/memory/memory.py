"""`RoleplayMemory`: what was said, kept in one file and found again."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from romaine.errors import OptionError
from romaine.memory import edits, exchange, health, reembedding
from romaine.memory.checks import check_optional_name
from romaine.memory.codec import VectorFormat
from romaine.memory.encoder import MemoryEmbedder
from romaine.memory.health import Health
from romaine.memory.judging import Judges
from romaine.memory.language import Analyzer
from romaine.memory.learned import LEARNED_RANKER
from romaine.memory.lifecycle import Lifecycle
from romaine.memory.ranking import Ranker, Reranker
from romaine.memory.reading import MemoryReading
from romaine.memory.recall import Recaller
from romaine.memory.records import Scope, check_scope
from romaine.memory.storage import Progress, Storage
from romaine.memory.store import Bound, Store, open_storage
from romaine.memory.token_codec import LateInteraction
from romaine.memory.twins import twin
from romaine.memory.upgrade import bring_up_to_date
from romaine.memory.writing import MemoryWriting
from romaine.options import explains

_GIGABYTE = 1 << 30


class RoleplayMemory(MemoryReading, MemoryWriting):
    """A memory in one file. Safe to call from many threads; many processes may open one file.

    Every call names the scope it speaks for, and sees and touches nothing else. A write that returned is on
    the disk. Reading writes nothing; `mark_used` tells the memory what was of use.

    Args:
        path: The file, made if it is not there, or ":memory:"; or an open `Storage`, which is closed with it.
        embedder: An `Embedder`; its `dim` is that of the first stage of search. Vectors are kept at full_dim.
            None for the bundled model at 64 dimensions.
        vector_format: "float32", "float16" or "int8" for a new file; an old file keeps its own. In Postgres
            also "halfvec", if it has the extension vector.
        analyzer: What makes of texts the terms they are found by: an `Analyzer` or the name of one. None for
            the file's own, in a new file "default". With another one, or another version of it, the file's
            terms are made anew when it is opened.
        late_interaction: Where the vectors of tokens come from that each token of a query is compared with:
            "stored" beside each memory (about 1 KB), "computed" when a recall looks at it, or "off". None for
            the file's own; in a new file "stored" if the embedder gives such vectors, else "off".
        lifecycle: How memories fade.
        ranker: What decides the order, e.g. `WeightedRanker(Weights(lexical=0.9))`; None for the default one.
            `min_score` is in its unit; "auto" always judges by the default one.
        reranker: What looks at the first hits again and puts them in its own order; None for nothing. The
            scores of these go to others among them, as `parts["rerank"]` says; all others stay behind.
        rerank: How many of the best candidates the reranker looks at.
        cache_bytes: How much the indexes of scopes may hold in memory together.
        lock_timeout: Seconds to wait for other processes, where a file is given.
        read_only: Never write; for files without write permission. An open storage says so itself.

    Raises:
        OptionError: If a value is not allowed.
        OtherEmbedderError: If the file holds vectors of another embedder; `reembed` brings it over.
        OtherAnalyzerError: If the file's terms are those of an analyzer that is not known here.
        StorageError: As its subclasses say.
    """

    @explains
    def __init__(
        self,
        path: str | Path | Storage,
        *,
        embedder: MemoryEmbedder | None = None,
        vector_format: str | VectorFormat | None = None,
        analyzer: Analyzer | str | None = None,
        late_interaction: str | LateInteraction | None = None,
        lifecycle: Lifecycle | None = None,
        ranker: Ranker | None = None,
        reranker: Reranker | None = None,
        rerank: int = 20,
        cache_bytes: int = 2 * _GIGABYTE,
        lock_timeout: float = 60.0,
        read_only: bool = False,
    ) -> None:
        self.lifecycle = lifecycle or Lifecycle()
        judges = Judges(ranker=LEARNED_RANKER if ranker is None else ranker, reranker=reranker, first=rerank)
        wanted = None if vector_format is None else VectorFormat.parse(vector_format)
        late = None if late_interaction is None else LateInteraction.parse(late_interaction)
        embedder = _bundled() if embedder is None else embedder
        if not isinstance(path, Storage):
            path = open_storage(path, lock_timeout=lock_timeout, read_only=read_only)
        self.path = path.name
        try:
            self._store = Store(
                path, embedder, vector_format=wanted, analyzer=analyzer, late_interaction=late
            )
            bring_up_to_date(self._store)
        except BaseException:
            path.close()
            raise
        self._recaller = Recaller(self._store, cache_bytes=cache_bytes, judges=judges)

    def __enter__(self) -> RoleplayMemory:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RoleplayMemory({self.path!r})"

    @property
    def embedder(self) -> MemoryEmbedder:
        """Whose vectors the file holds."""
        return self._store.embedder

    @property
    def analyzer(self) -> Analyzer:
        """What makes the file's terms."""
        return self._store.analyzer

    @property
    def index_bytes(self) -> int:
        """Bytes that the indexes of scopes hold in memory."""
        return self._recaller.nbytes

    def close(self) -> None:
        """Closes the file. Nothing is pending; closing twice is nothing."""
        self._recaller.clear()
        self._store.storage.close()

    # --- the file ------------------------------------------------------------------------------------------

    def export_jsonl(self, path: str | Path | BinaryIO, scope: Scope) -> int:
        """Writes what a scope sees to a JSONL file, without vectors; returns how many memories.

        Args:
            path: The file, or one that is open for writing bytes.
            scope: Who asks.
        """
        return exchange.export_jsonl(self._store, path, check_scope(scope))

    def import_jsonl(
        self, path: str | Path | BinaryIO, *, scope: Scope | None = None, user: str | None = None
    ) -> int:
        """Adds the memories of a JSONL file, all or none; returns how many are new.

        Args:
            path: What `export_jsonl` wrote, or such a file that is open for reading bytes anywhere.
            scope: Whose memory they become.
            user: Instead of `scope`: keep the characters and chats that the file names, all of this user.

        Raises:
            FormatError: If the file is not such a file, or names another user than `user`.
            OptionError: If not exactly one of `scope` and `user` is given.
        """
        if (scope is None) == (user is None):
            raise OptionError(
                f"scope={scope!r}, user={user!r}: give one of them, to say whose memory it becomes"
            )
        if scope is not None:
            check_scope(scope)
        return exchange.import_jsonl(self._store, path, scope=scope, user=check_optional_name("user", user))

    def reembed(
        self,
        embedder: MemoryEmbedder | None = None,
        *,
        batch_size: int = 256,
        progress: Progress | None = None,
    ) -> int:
        """Embeds everything again and switches to the new vectors at once. See `romaine.memory.reembed`.

        Args:
            embedder: The new embedder; None for the present one.
            batch_size: Memories embedded at a time.
            progress: Told how many are done, of how many.

        Returns:
            How many memories were embedded.
        """
        new = Bound.to(embedder if embedder is not None else self.embedder)

        def adopt() -> None:
            self._store.bound = new

        return reembedding.reembed_storage(
            self._store.storage,
            new.embedder,
            batch_size=batch_size,
            progress=progress,
            switching=self._store.switching,
            adopt=adopt,
        )

    def erase(self) -> bool:
        """Empties the write-ahead log of what was forgotten while another process read an older state.

        Returns:
            Whether nothing of it is left in any file; False if others still read, or the file is read-only.
        """
        return edits.erase(self._store)

    def verify(self) -> Health:
        """Checks every page of the file and every row against its checksum."""
        return health.verify(self._store)

    def repair(self) -> int:
        """Embeds damaged memories again; returns how many. What cannot be read at all is deleted."""
        return health.repair(self._store)

    # --- the same, for event loops -------------------------------------------------------------------------

    aadd_turns = twin(MemoryWriting.add_turns)
    aadd_fact = twin(MemoryWriting.add_fact)
    aadd_lore = twin(MemoryWriting.add_lore)
    aadd_summary = twin(MemoryWriting.add_summary)
    aadd_notes = twin(MemoryWriting.add_notes)
    aretract = twin(MemoryWriting.retract)
    abranch = twin(MemoryWriting.branch)
    aforget = twin(MemoryWriting.forget)
    arestore = twin(MemoryWriting.restore)
    apin = twin(MemoryWriting.pin)
    aunpin = twin(MemoryWriting.unpin)
    aupdate = twin(MemoryWriting.update)
    amark_used = twin(MemoryWriting.mark_used)
    adecay = twin(MemoryWriting.decay)
    arecall = twin(MemoryReading.recall)
    ausers = twin(MemoryReading.users)
    ascopes = twin(MemoryReading.scopes)
    aget = twin(MemoryReading.get)
    alist = twin(MemoryReading.list)
    aderived = twin(MemoryReading.derived)
    avectors = twin(MemoryReading.vectors)
    astats = twin(MemoryReading.stats)
    aexport_jsonl = twin(export_jsonl)
    aimport_jsonl = twin(import_jsonl)
    areembed = twin(reembed)
    averify = twin(verify)
    arepair = twin(repair)
    aerase = twin(erase)
    aclose = twin(close)

    async def __aenter__(self) -> RoleplayMemory:  # noqa: PYI034
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _bundled() -> MemoryEmbedder:
    from romaine.embedder import Embedder

    return Embedder(dim=64)
