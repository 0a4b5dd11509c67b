"""Figures as they stand on the cards they name, checked digit by digit."""

from __future__ import annotations

import pytest

from romaine.models import catalog
from romaine.models.published import (
    EMBEDDING_GEMMA,
    LEAF,
    LETTUCE,
    PUBLISHED,
    SSE,
    SSE_4_BIT,
    STATIC_RETRIEVAL,
)


def figures(model: str) -> dict[str, float]:
    return {measure.name: measure.value for measure in PUBLISHED[model]}


@pytest.mark.parametrize(
    ("model", "figure", "value"),
    [
        (LETTUCE, "RP recall@1", 0.924),
        (LETTUCE, "RP recall@5", 0.982),
        (LETTUCE, "STSBenchmark Spearman", 0.819),
        (LETTUCE, "144k-passage retrieval recall@1, 64 dims", 0.424),
        (LETTUCE, "144k-passage retrieval MRR@10, 128 dims", 0.591),
        (LETTUCE, "144k-passage retrieval recall@10, 768 dims", 0.815),
        (STATIC_RETRIEVAL, "NanoBEIR nDCG@10", 0.5032),
        (SSE, "NanoBEIR nDCG@10", 0.5124),
        (SSE_4_BIT, "NanoBEIR nDCG@10", 0.5110),
        (SSE_4_BIT, "NanoBEIR MRR@10", 0.5645),
        (SSE_4_BIT, "NanoBEIR MAP@100", 0.4312),
        (SSE_4_BIT, "NanoQuoraRetrieval nDCG@10", 0.9147),
        (SSE_4_BIT, "NanoTouche2020 MAP@100", 0.4526),
        (EMBEDDING_GEMMA, "STSBenchmark Spearman", 0.81),
        (EMBEDDING_GEMMA, "MTEB score", 61.15),
        (LEAF, "STSBenchmark Spearman", 0.223),
        (LEAF, "STS22 English Spearman", 0.373),
        (LEAF, "cross-lingual Spearman, worst", -0.14),
        (LEAF, "cross-lingual Spearman, best", 0.12),
        (LEAF, "STS22 Polish Spearman", 0.132),
    ],
)
def test_is_as_published(model: str, figure: str, value: float) -> None:
    assert figures(model)[figure] == value


@pytest.mark.parametrize("metric", ["nDCG@10", "MRR@10", "MAP@100"])
def test_the_published_mean_is_the_mean_of_the_published(metric: str) -> None:
    known = figures(SSE_4_BIT)
    mean = known.pop(f"NanoBEIR {metric}")
    parts = [value for name, value in known.items() if name.endswith(metric)]
    assert len(parts) == 13
    assert sum(parts) / 13 == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize("model", PUBLISHED)
def test_each_figure_stands_once_and_names_its_source(model: str) -> None:
    names = [measure.name for measure in PUBLISHED[model]]
    assert len(names) == len({*names})
    assert all(measure.source.startswith("model card of ") for measure in PUBLISHED[model])
    assert not any(measure.command for measure in PUBLISHED[model])


@pytest.mark.parametrize("model", PUBLISHED)
def test_quality_is_told_from_0_to_1(model: str) -> None:
    assert all(-1 <= m.value <= 1 for m in PUBLISHED[model] if not m.name.startswith("MTEB score"))


def test_the_catalog_shows_them_and_invents_none() -> None:
    for card in catalog.CATALOG.values():
        assert card.quality == PUBLISHED.get(card.id, ())
    assert {*PUBLISHED} <= {*catalog.CATALOG}


def test_measured_figures_name_their_command() -> None:
    for name in catalog.names():
        for measure in catalog.card(name).measured:
            assert measure.command, measure
            assert not measure.source
