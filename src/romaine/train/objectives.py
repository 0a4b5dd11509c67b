"""The tasks a phase may have: each a loss, the data it is computed on, and how much it counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

from romaine.choice import Choice
from romaine.errors import OptionError


class ScoreForm(Choice):
    """How cosines are compared with the scores of pairs."""

    COSENT = "cosent"
    """Every two pairs with different scores should be in order (CoSENT)."""
    PEARSON = "pearson"
    """Cosines should be a linear function of scores."""
    SQUARED = "squared"
    """Cosines should be the scores as a share of the highest."""


@dataclass(frozen=True, kw_only=True)
class Relational:
    """Find the same texts alike as the teachers do.

    Attributes:
        data: Names of data sources.
        batch: Texts in a step; each is compared with every other.
        weight: Of this loss among those of its phase.
        listwise: Weight of the divergence of neighbours against the squared difference of cosines.
        temperature: Of the softmax over cosines in the divergence.
        clustered: Share of the steps whose texts come from a few clusters of the first teacher's vectors, so
            that there are neighbours to tell apart.
    """

    data: tuple[str, ...]
    batch: int = 512
    weight: float = 1.0
    listwise: float = 0.3
    temperature: float = 0.05
    clustered: float = 0.0

    def __post_init__(self) -> None:
        _check_task(self.data, self.batch, self.weight)
        check_positive("temperature", self.temperature)
        check_not_negative("listwise", self.listwise)
        check_share("clustered", self.clustered)


@dataclass(frozen=True, kw_only=True)
class Contrastive:
    """Find the positive of a pair before the other positives of the batch and mined negatives.

    Attributes:
        data: Names of data sources with pairs; dialogues give synthetic questions and their turns.
        batch: Pairs in a step.
        weight: Of this loss among those of its phase.
        temperature: Of the softmax over cosines.
        negatives: Mined hard negatives for each pair, besides its own if it is a triplet.
        margin: A document that the teachers find nearer to the query than its positive less this cosine is
            taken for a false negative and left out. Above 2 nothing is left out.
        alike: Cosine of the student itself from which two documents, or two queries, count as the same, so
            that neither is the other's negative. Above 1 none do.
        both_ways: Whether documents find their queries too, for pairs without roles such as word and
            definition.
        distil: Weight of the divergence from the teachers' own softmax over the batch's documents.
        share: Weights of `data` in the batches; empty mixes them by how many pairs they have.
    """

    data: tuple[str, ...]
    batch: int = 256
    weight: float = 1.0
    temperature: float = 0.05
    negatives: int = 0
    margin: float = 0.0
    alike: float = 0.95
    both_ways: bool = False
    distil: float = 0.0
    share: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_task(self.data, self.batch, self.weight)
        check_positive("temperature", self.temperature)
        check_least("negatives", self.negatives, 0)
        check_finite("margin", self.margin)
        check_positive("alike", self.alike)
        check_not_negative("distil", self.distil)
        if self.share and set(self.share) != set(self.data):
            raise OptionError(f"share={sorted(self.share)} must name the same as data={sorted(self.data)}")
        for name, value in self.share.items():
            check_positive(f"share.{name}", value)

    @property
    def asks_teachers(self) -> bool:
        """Whether the teachers' vectors of its texts are needed."""
        return self.margin <= 2 or self.negatives > 0 or self.distil > 0


@dataclass(frozen=True, kw_only=True)
class Chat:
    """Find the turn that answers a question among all turns of a long chat, as a memory has to.

    Every step draws dialogues, joins them to chats between two people with fresh names, and asks fresh
    synthetic questions.

    Attributes:
        data: Names of data sources of dialogues.
        chats: Long chats in a step.
        dialogues: Dialogues joined to one chat.
        questions: Questions asked about each chat at most.
        weight: Of this loss among those of its phase.
        temperature: Of the softmax over cosines.
        same: Teachers' cosine with the answering turn from which another turn is no negative. Above 1 the
            teachers are not asked.
        alike: The student's own cosine for the same purpose.
        across: Whether the turns of the other chats are negatives too.
    """

    data: tuple[str, ...]
    chats: int = 1
    dialogues: int = 24
    questions: int = 256
    weight: float = 1.0
    temperature: float = 0.05
    same: float = 2.0
    alike: float = 0.95
    across: bool = False

    def __post_init__(self) -> None:
        _check_task(self.data, self.chats * self.questions, self.weight)
        for name in ("chats", "dialogues", "questions"):
            check_least(name, getattr(self, name), 1)
        check_positive("temperature", self.temperature)
        check_positive("same", self.same)
        check_positive("alike", self.alike)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Give pairs the similarity that people gave them.

    Attributes:
        data: Names of data sources of scored pairs.
        batch: Pairs in a step.
        weight: Of this loss among those of its phase.
        form: How cosines and scores are compared.
        scale: Factor of the differences of cosines in CoSENT.
    """

    data: tuple[str, ...]
    batch: int = 256
    weight: float = 1.0
    form: ScoreForm = ScoreForm.COSENT
    scale: float = 20.0

    def __post_init__(self) -> None:
        _check_task(self.data, self.batch, self.weight)
        check_positive("scale", self.scale)


Task: TypeAlias = Relational | Contrastive | Chat | Scored

TASKS: dict[str, type[Relational | Contrastive | Chat | Scored]] = {
    "relational": Relational,
    "contrastive": Contrastive,
    "chat": Chat,
    "scored": Scored,
}
"""Tasks by the name of their loss in a recipe file."""


def check_least(name: str, value: int, least: int) -> None:
    """Raises OptionError if `value` is below `least`."""
    if value < least:
        raise OptionError(f"{name}={value} is not possible; it is at least {least}")


def check_positive(name: str, value: float) -> None:
    """Raises OptionError if `value` is not above 0 and finite."""
    if not 0 < value < math.inf:
        raise OptionError(f"{name}={value} is not possible; it is above 0 and finite")


def check_not_negative(name: str, value: float) -> None:
    """Raises OptionError if `value` is below 0 or not finite."""
    if not 0 <= value < math.inf:
        raise OptionError(f"{name}={value} is not possible; it is at least 0 and finite")


def check_share(name: str, value: float) -> None:
    """Raises OptionError if `value` is not from 0 to 1."""
    if not 0 <= value <= 1:
        raise OptionError(f"{name}={value} is not possible; it is from 0 to 1")


def check_finite(name: str, value: float) -> None:
    """Raises OptionError if `value` is NaN or infinite."""
    if not math.isfinite(value):
        raise OptionError(f"{name}={value} is not possible; it is finite")


def _check_task(data: tuple[str, ...], batch: int, weight: float) -> None:
    check_least("batch", batch, 2)
    check_positive("weight", weight)
    if not data:
        raise OptionError("data=[] leaves a task nothing to learn from; name at least one source")
