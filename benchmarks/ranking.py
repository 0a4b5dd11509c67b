"""What each part of a score is worth: recall of a memory without it.

    python benchmarks/ranking.py FILE... [--source NAME] [--every N] [--model NAME] [--questions N] [--json]

The files are those of `romaine eval memory`. `default` is what a memory does, `usual` the same without trees.
Then come those weights with one part taken away, and trees that say nothing of one part. With a model that
gives vectors of tokens also: without late interaction, and with the tokens of each turn alone or of those
beside it, too. `dense` and `context` are the model's pooled vectors.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from romaine import Embedder, Turn
from romaine.evaluate.memory import ConversationMemory, ask, conversations_of
from romaine.evaluate.outcomes import MOST, Outcome, RecallFigures
from romaine.formats.locomo import Conversation, Question
from romaine.memory import Candidates, LearnedRanker, Query, Ranker, Ranking, Signals, WeightedRanker, Weights
from romaine.memory.learned import PARTS
from romaine.memory.notes import normalised

TAKEN = (("dense",), ("context",), ("dense", "context"), ("lexical",), ("window",), ("lexical", "window"))
FACTS = (("speaker",), ("asks",), ("answers",), ("time",), ("recency",))


@dataclass(frozen=True)
class Without:
    """The default ranker, but for what its trees say of one part."""

    part: str

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """As the default ranker, less what its trees add to the part."""
        usual = WeightedRanker().rank(query, candidates, signals)
        learned = LearnedRanker().refine(query, candidates, signals, usual)
        if learned is usual:
            return learned
        added = learned.parts[self.part] - usual.parts.get(self.part, 0.0)
        return learned.with_part(self.part, -added)


@dataclass(frozen=True)
class Seeing:
    """A ranker that sees other signals."""

    ranker: Ranker
    seen: Callable[[Signals], Signals]

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """As the ranker."""
        return self.ranker.rank(query, candidates, self.seen(signals))


class Every:
    """Ranks in all ways at once, as what is found before costs the most, and keeps the order of each.

    Args:
        rankers: By name; the first one's ranking is what a recall gets.
        turns: Of the conversation that is searched, without what is blank.
    """

    def __init__(self, rankers: dict[str, Ranker], turns: Sequence[tuple[int, Turn]]) -> None:
        self._rankers = rankers
        self._turns = [(number, (turn.speaker, normalised(turn.text))) for number, turn in turns]
        self.found: dict[str, list[int]] = {}

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """As the first of them."""
        rankings = {name: ranker.rank(query, candidates, signals) for name, ranker in self._rankers.items()}
        if signals.positions is not None:  # all turns there are by now, none of them left out
            place = np.searchsorted(np.sort(signals.positions), signals.positions)
            for name, ranking in rankings.items():
                best = [self._turns[row] for row in place[ranking.best(4 * MOST)].tolist()]
                first = {said: number for number, said in reversed(best)}  # of doubles the best stays
                self.found[name] = list(dict.fromkeys(first[said] for _, said in best))[:MOST]
        return next(iter(rankings.values()))


def rankers(*, late: bool) -> dict[str, Ranker]:
    """All by what the table calls them."""
    usual, default = WeightedRanker(), LearnedRanker()
    found: dict[str, Ranker] = {"default": default, "usual": usual}
    if late:
        found |= {
            f"{name}, {which}": Seeing(ranker, seen)
            for which, seen in (("no late", _off), ("late of the turn", _own), ("late around", _around))
            for name, ranker in (("default", default), ("usual", usual))
        }
    for names in (*TAKEN, *FACTS):
        weights = replace(Weights(), **dict.fromkeys(names, 0.0))
        found[f"usual without {' and '.join(names)}"] = WeightedRanker(weights)
    return found | {f"trees without {part}": Without(part) for part in PARTS if late or part != "late"}


def _off(signals: Signals) -> Signals:
    return replace(signals, late=None, late_own=None, late_around=None)


def _own(signals: Signals) -> Signals:
    return replace(signals, late=signals.late_own, late_around=signals.late_own)


def _around(signals: Signals) -> Signals:
    return replace(signals, late=signals.late_around, late_own=signals.late_around)


def outcomes_of(
    chat: Conversation, questions: Sequence[Question], embedder: Embedder
) -> dict[str, list[Outcome]]:
    """What every ranker finds for some questions of a chat, by its name."""
    asked = replace(chat, questions=questions)
    turns = [(number, turn) for number, turn in enumerate(chat.turns) if turn.text.strip()]
    every = Every(rankers(late=embedder.token_dim is not None), turns)
    answers: list[dict[str, list[int]]] = []
    with ConversationMemory(chat, embedder, ranker=every, turns=0) as memory:

        def find(question: str) -> list[int]:
            every.found = {}
            memory.find(question, 1)
            answers.append(every.found)
            return []

        ask(asked, find, see=memory.see)

    def outcomes(name: str) -> list[Outcome]:
        given = iter(answers)
        return ask(asked, lambda _: next(given).get(name, []))

    return {name: outcomes(name) for name in (answers[0] if answers else ())}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--source", action="append", default=[])
    parser.add_argument("--every", type=int, default=1, help="every so many conversations")
    parser.add_argument("--from", type=int, default=0, dest="first", help="from this one on")
    parser.add_argument("--questions", type=int, default=1, help="every so many questions of each")
    parser.add_argument("--model", default=None)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    embedder = (Embedder(args.model) if args.model else Embedder()).warm_up()
    chats = conversations_of(args.files, sources=args.source)[args.first :: args.every]
    found: dict[str, list[Outcome]] = {}
    for chat in chats:
        for name, outcomes in outcomes_of(chat, chat.questions[:: args.questions], embedder).items():
            found.setdefault(name, []).extend(outcomes)
    figures = {name: RecallFigures.of(outcomes) for name, outcomes in found.items()}
    if args.json:
        print(json.dumps({name: each.to_json() for name, each in figures.items()}))
        return
    table = Table(Column("ranker", no_wrap=True), "hit@1", "recall@5", "recall@10", "hit@10", "recall_all@10")
    for name, each in figures.items():
        row = (each.hit_at_1, each.recall[5], each.recall[10], each.hit_at_10, each.all_at_10)
        table.add_row(name, *(f"{value:.3f}" for value in row))
    Console().print(f"{embedder.card.id}, {len(chats)} conversations, {figures['usual'].questions} questions")
    Console().print(table)


if __name__ == "__main__":
    main()
