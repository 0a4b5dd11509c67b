"""`DocumentRanker`: what ranks a memory, over any documents and without a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import OptionError, TextTypeError
from romaine.memory.candidates import Entries
from romaine.memory.checks import as_utc, check_count, check_optional_name, check_text
from romaine.memory.codec import encode_time
from romaine.memory.encoder import Draft, Embedded, Encoder, MemoryEmbedder, name_of
from romaine.memory.judging import Judges
from romaine.memory.language import DEFAULT, Analyzer, analyzer_named
from romaine.memory.query import Query, build_query, named_speakers
from romaine.memory.ranking import DEFAULT_RANKER, Ranker, Ranking, Signals
from romaine.memory.scope_index import ScopeIndex
from romaine.memory.terms import document_text, term_ids
from romaine.memory.times import TimeScores
from romaine.memory.turn_order import NOWHERE

_NEVER = -(1 << 60)  # microseconds since 1970 of what has no time: before every window
_CREATED = np.dtype([("created", "i8")])


@dataclass(frozen=True)
class Passage:
    """A document with what else is known of it.

    Attributes:
        text: What it says; one without any comes last.
        speaker: Who said it, or None.
        at: When, or None; a naive time is taken as UTC.
        previous: What was said right before, after its speaker's name and a colon if it had one; or None. It
            may be another of the documents.
    """

    text: str
    speaker: str | None = None
    at: datetime | None = None
    previous: str | None = None

    def __post_init__(self) -> None:
        check_text(self.text)
        check_optional_name("speaker", self.speaker)
        if self.at is not None:
            object.__setattr__(self, "at", as_utc(self.at, "at"))
        if self.previous is not None:
            check_text(self.previous)

    @classmethod
    def from_metadata(
        cls,
        text: str,
        metadata: Mapping[str, Any],
        *,
        speaker: str | None = "speaker",
        at: str | None = "created_at",
        previous: str | None = "previous",
    ) -> Passage:
        """Makes a passage of a framework's document.

        Args:
            text: What it says.
            metadata: What may hold the rest; what is no name, time or text there is as if it were not there.
            speaker: Under which key the speaker stands; None for nowhere.
            at: The same of the time, a datetime or ISO 8601.
            previous: The same of what was said right before.
        """
        name, moment, before = (None if key is None else metadata.get(key) for key in (speaker, at, previous))
        return cls(
            text,
            speaker=name if isinstance(name, str) and name else None,
            at=_moment(moment),
            previous=before if isinstance(before, str) else None,
        )


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))  # Python 3.10 does not know the Z
        return as_utc(value, "at") if isinstance(value, datetime) else None
    except (ValueError, OptionError):
        return None


@dataclass(frozen=True)
class RankedDocument:
    """A document's place among those it was ranked with.

    Attributes:
        index: Which of the documents.
        score: Higher is better. It says how a document compares with the others, and changes with them.
        parts: What the score is made of, as in `Hit.parts`.
    """

    index: int
    score: float
    parts: dict[str, float]


class DocumentRanker:
    """Puts any documents in the order in which a memory would recall them. Keeps nothing between calls.

    Safe to call from many threads. What costs time is embedding the documents.

    Args:
        embedder: What embeds query and documents; None for the bundled model. It is used at full_dim.
        analyzer: What finds words: an `Analyzer` or the name of one.
        ranker: What scores; None for the default one.

    Raises:
        OptionError: If a value is not allowed.
    """

    def __init__(
        self,
        embedder: MemoryEmbedder | None = None,
        *,
        analyzer: Analyzer | str = DEFAULT,
        ranker: Ranker | None = None,
    ) -> None:
        if embedder is None:
            from romaine.embedder import Embedder

            embedder = Embedder()
        name_of(embedder)  # raises if it is none
        self._embedder = embedder.with_dim(None)
        self._analyzer = analyzer_named(analyzer) if isinstance(analyzer, str) else analyzer
        if not isinstance(self._analyzer, Analyzer):
            raise OptionError(f"analyzer={analyzer!r} is neither an Analyzer nor the name of one")
        self._judges = Judges(ranker=DEFAULT_RANKER if ranker is None else ranker)

    def rank(
        self, query: str | Sequence[str], documents: Sequence[str | Passage], *, k: int | None = None
    ) -> list[RankedDocument]:
        """Ranks documents.

        Args:
            query: One text, or the last few messages, the latest last.
            documents: Texts, or `Passage`s where more is known. Cosines and words count by how they spread
                over all of these, so give all that come into question at once.
            k: How many are returned at most; None for all.

        Returns:
            The best first, equal ones in their order.

        Raises:
            TextTypeError: If the query is neither a str nor a sequence of str, or a document no text.
            OptionError: If the query is an empty sequence, or `k` is no count.
            RankingError: If the ranker fails or gives what cannot be used.
        """
        check_count("k", k, optional=True)
        passages = _passages(documents)
        asked = build_query(query, self._embedder.embed_queries, self._analyzer)
        if not passages or k == 0:
            return []
        ranking = _ranking(asked, passages, self._embedded(passages), self._judges)
        blank = np.array([not passage.text.strip() for passage in passages])
        if blank.any() and not blank.all():
            lowered = np.minimum(ranking.scores, ranking.scores[~blank].min()) - ranking.scores
            ranking = ranking.with_part("empty", np.where(blank, lowered, 0.0))
        order = np.lexsort((-ranking.scores, blank))[:k]
        return [
            RankedDocument(i, float(ranking.scores[i]), parts)
            for i, parts in zip(order.tolist(), ranking.parts_of_each(order), strict=True)
        ]

    def _embedded(self, passages: Sequence[Passage]) -> Embedded:
        encoder = Encoder(self._embedder)
        drafts = [Draft(document_text(p.text, p.speaker), p.previous) for p in passages]
        encoder.prepare(drafts)
        return encoder.embedded(drafts)


def score_texts(
    query: str,
    texts: Sequence[str],
    *,
    query_vector: FloatArray,
    vectors: FloatArray,
) -> NDArray[np.float64]:
    """Scores texts whose vectors are at hand as a `DocumentRanker` does.

    Args:
        query: What is looked for.
        texts: `n` texts.
        query_vector: The query's embedding, unit or zero, float32 (full_dim,).
        vectors: The texts' embeddings, unit or zero, float32 (n, full_dim).

    Returns:
        float64 (n,); higher is better.
    """
    if not len(texts):
        return np.zeros(0)
    asked = build_query(query, lambda _: query_vector[None], DEFAULT, vector=query_vector)
    return _ranking(asked, list(map(Passage, texts)), Embedded(vectors, vectors), Judges()).scores


def _passages(documents: object) -> list[Passage]:
    if isinstance(documents, (str, bytes)) or not isinstance(documents, Sequence):
        raise TextTypeError(
            f"documents are a sequence of str or Passage, got {type(documents).__name__}; give [text] for one"
        )
    for number, document in enumerate(documents):
        if not isinstance(document, (str, Passage)):
            raise TextTypeError(
                f"documents[{number}] is {type(document).__name__}; every one must be a str or a Passage"
            )
    return [item if isinstance(item, Passage) else Passage(item) for item in documents]


def _ranking(query: Query, passages: Sequence[Passage], embedded: Embedded, judges: Judges) -> Ranking:
    """Scores of passages as memories of a scope that holds nothing else, in their order."""
    count, full_dim = embedded.vectors.shape
    texts = [document_text(passage.text, passage.speaker) for passage in passages]
    previous, beside = _before(passages, texts)
    created = [_NEVER if passage.at is None else encode_time(passage.at) for passage in passages]
    attributes = np.empty(count + len(beside), dtype=_CREATED)
    attributes["created"] = created + [_NEVER] * len(beside)
    empty = np.zeros((len(beside), full_dim), dtype=np.float32)
    index = ScopeIndex(full_dim=full_dim, dim=full_dim, attributes_dtype=_CREATED)
    index.add(
        Entries(
            ids=np.arange(count + len(beside), dtype=np.int64),
            vectors=np.concatenate((embedded.vectors, empty)) if beside else embedded.vectors,
            context_vectors=np.concatenate((embedded.contexts, empty)) if beside else embedded.contexts,
            terms=[term_ids(text, query.analyzer) for text in (*texts, *beside)],
            previous=np.array(previous + [NOWHERE] * len(beside), dtype=np.int64),
            attributes=attributes,
        )
    )
    wanted = np.arange(count + len(beside)) < count if beside else None
    candidates = index.search(query, mask=wanted, k=count)
    return judges.rank(query, candidates, _signals(query, passages, np.array(created)))


def _before(passages: Sequence[Passage], texts: Sequence[str]) -> tuple[list[int], list[str]]:
    """Which row stands before each passage, and the texts of rows that only stand before others."""
    free = {text: row for row, text in reversed(list(enumerate(texts)))}  # no row stands before two
    beside: list[str] = []
    before: list[int] = []
    for row, passage in enumerate(passages):
        if passage.previous is None:
            before.append(NOWHERE)
        elif free.get(passage.previous, row) != row:
            before.append(free.pop(passage.previous))
        else:
            before.append(len(texts) + len(beside))
            beside.append(passage.previous)
    return before, beside


def _signals(query: Query, passages: Sequence[Passage], created: NDArray[np.int64]) -> Signals:
    speakers = [passage.speaker for passage in passages]
    named = named_speakers(query.text, {name for name in speakers if name}, query.analyzer)
    timed = created != _NEVER
    times = np.sort(created[timed])
    recency = np.searchsorted(times, created) / max(len(times) - 1, 1)
    nowhere = np.full(len(passages), NOWHERE)
    scores = TimeScores(query.times, created=created, positions=nowhere, wanted=timed)
    no = np.zeros(len(passages), dtype=np.bool_)
    return Signals(
        speaker_named=np.array([speaker in named for speaker in speakers]),
        importance=np.ones(len(passages), dtype=np.float32),
        recency=np.where(timed, recency, 0.0).astype(np.float32),
        pinned=no,
        cold=no,
        time=scores.of(np.arange(len(passages))) if scores.rarity else None,
    )
