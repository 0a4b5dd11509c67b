"""What a run of `romaine train encoder` does, as frozen data: a start, chats, stages, what is watched."""

from __future__ import annotations

from dataclasses import dataclass, field

from romaine.choice import Choice
from romaine.errors import OptionError
from romaine.train.objectives import BELOW_ONE, NOT_NEGATIVE, POSITIVE, at_least, check_numbers
from romaine.train.recipe import TeacherSpec


class ChatKind(Choice):
    """What is asked about chats."""

    EVIDENCE = "evidence"
    """Questions with the turns that answer them, as the file has them (see `chat_files`)."""
    QUESTIONS = "questions"
    """Questions made by rule about turns of dialogues, several of which are glued to one long chat."""
    MESSAGES = "messages"
    """The last words of a dialogue, which need an earlier turn of it, among the turns of other dialogues."""


@dataclass(frozen=True, kw_only=True)
class ChatData:
    """One file of chats to learn from.

    Attributes:
        kind: What is asked.
        file: Its name below one of the folders given on the command line.
        sources: Sources in the file that are read; empty for all.
        limit: Questions at most.
        weight: How often a question is asked, against those of other data.
        dialogues: For dialogues: how many make one chat.
        least_evidence: A question needs so many turns of evidence, or
        least_score: a score from here up, where the file has scores.
        least_words: Turns with fewer words are no evidence.
        held_out: How many of its last chats are for dev questions only.
        held_turns: Turns of such a chat that are searched at most, its first ones.
        licence: For the model card.
    """

    kind: ChatKind
    file: str
    sources: tuple[str, ...] = ()
    limit: int = 5000
    weight: float = 1.0
    dialogues: int = 20
    least_evidence: int = 1
    least_score: float = 0.0
    least_words: int = 1
    held_out: int = 0
    held_turns: int = 1000
    licence: str = ""

    def __post_init__(self) -> None:
        ones = dict.fromkeys(("limit", "least_evidence", "least_words", "held_turns"), at_least(1))
        check_numbers(self, {**ones, "dialogues": at_least(2), "held_out": at_least(0)})
        check_numbers(self, {"least_score": NOT_NEGATIVE, "weight": POSITIVE})


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Some steps with one set of losses; each round mines its negatives anew.

    Attributes:
        name: For figures and messages.
        steps: Batches of each round.
        rounds: How often negatives are mined, and the steps done.
        data: Names of chat data; empty for all.
        batch: Questions of a batch.
        negatives: Mined negatives of each question; those of the others in the batch come on top.
        refresh: How many of the memory's candidates the model itself ranks to find the hardest; 0 takes them
            as the memory ranks them.
        learning_rate: Of AdamW, reached after `warm_up`.
        warm_up: Share of a round's steps.
        decay: Whether the rate falls to zero towards the end of the stage.
        max_tokens: Longer texts are cut.
        pooled: Weight of in-batch multiple negatives ranking of pooled vectors, at each of the dims.
        late: Weight of the same of token vectors, by weighted MaxSim.
        margin: Weight of MarginMSE of pooled vectors against the margins of the recipe's teacher.
        scored: Share of batches that are scored pairs, learned by CoSENT at each of the dims.
        distil: Share of batches that keep texts where the start model has them.
    """

    name: str
    steps: int
    rounds: int = 1
    data: tuple[str, ...] = ()
    batch: int = 16
    negatives: int = 0
    refresh: int = 0
    learning_rate: float = 2e-5
    warm_up: float = 0.1
    decay: bool = False
    max_tokens: int = 64
    pooled: float = 1.0
    late: float = 1.0
    margin: float = 0.0
    scored: float = 0.1
    distil: float = 0.1

    def __post_init__(self) -> None:
        check_numbers(self, {"steps": at_least(1), "rounds": at_least(1), "batch": at_least(2)})
        check_numbers(self, {"negatives": at_least(0), "refresh": at_least(0), "max_tokens": at_least(8)})
        check_numbers(self, {"learning_rate": POSITIVE, "warm_up": BELOW_ONE, "scored": BELOW_ONE})
        check_numbers(
            self, {"distil": BELOW_ONE, **dict.fromkeys(("pooled", "late", "margin"), NOT_NEGATIVE)}
        )
        if self.scored + self.distil >= 1:
            raise OptionError(
                f"stage {self.name!r}: scored={self.scored:g} and distil={self.distil:g} leave no batch for"
                " questions; their sum is below 1"
            )
        if self.margin and not self.negatives:
            raise OptionError(f"stage {self.name!r}: margin={self.margin:g} needs negatives")


@dataclass(frozen=True, kw_only=True)
class EncoderWatch:
    """What is measured while training runs.

    Attributes:
        every: Steps between two measurements.
        sts: File of scored pairs that nothing is trained on; empty for none.
        sts_floor: Spearman that a released checkpoint reaches.
        stop_below: Spearman below which training stops: the vectors have collapsed.
        cutoff: Turns of which recall is counted.
    """

    every: int = 100
    sts: str = ""
    sts_floor: float = 0.0
    stop_below: float = 0.3
    cutoff: int = 5

    def __post_init__(self) -> None:
        check_numbers(self, {"every": at_least(1), "cutoff": at_least(1)})


@dataclass(frozen=True, kw_only=True)
class EncoderRecipe:
    """A whole run.

    Attributes:
        name: Of the model.
        start: The encoder to start from, of kind "minilm" or "model".
        data: Chats by name.
        stages: In order.
        dims: Nested dimensions, the full one among them.
        token_dim: Components of token vectors.
        frozen: How many of the first layers stay as they are, with the embeddings; 0 trains all.
        temperature: Scores are divided by it before the softmax.
        scored: File of scored pairs to learn from; empty for none.
        scored_licence: Of that file.
        margins: The teacher that gives margins, where a stage needs it.
        window: Tokens that the model takes once it is trained.
        watch: What is measured.
        seed: Of everything random.
        licence: Of the model.
        note: One line for the card.
    """

    name: str
    start: TeacherSpec
    data: dict[str, ChatData]
    stages: tuple[Stage, ...]
    dims: tuple[int, ...] = (64, 128, 256, 384)
    token_dim: int = 64
    frozen: int = 0
    temperature: float = 0.05
    scored: str = ""
    scored_licence: str = ""
    margins: TeacherSpec | None = None
    window: int = 256
    watch: EncoderWatch = field(default_factory=EncoderWatch)
    seed: int = 0
    licence: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_numbers(self, {"token_dim": at_least(1), "frozen": at_least(0), "temperature": POSITIVE})
        if not self.stages or not self.data:
            raise OptionError(f"recipe {self.name!r} needs stages and data; add [[stages]] and [data.NAME]")
        for stage in self.stages:
            if unknown := set(stage.data) - set(self.data):
                raise OptionError(
                    f"stage {stage.name!r} names the data {sorted(unknown)}; there are {sorted(self.data)}"
                )
            if stage.scored and not self.scored:
                raise OptionError(f"stage {stage.name!r} has scored={stage.scored:g}, but the recipe no file")
            if stage.margin and self.margins is None:
                raise OptionError(f"stage {stage.name!r} has margin={stage.margin:g}, but no teacher")
