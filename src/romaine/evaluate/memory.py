"""How well a memory finds the turns that answer questions about very long chats.

Counted on LoCoMo and REALTALK files and on lines of evidence: the turns of one conversation are searched,
recall@k of a question is the share of its evidence among the first k turns, and every figure is the mean over
all questions of all files. A question that is a message of the chat is asked when the turns before it are all
there is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from romaine.arrays import top_k
from romaine.choice import Choice
from romaine.errors import OptionError
from romaine.evaluate.evidence import SUFFIXES, read_evidence
from romaine.evaluate.outcomes import CUTOFFS as CUTOFFS
from romaine.evaluate.outcomes import MOST, Outcome, RecallFigures, by_category
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
class MemoryReport(RecallFigures):
    """What was measured, means over all questions.

    Attributes:
        model: The model's id.
        dim: Components the turns were compared with: all of them for dense, the funnel's first stage for
            hybrid.
        mode: How turns were ranked.
        conversations: How many were searched, each on its own.
        categories: Of each kind of question that the files tell apart; nothing if they do not.
        queries_per_second: Questions asked and answered, embedding included, one at a time.
        index_bytes: Memory of all indexes.
    """

    model: str
    dim: int
    mode: Mode
    conversations: int
    categories: dict[str, RecallFigures]
    queries_per_second: float
    index_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Returns the figures under the names they are published with."""
        return {
            **super().to_json(),
            "queries/s": self.queries_per_second,
            "index_bytes": self.index_bytes,
            "conversations": self.conversations,
            "model": self.model,
            "dim": self.dim,
            "mode": self.mode.value,
            "categories": {name: figures.to_json() for name, figures in self.categories.items()},
        }


Source = str | os.PathLike[str] | Conversation

Find = Callable[[str], Sequence[int]]
"""Takes a question, returns numbers of turns, best first, at most the largest of `CUTOFFS`."""


@dataclass(frozen=True, eq=False)
class MeasuredSearch:
    """What is measured: a search of one conversation.

    Attributes:
        find: Finds turns.
        see: As for `ask`.
        nbytes: Says what memory the index takes.
    """

    find: Find
    see: Callable[[int], None]
    nbytes: Callable[[], int]


def evaluate_memory(
    files: Iterable[Source],
    *,
    embedder: Embedder | None = None,
    dim: int | None = None,
    mode: str | Mode = Mode.HYBRID,
    ranker: Ranker | None = None,
    late_interaction: str | None = None,
) -> MemoryReport:
    """Asks every question of every conversation and counts what is found.

    Args:
        files: What `conversations_of` reads.
        embedder: Embeds turns and questions; None for the bundled model.
        dim: Components to compare turns with (dense) or to find candidates with (hybrid); None for the
            embedder's own.
        mode: "hybrid", "dense" or "words".
        ranker: What decides the order of hybrid; None for the default one.
        late_interaction: Where hybrid has the vectors of tokens from, as for `RoleplayMemory`; None for
            "stored" if the model gives any.

    Raises:
        FormatError: If a file cannot be read or holds no conversation.
        UnknownNameError: If `late_interaction` is no such name.
        OptionError: If no file is given, no question with evidence is in any of them, or the model gives no
            vectors of tokens and `late_interaction` wants some.
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
    index_bytes = 0
    for conversation in conversations:
        with _searched(conversation, mode, embedder, ranker, late_interaction) as searched:
            outcomes += ask(conversation, searched.find, see=searched.see)
            index_bytes += searched.nbytes()
    return MemoryReport(
        model=embedder.card.id,
        dim=embedder.dim,
        mode=mode,
        conversations=len(conversations),
        **vars(RecallFigures.of(outcomes)),
        categories=by_category(outcomes),
        queries_per_second=len(outcomes) / sum(outcome.seconds for outcome in outcomes),
        index_bytes=index_bytes,
    )


def conversations_of(files: Iterable[Source], *, sources: Iterable[str] = ()) -> list[Conversation]:
    """The conversations of files; one that is given as such is itself.

    Args:
        files: LoCoMo or REALTALK files, lines of `evaluate.evidence`, or conversations.
        sources: Which chats of lines of evidence, by their `source`; all if empty.

    Raises:
        FormatError: If a file cannot be read or holds no conversation.
        OptionError: If one has no chat of `sources`.
    """
    sources, conversations = tuple(sources), list[Conversation]()
    for file in files:
        if isinstance(file, Conversation):
            conversations.append(file)
        elif os.fspath(file).endswith(SUFFIXES):
            conversations += read_evidence(file, sources=sources)
        else:
            conversations += read_conversations(file)
    return conversations


def ask(conversation: Conversation, find: Find, *, see: Callable[[int], None] | None = None) -> list[Outcome]:
    """Asks every question of a conversation, those that see least of it first.

    Args:
        conversation: What is asked about.
        find: What is measured.
        see: Told before each question how many of the turns there are by then.
    """
    number = {turn.source_id: index for index, turn in enumerate(conversation.turns)}
    asked = [
        (number.get(question.before or "", len(number)), question) for question in conversation.questions
    ]
    outcomes = []
    for turns, question in sorted(asked, key=lambda at: at[0]):
        if see is not None:
            see(turns)
        started = time.perf_counter()
        found = list(find(question.text))[:MOST]
        seconds = time.perf_counter() - started
        evidence = {number[source_id] for source_id in question.evidence}
        outcomes.append(
            Outcome(
                ranks=tuple(rank for rank, turn in enumerate(found, 1) if turn in evidence),
                evidence=len(evidence),
                category=None if question.category is None else str(question.category),
                seconds=seconds,
            )
        )
    return outcomes


class ConversationMemory:
    """The turns of one conversation in a memory of their own, with every default. Use it in a `with` block.

    Args:
        conversation: Its turns; those without text are left out, as nothing could find them.
        embedder: Its `dim` is that of the funnel's first stage.
        ranker: What decides the order; None for the default one.
        turns: How many of them it begins with; all if None.
        late_interaction: As for `RoleplayMemory`.
    """

    def __init__(
        self,
        conversation: Conversation,
        embedder: Embedder,
        *,
        ranker: Ranker | None = None,
        turns: int | None = None,
        late_interaction: str | None = None,
    ) -> None:
        self._memory = RoleplayMemory(
            ":memory:", embedder=embedder, ranker=ranker, late_interaction=late_interaction
        )
        self._turns = conversation.turns
        self._number = {turn.source_id: number for number, turn in enumerate(self._turns)}
        self._seen = 0
        self.see(len(self._turns) if turns is None else turns)

    def __enter__(self) -> ConversationMemory:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()

    @property
    def nbytes(self) -> int:
        """Memory of the index."""
        return self._memory.index_bytes

    def see(self, turns: int) -> None:
        """Takes in turns until it has the first `turns`, as they are said."""
        new = [turn for turn in self._turns[self._seen : turns] if turn.text.strip()]
        self._seen = max(self._seen, turns)
        if new:
            self._memory.add_turns(_SCOPE, new)
            self.find("", 1)  # loads the index, so that the first question is like any other

    def find(self, question: str, k: int) -> list[int]:
        """Returns the numbers of the `k` turns that answer a question best, best first."""
        return [self._number[hit.memory.source_id] for hit in self._memory.recall(question, _SCOPE, k=k)]

    def explain(self, question: str, k: int) -> Explanation:
        """Returns the same as hits, and why."""
        return self._memory.recall(question, _SCOPE, k=k, explain=True)


def _searched(
    conversation: Conversation,
    mode: Mode,
    embedder: Embedder,
    ranker: Ranker | None,
    late_interaction: str | None,
) -> AbstractContextManager[MeasuredSearch]:
    if mode is Mode.HYBRID:
        return _hybrid(conversation, embedder, ranker, late_interaction)
    return nullcontext(_dense(conversation, embedder) if mode is Mode.DENSE else _words(conversation))


def _words(conversation: Conversation) -> MeasuredSearch:
    terms = [term_ids(document_text(turn.text, turn.speaker), DEFAULT) for turn in conversation.turns]
    index = LexicalIndex()

    def see(turns: int) -> None:
        index.add(terms[len(index) : turns])
        index.warm_up()

    def find(question: str) -> list[int]:
        words = DEFAULT.words(question)
        content = [word for word in words if not word.is_stop] or words
        found: list[int] = top_k(index.match(word_terms(content)).scores, MOST).tolist()
        return found

    return MeasuredSearch(find, see, lambda: index.nbytes)


def _dense(conversation: Conversation, embedder: Embedder) -> MeasuredSearch:
    vectors = embedder.embed_documents(
        [document_text(turn.text, turn.speaker) for turn in conversation.turns]
    )
    seen = vectors

    def see(turns: int) -> None:
        nonlocal seen
        seen = vectors[:turns]

    def find(question: str) -> list[int]:
        found: list[int] = top_k(seen @ embedder.embed_query(question), MOST).tolist()
        return found

    return MeasuredSearch(find, see, lambda: vectors.nbytes)


@contextmanager
def _hybrid(
    conversation: Conversation, embedder: Embedder, ranker: Ranker | None, late_interaction: str | None
) -> Iterator[MeasuredSearch]:
    with ConversationMemory(
        conversation, embedder, ranker=ranker, turns=0, late_interaction=late_interaction
    ) as memory:
        yield MeasuredSearch(lambda question: memory.find(question, MOST), memory.see, lambda: memory.nbytes)
