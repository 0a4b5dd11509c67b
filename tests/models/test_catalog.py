from __future__ import annotations

import pytest

from romaine.errors import ModelNotFoundError
from romaine.models import catalog
from romaine.models.catalog import CATALOG

LETTUCE = "Zeolit/lettuce-emb-768d-v4"
LEAF = "tss-deposium/gemma300-leaf-embeddings-test"


def test_every_published_model_has_a_card():
    assert set(CATALOG) == {
        LETTUCE,
        "nomic-ai/nomic-embed-text-v1.5",
        "nomic-ai/modernbert-embed-base",
        "sentence-transformers/static-retrieval-mrl-en-v1",
        "sentence-transformers/static-similarity-mrl-multilingual-v1",
        "RikkaBotan/stable-static-embedding-fast-retrieval-mrl-en",
        "RikkaBotan/quantized-stable-static-embedding-fast-retrieval-mrl-en",
        "google/embeddinggemma-300m",
        LEAF,
        "sentence-transformers/all-MiniLM-L6-v2",
    }
    assert catalog.names()[0] == "little-gem"


def test_lettuce_as_published():
    card = CATALOG[LETTUCE]
    assert (card.full_dim, card.dims, card.max_tokens) == (768, (64, 128, 256, 512, 768), 4096)
    assert {m.name: m.value for m in card.quality[:3]} == {
        "RP recall@1": 0.924,
        "RP recall@5": 0.982,
        "STSBenchmark Spearman": 0.819,
    }
    assert card.files["onnx:int8"] == "onnx/model.int8.onnx"


def test_nomic_normalises_before_slicing_and_has_prompts():
    card = CATALOG["nomic-ai/nomic-embed-text-v1.5"]
    assert card.layer_norm
    assert (card.prompts.query, card.prompts.document) == ("search_query: ", "search_document: ")
    assert not CATALOG[LETTUCE].layer_norm


def test_only_the_failed_model_is_rejected_with_its_figures():
    assert [card.id for card in CATALOG.values() if card.rejection] == [LEAF]
    assert "0.223" in CATALOG[LEAF].rejection
    assert "0.373" in CATALOG[LEAF].rejection


def test_minilm_is_not_for_slicing():
    assert CATALOG["sentence-transformers/all-MiniLM-L6-v2"].dims == (384,)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ModelNotFoundError, match="little-gem"):
        catalog.card("nothing")
    assert catalog.find("nothing") is None
