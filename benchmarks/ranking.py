"""What each part of a score is worth: recall of a memory without it.

    python benchmarks/ranking.py FILE... [--source NAME] [--every N] [--model NAME]

The files are those of `romaine eval memory`. The first lines take a weight of the usual ranker away, the
others what the trees of the default one say of a part. `usual` has no trees, `default` both.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table

from romaine import Embedder
from romaine.evaluate.memory import conversations_of, evaluate_memory
from romaine.memory import Candidates, LearnedRanker, Query, Ranker, Ranking, Signals, WeightedRanker, Weights
from romaine.memory.features import FEATURES

TAKEN = ("dense", "context", "lexical", "window", "speaker", "asks", "answers", "recency")


@dataclass(frozen=True)
class Without:
    """The default ranker, but for what its trees say of one part."""

    part: str

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """As the default ranker, less what its trees add to the part."""
        usual = WeightedRanker().rank(query, candidates, signals)
        learned = LearnedRanker().refine(query, candidates, signals, usual)
        if self.part not in learned.parts:
            return learned
        added = learned.parts[self.part] - usual.parts.get(self.part, 0.0)
        return learned.with_part(self.part, -added)


def rankers() -> dict[str, Ranker]:
    without = {f"usual without {name}": WeightedRanker(replace(Weights(), **{name: 0.0})) for name in TAKEN}
    trees = {f"trees without {part}": Without(part) for part in dict.fromkeys(FEATURES.values())}
    return {"default": LearnedRanker(), "usual": WeightedRanker(), **without, **trees}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--source", action="append", default=[])
    parser.add_argument("--every", type=int, default=1, help="every so many conversations")
    parser.add_argument("--model", default=None)
    args = parser.parse_args()
    embedder = (Embedder(args.model) if args.model else Embedder()).warm_up()
    chats = conversations_of(args.files, sources=args.source)[:: args.every]
    table = Table("ranker", "hit@1", "recall@5", "recall@10", "hit@10", "recall_all@10")
    for name, ranker in rankers().items():
        found = evaluate_memory(chats, embedder=embedder, ranker=ranker)
        figures = (found.hit_at_1, found.recall[5], found.recall[10], found.hit_at_10, found.all_at_10)
        table.add_row(name, *(f"{value:.3f}" for value in figures))
    Console().print(f"{embedder.card.id}, {len(chats)} conversations")
    Console().print(table)


if __name__ == "__main__":
    main()
