"""A conversation as the memory its questions are put to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from romaine.formats.locomo import Conversation
from romaine.memory.hits import Explanation
from romaine.memory.memory import RoleplayMemory
from romaine.memory.ranking import Ranker
from romaine.memory.records import Scope

if TYPE_CHECKING:
    from romaine.embedder import Embedder

_SCOPE = Scope(user="evaluation", chat="conversation")


class ConversationMemory:
    """The turns of one conversation in a memory of their own. Use it in a `with` block.

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

    def explain(self, question: str, k: int) -> tuple[list[int], Explanation]:
        """Returns the same and why."""
        explanation = self._memory.recall(question, _SCOPE, k=k, explain=True)
        return [self._number[hit.memory.source_id] for hit in explanation.hits], explanation
