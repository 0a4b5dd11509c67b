"""Another order: other weights, a ranker of one's own, and a reranker that looks at the first hits again.

python examples/10_ranking.py
"""

from collections.abc import Sequence
from datetime import datetime

from romaine import RoleplayMemory, Scope, Turn
from romaine.memory import Candidates, Memory, Query, Ranking, Signals, WeightedRanker, Weights

USUAL = WeightedRanker(Weights(lexical=0.9))  # words count more than by default


class Nostalgic:
    """Ranks as usual and lifts what is long past."""

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """Scores `c` candidates; every part is float (c,)."""
        return USUAL.rank(query, candidates, signals).with_part("nostalgia", 3 * (1 - signals.recency))


class Focused:
    """Prefers memories of which the question's words are a large part; a cross-encoder would stand here."""

    def rerank(self, query: Query, memories: Sequence[Memory]) -> list[float]:
        """Scores the first memories, one number each."""
        asked = {*query.text.lower().split()}
        texts = [{*memory.text.lower().split()} for memory in memories]
        return [len(asked & words) / len(words) for words in texts]


story = Scope(user="ana", character="Cassian", chat="tavern")
lines = ["The key hangs by the door.", "I sold the boat.", "Now the key is in the well, by the old mill."]
for name, ranker, reranker in (
    ("usual", USUAL, None),
    ("nostalgic", Nostalgic(), None),
    ("reranked", USUAL, Focused()),
):
    with RoleplayMemory(":memory:", ranker=ranker, reranker=reranker, rerank=10) as memory:
        memory.add_turns(
            story,
            [
                Turn(line, speaker="Cassian", role="character", at=datetime(2026, 5, day))
                for day, line in enumerate(lines, 1)
            ],
        )
        print(f"{name}:")
        for hit in memory.recall("Where is the key now?", story, k=2):
            parts = ", ".join(f"{part} {value:+.2f}" for part, value in hit.parts.items())
            print(f"    {hit.score:.2f}  {hit.memory.text}  ({parts})")
