"""How well a memory finds the turns that answer questions about very long chats.

Counted on LoCoMo and REALTALK files: the turns of one conversation are searched, recall@k of a question is
the share of its evidence among the first k turns, and every figure is the mean over all questions of all
files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from romaine.arrays import top_k
from romaine.choice import Choice
from romaine.errors import OptionError
from romaine.formats.locomo import Conversation, read_conversations
from romaine.memory.hits import Explanation
from romaine.memory.language import DEFAULT
from romaine.memory.lexical import LexicalIndex
from romaine.memory.memory import RoleplayMemory
from romaine.memory.ranking import Ranker
from romaine.memory.records import Scope
from romaine.memory.terms import document_text, term_ids, word_terms

if TYPE_CHECKING:
    from romaine.embedder import Embedder

CUTOFFS = (1, 5, 10)
_SCOPE = Scope(user="evaluation", chat="conversation")


class Mode(Choice):
    """How turns are ranked."""

    HYBRID = "hybrid"
    """The ranking that `RoleplayMemory.recall` uses by default."""
    DENSE = "dense"
    """Cosine of question and ``speaker: text`` alone, what frameworks do by default."""
    WORDS = "words"
    """BM25 over the terms of the default analyzer alone."""


@dataclass(frozen=True, kw_only=True)
class MemoryReport:
    """What was measured, means over all questions.

    Attributes:
        model: The model's id.
        dim: Components the turns were compared with: all of them for dense, the funnel's first stage for
            hybrid.
        mode: How turns were ranked.
        conversations: How many were searched, each on its own.
        questions: How many were asked.
        hit_at_1: Share of questions whose first turn is evidence.
        recall: Recall at each of `CUTOFFS`.
        mrr_at_10: Mean of 1 / rank of the first evidence, 0 where it is not among the first 10.
        queries_per_second: Questions asked and answered, embedding included, one at a time.
        index_bytes: Memory of all indexes.
    """

    model: str
    dim: int
    mode: Mode
    conversations: int
    questions: int
    hit_at_1: float
    recall: dict[int, float]
    mrr_at_10: float
    queries_per_second: float
    index_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Returns the figures under the names they are published with."""
        return {
            "questions": self.questions,
            "hit@1": self.hit_at_1,
            **{f"recall@{k}": self.recall[k] for k in CUTOFFS},
            "mrr@10": self.mrr_at_10,
            "queries/s": self.queries_per_second,
            "index_bytes": self.index_bytes,
            "conversations": self.conversations,
            "model": self.model,
            "dim": self.dim,
            "mode": self.mode.value,
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The ranks of one question's evidence.

    Attributes:
        ranks: 1-based rank of each turn of evidence that was found, ascending.
        evidence: How many turns of evidence there are.
    """

    ranks: tuple[int, ...]
    evidence: int

    def recall(self, k: int) -> float:
        """Share of the evidence among the first `k` turns."""
        return sum(rank <= k for rank in self.ranks) / self.evidence

    @property
    def reciprocal_rank(self) -> float:
        """1 / rank of the first evidence, 0 if none was found."""
        return 1 / self.ranks[0] if self.ranks else 0.0


Source = str | os.PathLike[str] | Conversation

Find = Callable[[str], Sequence[int]]
"""Takes a question, returns numbers of turns, best first, at most the largest of `CUTOFFS`."""


def evaluate_memory(
    files: Iterable[Source],
    *,
    embedder: Embedder | None = None,
    dim: int | None = None,
    mode: str | Mode = Mode.HYBRID,
    ranker: Ranker | None = None,
) -> MemoryReport:
    """Asks every question of every conversation and counts what is found.

    Args:
        files: LoCoMo or REALTALK files, each one conversation or a list of them; or conversations.
        embedder: Embeds turns and questions; None for the bundled model.
        dim: Components to compare turns with (dense) or to find candidates with (hybrid); None for the
            embedder's own.
        mode: "hybrid", "dense" or "words".
        ranker: What decides the order of hybrid; None for the default one.

    Raises:
        FormatError: If a file cannot be read or holds no conversation.
        OptionError: If no file is given, or no question with evidence is in any of them.
        DimensionError: If the model cannot give `dim`.
    """
    from romaine.embedder import Embedder

    mode = Mode.parse(mode)
    conversations = conversations_of(files)
    if not any(c.questions for c in conversations):
        raise OptionError(
            "no questions with evidence to ask: give LoCoMo or REALTALK files that hold a 'qa' list"
        )
    embedder = (embedder or Embedder()).warm_up()
    if dim is not None:
        embedder = embedder.with_dim(dim).warm_up()
    outcomes: list[Outcome] = []
    seconds, index_bytes = 0.0, 0
    for conversation in conversations:
        with _searched(conversation, mode, embedder, ranker) as (find, nbytes):
            started = time.perf_counter()
            outcomes += ask(conversation, find)
            seconds += time.perf_counter() - started
            index_bytes += nbytes
    return MemoryReport(
        model=embedder.card.id,
        dim=embedder.dim,
        mode=mode,
        conversations=len(conversations),
        questions=len(outcomes),
        hit_at_1=_mean(1 in outcome.ranks for outcome in outcomes),
        recall={k: _mean(outcome.recall(k) for outcome in outcomes) for k in CUTOFFS},
        mrr_at_10=_mean(outcome.reciprocal_rank for outcome in outcomes),
        queries_per_second=len(outcomes) / seconds,
        index_bytes=index_bytes,
    )


def conversations_of(files: Iterable[Source]) -> list[Conversation]:
    """The conversations of files; one that is given as such is itself.

    Raises:
        FormatError: If a file cannot be read or holds no conversation.
    """
    return [
        conversation
        for file in files
        for conversation in ([file] if isinstance(file, Conversation) else read_conversations(file))
    ]


def ask(conversation: Conversation, find: Find) -> list[Outcome]:
    """Asks every question of a conversation with `find`, which is what is measured."""
    number = {turn.source_id: index for index, turn in enumerate(conversation.turns)}
    outcomes = []
    for question in conversation.questions:
        found = list(find(question.text))[: max(CUTOFFS)]
        evidence = {number[source_id] for source_id in question.evidence}
        ranks = tuple(rank for rank, turn in enumerate(found, 1) if turn in evidence)
        outcomes.append(Outcome(ranks=ranks, evidence=len(evidence)))
    return outcomes


class ConversationMemory:
    """The turns of one conversation in a memory of their own, with every default. Use it in a `with` block.

    Args:
        conversation: Its turns; those without text are left out, as nothing could find them.
        embedder: Its `dim` is that of the funnel's first stage.
        ranker: What decides the order; None for the default one.
    """

    def __init__(
        self, conversation: Conversation, embedder: Embedder, *, ranker: Ranker | None = None
    ) -> None:
        self._memory = RoleplayMemory(":memory:", embedder=embedder, ranker=ranker)
        self._number = {turn.source_id: number for number, turn in enumerate(conversation.turns)}
        self._memory.add_turns(_SCOPE, [turn for turn in conversation.turns if turn.text.strip()])
        self.find("", 1)  # loads the index, so that the first question is like any other

    def __enter__(self) -> ConversationMemory:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()

    @property
    def nbytes(self) -> int:
        """Memory of the index."""
        return self._memory.index_bytes

    def find(self, question: str, k: int) -> list[int]:
        """Returns the numbers of the `k` turns that answer a question best, best first."""
        return [self._number[hit.memory.source_id] for hit in self._memory.recall(question, _SCOPE, k=k)]

    def explain(self, question: str, k: int) -> Explanation:
        """Returns the same as hits, and why."""
        return self._memory.recall(question, _SCOPE, k=k, explain=True)


def _searched(
    conversation: Conversation, mode: Mode, embedder: Embedder, ranker: Ranker | None
) -> AbstractContextManager[tuple[Find, int]]:
    if mode is Mode.DENSE:
        return _dense(conversation, embedder)
    if mode is Mode.WORDS:
        return _words(conversation)
    return _hybrid(conversation, embedder, ranker)


@contextmanager
def _words(conversation: Conversation) -> Iterator[tuple[Find, int]]:
    index = LexicalIndex()
    index.add([term_ids(document_text(turn.text, turn.speaker), DEFAULT) for turn in conversation.turns])

    def find(question: str) -> list[int]:
        words = DEFAULT.words(question)
        content = [word for word in words if not word.is_stop] or words
        found: list[int] = top_k(index.match(word_terms(content)).scores, max(CUTOFFS)).tolist()
        return found

    find("")
    yield find, index.nbytes


@contextmanager
def _dense(conversation: Conversation, embedder: Embedder) -> Iterator[tuple[Find, int]]:
    texts = [document_text(turn.text, turn.speaker) for turn in conversation.turns]
    vectors = embedder.embed_documents(texts)
    yield (
        lambda question: top_k(vectors @ embedder.embed_query(question), max(CUTOFFS)).tolist(),
        vectors.nbytes,
    )


@contextmanager
def _hybrid(
    conversation: Conversation, embedder: Embedder, ranker: Ranker | None
) -> Iterator[tuple[Find, int]]:
    with ConversationMemory(conversation, embedder, ranker=ranker) as memory:
        yield lambda question: memory.find(question, max(CUTOFFS)), memory.nbytes


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
