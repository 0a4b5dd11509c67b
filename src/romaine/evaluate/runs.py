"""The ways in which one model can be run on this machine: each installed backend with each file it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from romaine.backends.registry import available_backends, backend_names, spec
from romaine.errors import ModelFormatError, OptionError, UnsafeModelError
from romaine.evaluate.subject import Subject
from romaine.models.layouts import VARIANTS

_MOST_EXACT_FIRST = ("torch", "sentence-transformers", "static", "onnx")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One way to run a model.

    Attributes:
        backend: The backend's name.
        variant: Which ONNX file, "fp32" or "int8"; None where the backend has no such choice.
    """

    backend: str
    variant: str | None = None

    def __str__(self) -> str:
        return self.backend if self.variant is None else f"{self.backend} {self.variant}"

    @property
    def is_full_precision(self) -> bool:
        """Whether it computes in the precision the weights are kept in."""
        return self.variant != "int8"

    def of(self, subject: Subject) -> Subject:
        """The model of `subject`, run this way."""
        return replace(subject, backend=self.backend, variant=self.variant)


@dataclass(frozen=True, kw_only=True)
class Runs:
    """How a model can be run here.

    Attributes:
        found: What can, the most exact first: the one others are compared with.
        refused: Why a backend cannot, by its name.
    """

    found: tuple[Run, ...]
    refused: Mapping[str, str]


def find_runs(subject: Subject) -> Runs:
    """Finds every way to run a model, without loading it; its own backend and variant do not matter.

    Raises:
        ModelError: If the model itself cannot be found, trusted, or failed its evaluation.
    """
    found: list[Run] = []
    refused: dict[str, str] = {}
    for name in backend_names():
        if name not in available_backends():
            refused[name] = f"not installed (pip install 'romaine[{spec(name).extra or 'all'}]')"
            continue
        reasons: list[str] = []
        runs = [Run(backend=name, variant=variant) for variant in (VARIANTS if name == "onnx" else (None,))]
        for run in runs:
            try:
                run.of(subject).resolve()
                found.append(run)
            except (ModelFormatError, OptionError, UnsafeModelError) as error:
                reasons.append(str(error))
        if len(reasons) == len(runs):
            refused[name] = reasons[0]
    return Runs(found=tuple(sorted(found, key=_exactness)), refused=MappingProxyType(refused))


def _exactness(run: Run) -> tuple[bool, int, str]:
    order = _MOST_EXACT_FIRST
    place = order.index(run.backend) if run.backend in order else len(order)
    return not run.is_full_precision, place, str(run)
