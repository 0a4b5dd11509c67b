"""Quality figures that others published about the models of the catalog: data only, each with its source.

Nothing here was measured by this project, and what nobody published is not here. Figures are as published,
from 0 to 1 but for the MTEB score, which is of 100; most are the authors' own, on data of their choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from romaine.models.card import Measure

LETTUCE = "Zeolit/lettuce-emb-768d-v4"
STATIC_RETRIEVAL = "sentence-transformers/static-retrieval-mrl-en-v1"
SSE = "RikkaBotan/stable-static-embedding-fast-retrieval-mrl-en"
SSE_4_BIT = "RikkaBotan/quantized-stable-static-embedding-fast-retrieval-mrl-en"
EMBEDDING_GEMMA = "google/embeddinggemma-300m"
LEAF = "tss-deposium/gemma300-leaf-embeddings-test"

_LETTUCE_CARD = f"model card of {LETTUCE}"
_SSE_CARD = f"model card of {SSE_4_BIT}"
_LEAF_CARD = f"model card of {LEAF}, MTEB evaluation of 2025-10-12"
_LEAF_BASE = f"model card of {LEAF}, as its base model"

_LETTUCE_DIMS = {
    64: (0.424, 0.648, 0.698, 0.523),
    128: (0.488, 0.723, 0.768, 0.591),
    256: (0.504, 0.752, 0.796, 0.614),
    512: (0.509, 0.767, 0.808, 0.622),
    768: (0.512, 0.769, 0.815, 0.628),
}
_LETTUCE_METRICS = ("recall@1", "recall@5", "recall@10", "MRR@10")

_SSE_METRICS = ("nDCG@10", "MRR@10", "MAP@100")
_SSE_NANOBEIR = {
    "NanoClimateFEVER": (0.3127, 0.3822, 0.2439),
    "NanoDBPedia": (0.5472, 0.7440, 0.4252),
    "NanoFEVER": (0.6870, 0.6402, 0.6191),
    "NanoFiQA2018": (0.3750, 0.4155, 0.3129),
    "NanoHotpotQA": (0.6927, 0.7572, 0.6205),
    "NanoMSMARCO": (0.4105, 0.3504, 0.3694),
    "NanoNFCorpus": (0.3063, 0.4989, 0.1148),
    "NanoNQ": (0.4523, 0.3884, 0.3941),
    "NanoQuoraRetrieval": (0.9147, 0.9222, 0.8944),
    "NanoSCIDOCS": (0.3345, 0.5562, 0.2622),
    "NanoArguAna": (0.4154, 0.3151, 0.3257),
    "NanoSciFact": (0.5972, 0.5774, 0.5703),
    "NanoTouche2020": (0.5979, 0.7910, 0.4526),
}

_LEAF_STS22 = {
    "Chinese": 0.499,
    "Arabic": 0.469,
    "Italian": 0.435,
    "Spanish": 0.403,
    "French": 0.300,
    "Russian": 0.268,
    "Turkish": 0.247,
    "German": 0.163,
    "Polish": 0.132,
}


def _lettuce() -> Iterator[Measure]:
    yield Measure(name="RP recall@1", value=0.924, source=_LETTUCE_CARD)
    yield Measure(name="RP recall@5", value=0.982, source=_LETTUCE_CARD)
    yield Measure(name="STSBenchmark Spearman", value=0.819, source=_LETTUCE_CARD)
    for dim, values in _LETTUCE_DIMS.items():
        for metric, value in zip(_LETTUCE_METRICS, values, strict=True):
            yield Measure(
                name=f"144k-passage retrieval {metric}, {dim} dims", value=value, source=_LETTUCE_CARD
            )


def _sse_4_bit() -> Iterator[Measure]:
    for metric, value in zip(_SSE_METRICS, (0.5110, 0.5645, 0.4312), strict=True):
        yield Measure(name=f"NanoBEIR {metric}", value=value, source=_SSE_CARD)
    for dataset, values in _SSE_NANOBEIR.items():
        for metric, value in zip(_SSE_METRICS, values, strict=True):
            yield Measure(name=f"{dataset} {metric}", value=value, source=_SSE_CARD)


def _leaf() -> Iterator[Measure]:
    yield Measure(name="STSBenchmark Spearman", value=0.223, source=_LEAF_CARD)
    yield Measure(name="STS22 English Spearman", value=0.373, source=_LEAF_CARD)
    yield Measure(name="STS22 average Spearman", value=0.21, source=_LEAF_CARD)
    yield Measure(name="cross-lingual Spearman, worst", value=-0.14, source=_LEAF_CARD)
    yield Measure(name="cross-lingual Spearman, best", value=0.12, source=_LEAF_CARD)
    for language, value in _LEAF_STS22.items():
        yield Measure(name=f"STS22 {language} Spearman", value=value, source=_LEAF_CARD)
    yield Measure(name="MTEB score (estimated)", value=25, source=f"model card of {LEAF}")


_EMBEDDING_GEMMA = (
    Measure(name="STSBenchmark Spearman", value=0.81, source=_LEAF_BASE),
    Measure(name="STS22 English Spearman", value=0.75, source=_LEAF_BASE),
    Measure(name="STS22 average Spearman", value=0.65, source=_LEAF_BASE),
    Measure(name="cross-lingual Spearman", value=0.55, source=_LEAF_BASE),
    Measure(name="MTEB score", value=61.15, source=_LEAF_BASE),
)

PUBLISHED: Mapping[str, tuple[Measure, ...]] = MappingProxyType(
    {
        LETTUCE: tuple(_lettuce()),
        STATIC_RETRIEVAL: (Measure(name="NanoBEIR nDCG@10", value=0.5032, source=_SSE_CARD),),
        SSE: (Measure(name="NanoBEIR nDCG@10", value=0.5124, source=_SSE_CARD),),
        SSE_4_BIT: tuple(_sse_4_bit()),
        EMBEDDING_GEMMA: _EMBEDDING_GEMMA,
        LEAF: tuple(_leaf()),
    }
)
"""Published figures by hub id, the telling ones first."""
