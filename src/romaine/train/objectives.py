"""The tasks a phase may have: each a loss, the data it is computed on, and how much it counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from romaine.choice import Choice
from romaine.errors import OptionError

Bound: TypeAlias = tuple[str, Callable[[float], bool]]
"""What a number must be, in words and as a test."""

POSITIVE: Bound = ("above 0 and finite", lambda value: 0 < value < math.inf)
NOT_NEGATIVE: Bound = ("at least 0 and finite", lambda value: 0 <= value < math.inf)
SHARE: Bound = ("from 0 to 1", lambda value: 0 <= value <= 1)
BELOW_ONE: Bound = ("from 0 to below 1", lambda value: 0 <= value < 1)
FINITE: Bound = ("finite", math.isfinite)


def at_least(least: int) -> Bound:
    """For whole numbers from `least` on."""
    return f"at least {least}", lambda value: value >= least


def check_numbers(values: object, bounds: Mapping[str, Bound]) -> None:
    """Holds the attributes of an object against their bounds, by name.

    Raises:
        OptionError: If one is out of them.
    """
    for name, (words, holds) in bounds.items():
        if not holds(value := getattr(values, name)):
            raise OptionError(f"{name}={value} is not possible; it is {words}")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all tasks have.

    Attributes:
        data: Names of data sources.
        weight: Of this loss among those of its phase.
    """

    data: tuple[str, ...]
    weight: float = 1.0

    bounds: ClassVar[Mapping[str, Bound]] = {}
    """What the numbers of this kind of task must be."""

    def __post_init__(self) -> None:
        check_numbers(self, {"weight": POSITIVE, **self.bounds})
        if not self.data:
            raise OptionError("data=[] leaves a task nothing to learn from; name at least one source")


@dataclass(frozen=True, kw_only=True)
class RelationalTask(Task):
    """Find the same texts alike as the teachers do.

    Attributes:
        batch: Texts in a step; each is compared with every other.
        temperature: Of the softmax over a text's cosines.
    """

    batch: int = 512
    temperature: float = 0.05

    bounds: ClassVar[Mapping[str, Bound]] = {"batch": at_least(2), "temperature": POSITIVE}


@dataclass(frozen=True, kw_only=True)
class ContrastiveTask(Task):
    """Find the positive of a pair before the other positives of the batch and mined negatives.

    Its data are pairs; dialogues give synthetic questions and their turns.

    Attributes:
        batch: Pairs in a step.
        temperature: Of the softmax over cosines.
        negatives: Mined hard negatives for each pair, besides its own if it is a triplet.
        margin: A document that the teachers find nearer to the query than its positive less this cosine is
            taken for a false negative and left out. Above 2 nothing is left out.
        both_ways: Whether documents find their queries too, for pairs without roles such as word and
            definition.
    """

    batch: int = 256
    temperature: float = 0.05
    negatives: int = 0
    margin: float = 0.0
    both_ways: bool = False

    bounds: ClassVar[Mapping[str, Bound]] = {
        "batch": at_least(2),
        "temperature": POSITIVE,
        "negatives": at_least(0),
        "margin": FINITE,
    }

    @property
    def filters(self) -> bool:
        """Whether the teachers say what is a false negative."""
        return self.margin <= 2


@dataclass(frozen=True, kw_only=True)
class ChatTask(Task):
    """Find the turn that answers a question among all turns of a long chat, as a memory has to.

    Every step draws dialogues, joins them to a chat between two people with fresh names, and asks fresh
    synthetic questions. Its data are dialogues.

    Attributes:
        dialogues: Dialogues joined to the chat.
        questions: Questions asked about it at most.
        temperature: Of the softmax over cosines.
    """

    dialogues: int = 24
    questions: int = 256
    temperature: float = 0.05

    bounds: ClassVar[Mapping[str, Bound]] = {
        "dialogues": at_least(1),
        "questions": at_least(2),
        "temperature": POSITIVE,
    }


class ScoreForm(Choice):
    """How cosines are compared with the scores of pairs."""

    COSENT = "cosent"
    """Every two pairs with different scores should be in order (CoSENT)."""
    SQUARED = "squared"
    """Cosines should be the scores as a share of the highest."""


@dataclass(frozen=True, kw_only=True)
class ScoredTask(Task):
    """Give pairs the similarity that people gave them.

    Attributes:
        batch: Pairs in a step.
        form: How cosines and scores are compared.
    """

    batch: int = 256
    form: ScoreForm = ScoreForm.COSENT

    bounds: ClassVar[Mapping[str, Bound]] = {"batch": at_least(2)}


TASKS: dict[str, type[Task]] = {
    "relational": RelationalTask,
    "contrastive": ContrastiveTask,
    "chat": ChatTask,
    "scored": ScoredTask,
}
"""Tasks by the name of their loss in a recipe file."""
