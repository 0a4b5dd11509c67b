from __future__ import annotations

from romaine.models import catalog
from romaine.models.card import Measure, ModelCard
from romaine.models.status import QualityRow, quality_rows


def card(**more: tuple[Measure, ...]) -> ModelCard:
    return ModelCard(id="m", kind="static", full_dim=4, dims=(4,), **more)


def test_a_figure_of_both_kinds_has_both_columns() -> None:
    both = card(
        quality=(
            Measure(name="only published", value=0.1, source="a card"),
            Measure(name="both", value=0.2, source="a card"),
        ),
        measured=(
            Measure(name="both", value=0.3, command="romaine eval x"),
            Measure(name="only measured", value=0.4, command="romaine eval y"),
        ),
    )
    assert quality_rows([both]) == [
        QualityRow(model="m", figure="only published", published=0.1, source="a card"),
        QualityRow(
            model="m", figure="both", published=0.2, source="a card", measured=0.3, command="romaine eval x"
        ),
        QualityRow(model="m", figure="only measured", measured=0.4, command="romaine eval y"),
    ]


def test_a_model_without_figures_has_an_empty_row() -> None:
    assert quality_rows([card()]) == [QualityRow(model="m")]


def test_every_model_of_the_catalog_is_there() -> None:
    rows = quality_rows()
    assert list(dict.fromkeys(row.model for row in rows)) == list(catalog.names())
    for row in rows:
        assert bool(row.source) == (row.published is not None)
        assert bool(row.command) == (row.measured is not None)
