"""A model under verification: what the checks look at, measured once and only when a check asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from romaine.errors import RomaineError
from romaine.evaluate.contract import SAME, SAME_INT8, broken_promises
from romaine.evaluate.matryoshka import Figures, MatryoshkaReport
from romaine.evaluate.parity import ParityReport, measure_parity
from romaine.evaluate.probes import ENGLISH, Probes, load_probes, probe_languages
from romaine.evaluate.runs import Run, find_runs
from romaine.evaluate.speed import SpeedReport, measure_speed
from romaine.evaluate.subject import Subject
from romaine.evaluate.verify.finite import MAX_TOKENS, Sweep, sweep_vocabulary, unsound_tensors
from romaine.evaluate.verify.quality import Quality
from romaine.memory.terms import document_text

if TYPE_CHECKING:
    from romaine.backends.registry import OpenModel, ResolvedModel
    from romaine.embedder import Embedder

T = TypeVar("T")

SIMILARITY = "Spearman"
MEMORY = "recall@5 in all chats"
MEMORY_IN_CHAT = "recall@5 in its chat"

_PARITY_TURNS = 120
_PARITY_QUESTIONS = 40
_SPEED_ROUNDS = 2
_ONNX_USES = ("onnx:fp32", "onnx:int8")


class Bench:
    """Measures one model. Never uses the network.

    Args:
        subject: The model and how to open it; its `dim` does not matter.
        probes: What it is measured on; None for the built-in set.
        swept_tokens: How many tokens of its vocabulary are run at most.
    """

    def __init__(
        self, subject: Subject, *, probes: Probes | None = None, swept_tokens: int = MAX_TOKENS
    ) -> None:
        self.subject = replace(subject, dim=None, local_files_only=True)
        self.probes = probes or load_probes()
        self.swept_tokens = swept_tokens

    @cached_property
    def resolved(self) -> ResolvedModel:
        """Its files, checked, and its backend; not loaded."""
        return self.subject.resolve()

    @cached_property
    def embedder(self) -> Embedder:
        """The model, loaded.

        Raises:
            ModelError: If it cannot be found, read, trusted, or failed its evaluation.
            MissingExtraError: If its backend is not installed.
        """
        return self.subject.embedder().warm_up()

    @cached_property
    def unsound_tensors(self) -> tuple[str, ...]:
        """Names of weights that hold NaN or infinite values; the model need not open."""
        return tuple(unsound_tensors(self.resolved.local))

    @property
    def has_readable_weights(self) -> bool:
        """Whether there are weights that `unsound_tensors` looks at."""
        return any(path.suffix == ".safetensors" for path in self.resolved.local.files.values())

    @cached_property
    def sweep(self) -> Sweep | None:
        """What running the vocabulary found; None where the weights themselves were looked at."""
        tokenizer = self.opened.local.files.get("tokenizer")
        # All tensors of a safetensors transformer were, and running all its tokens would take long.
        if tokenizer is None or (self.is_contextual and self.has_readable_weights):
            return None
        return sweep_vocabulary(self.opened.backend, tokenizer, max_tokens=self.swept_tokens)

    @cached_property
    def broken_promises(self) -> Mapping[str, RomaineError]:
        """What is broken of the backend contract, by the promise's name."""
        return broken_promises(
            self.embedder.with_dim(None), same=SAME if self.run.is_full_precision else SAME_INT8
        )

    @property
    def opened(self) -> OpenModel:
        """Its files and what gives raw vectors."""
        return self.embedder.opened

    @cached_property
    def run(self) -> Run:
        """How it is run, "auto" resolved."""
        variants = [use.partition(":")[2] for use in self.resolved.local.files if use in _ONNX_USES]
        return Run(backend=self.resolved.spec.name, variant=variants[0] if variants else None)

    @property
    def is_contextual(self) -> bool:
        """Whether it reads a text as a whole, in padded batches, rather than adding up its tokens."""
        return self.opened.backend.pads

    @cached_property
    def quality(self) -> Quality:
        """What it finds and how it compares in the probes that it was given, which are English by default."""
        return Quality(self.embedder, self.probes)

    @cached_property
    def languages(self) -> Mapping[str, Quality | None]:
        """The same in each other language that its card claims, None where there are no probes."""
        known = probe_languages()
        claimed = [code for code in self.embedder.card.languages if code != ENGLISH]
        return {
            code: Quality(self.embedder, load_probes(code)) if code in known else None for code in claimed
        }

    @property
    def similarity(self) -> Mapping[int, float]:
        """`Quality.similarity` in English."""
        return self.quality.similarity

    @property
    def memory(self) -> Mapping[int, float]:
        """`Quality.memory` in English."""
        return self.quality.memory

    @property
    def memory_in_chat(self) -> Mapping[int, float]:
        """`Quality.memory_in_chat` in English."""
        return self.quality.memory_in_chat

    @cached_property
    def matryoshka(self) -> MatryoshkaReport:
        """All of them as a table."""
        measured = {MEMORY_IN_CHAT: self.memory_in_chat, MEMORY: self.memory, SIMILARITY: self.similarity}
        rows = tuple(
            Figures(dim=dim, metrics={name: values[dim] for name, values in measured.items()})
            for dim in self.embedder.dims
        )
        return MatryoshkaReport(model=self.embedder.card.id, benchmark="built-in probes", rows=rows)

    @cached_property
    def parity(self) -> ParityReport:
        """Every way to run the model here, or the one asked for, beside the most exact."""
        known = find_runs(self.subject)
        wanted = known.found
        if self.subject.backend != "auto" or self.subject.variant is not None:
            wanted = tuple(run for run in known.found if run in (known.found[0], self.run))
        turns = _about(_PARITY_TURNS, self.probes.turns)
        report = measure_parity(
            self.subject,
            texts=[document_text(turn.text, turn.speaker) for turn in turns],
            queries=[question.text for question in _about(_PARITY_QUESTIONS, self.probes.questions)],
            runs=wanted,
        )
        return replace(report, refused=known.refused)

    @cached_property
    def speed(self) -> SpeedReport:
        """Load time, texts per second and memory, in processes of their own."""
        return measure_speed(self.run.of(self.subject), rounds=_SPEED_ROUNDS)


def _about(count: int, items: Sequence[T]) -> Sequence[T]:
    """About `count` of the items, evenly spread."""
    return items[:: max(1, len(items) // count)]
