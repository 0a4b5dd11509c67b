"""Quality figures that others published about the models of the catalog: data only, each with its source.

Nothing here was measured by this project, and what nobody published is not here. Figures are as published,
from 0 to 1 but for the MTEB score, which is of 100; most are the authors' own, on data of their choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from romaine.models.card import Measure

LETTUCE = "Zeolit/lettuce-emb-768d-v4"
STATIC_RETRIEVAL = "sentence-transformers/static-retrieval-mrl-en-v1"
SSE = "RikkaBotan/stable-static-embedding-fast-retrieval-mrl-en"
SSE_4_BIT = "RikkaBotan/quantized-stable-static-embedding-fast-retrieval-mrl-en"
EMBEDDING_GEMMA = "google/embeddinggemma-300m"
LEAF = "tss-deposium/gemma300-leaf-embeddings-test"

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
    "NanoBEIR": (0.5110, 0.5645, 0.4312),
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

_GEMMA = {
    "STSBenchmark Spearman": 0.81,
    "STS22 English Spearman": 0.75,
    "STS22 average Spearman": 0.65,
    "cross-lingual Spearman": 0.55,
    "MTEB score": 61.15,
}
_LEAF = {
    "STSBenchmark Spearman": 0.223,
    "STS22 English Spearman": 0.373,
    "STS22 average Spearman": 0.21,
    "cross-lingual Spearman, worst": -0.14,
    "cross-lingual Spearman, best": 0.12,
    "STS22 Chinese Spearman": 0.499,
    "STS22 Arabic Spearman": 0.469,
    "STS22 Italian Spearman": 0.435,
    "STS22 Spanish Spearman": 0.403,
    "STS22 French Spearman": 0.300,
    "STS22 Russian Spearman": 0.268,
    "STS22 Turkish Spearman": 0.247,
    "STS22 German Spearman": 0.163,
    "STS22 Polish Spearman": 0.132,
}


def _on_card(model: str, figures: Mapping[str, float], *, part: str = "") -> tuple[Measure, ...]:
    source = f"model card of {model}{part}"
    return tuple(Measure(name=name, value=value, source=source) for name, value in figures.items())


PUBLISHED: Mapping[str, tuple[Measure, ...]] = MappingProxyType(
    {
        LETTUCE: _on_card(
            LETTUCE,
            {"RP recall@1": 0.924, "RP recall@5": 0.982, "STSBenchmark Spearman": 0.819}
            | {
                f"144k-passage retrieval {metric}, {dim} dims": value
                for dim, values in _LETTUCE_DIMS.items()
                for metric, value in zip(_LETTUCE_METRICS, values, strict=True)
            },
        ),
        STATIC_RETRIEVAL: _on_card(SSE_4_BIT, {"NanoBEIR nDCG@10": 0.5032}),
        SSE: _on_card(SSE_4_BIT, {"NanoBEIR nDCG@10": 0.5124}),
        SSE_4_BIT: _on_card(
            SSE_4_BIT,
            {
                f"{dataset} {metric}": value
                for dataset, values in _SSE_NANOBEIR.items()
                for metric, value in zip(_SSE_METRICS, values, strict=True)
            },
        ),
        EMBEDDING_GEMMA: _on_card(LEAF, _GEMMA, part=", as its base model"),
        LEAF: (
            *_on_card(LEAF, _LEAF, part=", MTEB evaluation of 2025-10-12"),
            *_on_card(LEAF, {"MTEB score (estimated)": 25}),
        ),
    }
)
"""Published figures by hub id, the telling ones first."""
