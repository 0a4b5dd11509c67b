"""What `romaine train ranker` is told: the chats of each domain, and how trees are grown."""

from __future__ import annotations

from dataclasses import dataclass, field

from romaine.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Chats of one kind, with questions and the turns that answer them.

    Attributes:
        file: Lines that `romaine.evaluate.evidence` reads, in one of the folders of data.
        licence: Of the chats.
        sources: Which of them, by their `source`; all if empty.
        every: Take every so many chats.
        weight: How much all questions of it count together.
    """

    file: str
    licence: str
    sources: tuple[str, ...] = ()
    every: int = 1
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.every < 1 or not self.weight > 0:
            raise OptionError(f"every={self.every!r}, weight={self.weight!r}: both must be above zero")


@dataclass(frozen=True, kw_only=True)
class Growing:
    """How trees are grown (LightGBM, lambdarank).

    Attributes:
        count: How many.
        learning_rate: How much of what a tree finds is taken.
        least: Candidates in a leaf.
        ridge: L2 penalty on leaves.
        features: Share of the features that a tree may look at.
        rows: Share of the queries that a tree sees.
        looked_at: Candidates of a question that are trained on.
        truncation: Ranks whose order counts.
        usual: How much of its score the usual ranker counts in the logit that trees add to.
    """

    count: int = 100
    learning_rate: float = 0.08
    least: int = 500
    ridge: float = 10.0
    features: float = 0.5
    rows: float = 0.7
    looked_at: int = 60
    truncation: int = 10
    usual: float = 0.5


@dataclass(frozen=True, kw_only=True)
class RankerRecipe:
    """A recipe of `romaine train ranker`.

    Attributes:
        domains: By name; three at least, as each is left out in turn.
        growing: How trees are grown.
        seed: Of the draws.
        judged: From how many seeds, counted from `seed`, trees are grown for the gate; what they find is
            averaged, as one alone may win or lose by chance.
    """

    domains: dict[str, Domain]
    growing: Growing = field(default_factory=Growing)
    seed: int = 0
    judged: int = 1

    def __post_init__(self) -> None:
        if self.judged < 1:
            raise OptionError(f"judged={self.judged!r}: trees must be grown once at least")
        if len(self.domains) < 3:
            raise OptionError(
                f"{len(self.domains)} domains: a ranker is judged on one that it has not seen, give 3"
            )
