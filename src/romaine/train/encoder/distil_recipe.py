"""What a run of `romaine train distill` does, as frozen data: a teacher, a student, texts, stages."""

from __future__ import annotations

from dataclasses import dataclass, field

from romaine.errors import OptionError
from romaine.train.encoder.recipe import EncoderWatch
from romaine.train.objectives import BELOW_ONE, NOT_NEGATIVE, POSITIVE, at_least, check_numbers
from romaine.train.recipe import DataSource, TeacherSpec


@dataclass(frozen=True, kw_only=True)
class DistilStage:
    """Some steps with one set of losses.

    Attributes:
        name: For figures and messages.
        steps: Batches.
        batch: Texts of a batch.
        learning_rate: Of AdamW, reached after `warm_up`.
        warm_up: Share of the steps.
        decay: Whether the rate falls to zero from there.
        max_tokens: Longer texts are cut.
        alignment: Weight of the distance of each layer to the teacher's.
        contrastive: Weight of ranking the teacher's vector of a text above those of others.
        triplet: Share of batches that are a text, one that the teacher has near and one it has further off.
    """

    name: str
    steps: int
    batch: int = 32
    learning_rate: float = 1e-4
    warm_up: float = 0.1
    decay: bool = False
    max_tokens: int = 64
    alignment: float = 1.0
    contrastive: float = 0.0
    triplet: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self, {"steps": at_least(1), "batch": at_least(2), "max_tokens": at_least(8)})
        check_numbers(self, {"learning_rate": POSITIVE, "warm_up": BELOW_ONE, "triplet": BELOW_ONE})
        check_numbers(self, {"alignment": NOT_NEGATIVE, "contrastive": NOT_NEGATIVE})


@dataclass(frozen=True, kw_only=True)
class DistilRecipe:
    """A whole run.

    Attributes:
        name: Of the student.
        teacher: Any model that `Embedder` loads, or a teacher of a package.
        layers: The student's, taken evenly from those of `start`.
        data: Texts to learn from, by name; what is no text (pairs, turns of dialogues) gives its texts.
        stages: In order; the first aligns.
        start: What the student is cut from; None for the teacher itself, which then is a transformer.
        dims: Nested dimensions that contrastive stages learn; empty for the full one alone.
        alignment_limit: The first stage has to end below it, and no later measurement may exceed it. At 1 the
            student knows no more of the teacher's layers than their mean.
        held_out: Texts that alignment is measured on.
        temperature: Scores are divided by it before the softmax.
        margin: Of triplets, in cosine distance.
        window: Tokens that the model takes once it is trained.
        watch: What else is measured.
        seed: Of everything random.
        licence: Of the model.
        note: One line for the card.
    """

    name: str
    teacher: TeacherSpec
    layers: int
    data: dict[str, DataSource]
    stages: tuple[DistilStage, ...]
    start: TeacherSpec | None = None
    dims: tuple[int, ...] = ()
    alignment_limit: float = 1.0
    held_out: int = 500
    temperature: float = 0.05
    margin: float = 0.1
    window: int = 256
    watch: EncoderWatch = field(default_factory=EncoderWatch)
    seed: int = 0
    licence: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_numbers(self, {"layers": at_least(1), "held_out": at_least(10), "alignment_limit": POSITIVE})
        check_numbers(self, {"temperature": POSITIVE, "margin": POSITIVE})
        if not self.stages or not self.data:
            raise OptionError(f"recipe {self.name!r} needs stages and data; add [[stages]] and [data.NAME]")
        first = self.stages[0]
        if not first.alignment or first.contrastive or first.triplet:
            raise OptionError(
                f"stage {first.name!r} is the first: it needs alignment above 0, contrastive=0, triplet=0, as"
                " a student that is not aligned learns to look like its teacher without meaning the same"
            )
