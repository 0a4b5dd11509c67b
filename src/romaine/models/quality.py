"""What was published about each model beside what was measured here: two columns that are never mixed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from romaine.models import catalog
from romaine.models.card import Measure, ModelCard


@dataclass(frozen=True, kw_only=True)
class QualityRow:
    """One figure of one model.

    Attributes:
        model: The model's name.
        figure: What was measured, e.g. "STSBenchmark Spearman"; "" if there is no figure at all.
        published: What others published, None if nobody did.
        source: Where they did.
        measured: What this project measured, None if it did not.
        command: The command that measures it again.
    """

    model: str
    figure: str = ""
    published: float | None = None
    source: str = ""
    measured: float | None = None
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values."""
        return asdict(self)


def quality_rows(cards: Iterable[ModelCard] | None = None) -> list[QualityRow]:
    """Every figure of every card; a model without any has one empty row.

    Figures of one name share a row. Published ones come first, in the order of the card.

    Args:
        cards: Which; None for the whole catalog, the bundled model first.

    Raises:
        ModelFormatError: If the bundled model's card cannot be read.
    """
    chosen = [catalog.card(name) for name in catalog.names()] if cards is None else list(cards)
    return [row for card in chosen for row in _rows_of(card)]


def _rows_of(card: ModelCard) -> list[QualityRow]:
    published = {measure.name: measure for measure in card.quality}
    measured = {measure.name: measure for measure in card.measured}
    names = dict.fromkeys([*published, *measured])
    rows = [_row(card.id, name, published.get(name), measured.get(name)) for name in names]
    return rows or [QualityRow(model=card.id)]


def _row(model: str, figure: str, published: Measure | None, measured: Measure | None) -> QualityRow:
    return QualityRow(
        model=model,
        figure=figure,
        published=None if published is None else published.value,
        source="" if published is None else published.source,
        measured=None if measured is None else measured.value,
        command="" if measured is None else measured.command or measured.source,
    )
