from __future__ import annotations

import json

import pytest

from romaine.arrays import Pooling
from romaine.errors import ModelFormatError
from romaine.models.card import ModelCard
from romaine.models.card_json import write_card
from romaine.models.from_files import UNKNOWN_DIM, card_from_files
from romaine.models.matching import matches
from romaine.models.tree import FileTree

from .conftest import safetensors, transformer_files, write_files


def card(folder) -> ModelCard:
    tree = FileTree.of_folder(folder)
    return card_from_files("x", tree, next(match for match in matches(tree, {}) if match.complete))


def card_of(tmp_path, **files) -> ModelCard:
    """A transformer with these JSON files; double underscores stand for a slash, and .json is added."""
    config = files.pop("config", {})
    encoded = {f"{name.replace('__', '/')}.json": json.dumps(value).encode() for name, value in files.items()}
    return card(write_files(tmp_path / "m", {**transformer_files(**config), **encoded}))


def test_minilm_as_its_files_say(minilm_folder):
    found = card(minilm_folder)
    assert (found.kind, found.full_dim, found.dims, found.max_tokens) == ("BERT", 384, (384,), 256)
    assert found.pooling is Pooling.MEAN


def test_nomics_original_keys(nomic_folder):
    found = card(nomic_folder)
    assert (found.kind, found.full_dim) == ("NomicBERT", 64)
    assert found.max_tokens == 256


@pytest.mark.parametrize(
    ("fixture", "dim", "kind"),
    [
        ("sse_folder", 64, "SSE"),
        ("static_embedding_folder", 64, "static"),
        ("model2vec_folder", 64, "static"),
        ("dense_folder", 48, "ModernBERT"),
    ],
)
def test_other_layouts(fixture, dim, kind, request):
    found = card(request.getfixturevalue(fixture))
    assert (found.full_dim, found.kind) == (dim, kind)


@pytest.mark.parametrize(("dtype", "full_dim"), [("int8", 8), ("uint8", 16), ("float16", 8)])
def test_packed_tables(dtype, full_dim, tmp_path):
    import numpy as np
    from safetensors.numpy import save

    files = {
        "0_StaticEmbedding/model.safetensors": save({"codes": np.ones((4, 8), dtype=dtype)}),
        "0_StaticEmbedding/tokenizer.json": b"{}",
    }
    assert card(write_files(tmp_path / "m", files)).full_dim == full_dim


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, Pooling.CLS),
        ({"pooling_mode_max_tokens": True}, Pooling.MAX),
        ({"pooling_mode_lasttoken": True}, Pooling.LAST),
        ({"pooling_mode": "cls"}, Pooling.CLS),
        ({"pooling_mode": ["lasttoken"]}, Pooling.LAST),
        ({}, Pooling.MEAN),
    ],
)
def test_pooling(config, pooling, tmp_path):
    assert card_of(tmp_path, **{"1_Pooling__config": config}).pooling is pooling


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode_weightedmean_tokens": True},
        {"pooling_mode_mean_sqrt_len_tokens": True},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
        {"pooling_mode": "median"},
        {"pooling_mode": ["cls", "mean"]},
        {"pooling_mode": [{}]},
    ],
)
def test_a_pooling_there_is_none_of_lists_the_allowed(config, tmp_path):
    with pytest.raises(ModelFormatError, match="not supported; allowed: one of mean, cls, lasttoken, max"):
        card_of(tmp_path, **{"1_Pooling__config": config})


def test_a_backend_that_pools_may_have_any_pooling(tmp_path):
    files = {**transformer_files(), "1_Pooling/config.json": b'{"pooling_mode": "weightedmean"}'}
    tree = FileTree.of_folder(write_files(tmp_path / "m", files))
    assert card_from_files("x", tree, matches(tree, {})[0], backend_pools=True).full_dim == 8


@pytest.mark.parametrize(
    ("sentence", "tokenizer", "config", "expected"),
    [
        ({"max_seq_length": 256}, {"model_max_length": 512}, {"max_position_embeddings": 512}, 256),
        ({}, {"model_max_length": 512}, {"max_position_embeddings": 1024}, 512),
        ({}, {"model_max_length": int(1e30)}, {"n_positions": 2048}, 2048),
        ({"max_seq_length": None}, {}, {}, None),
        ({"max_seq_length": 10**30}, {}, {"n_positions": 2048}, 2048),
        ({}, {"model_max_length": 1e30}, {}, None),
    ],
)
def test_the_window(sentence, tokenizer, config, expected, tmp_path):
    found = card_of(tmp_path, sentence_bert_config=sentence, tokenizer_config=tokenizer, config=config)
    assert found.max_tokens == expected


@pytest.mark.parametrize(
    "prompts",
    [
        {"query": "q: ", "document": "d: "},
        {"Query": "q: ", "passage": "d: "},
        {"search_query": "q: ", "search_document": "d: "},
        {"retrieval.query": "q: ", "retrieval.passage": "d: "},
    ],
)
def test_prompts_under_every_spelling(prompts, tmp_path):
    found = card_of(tmp_path, config_sentence_transformers={"prompts": prompts})
    assert (found.prompts.query, found.prompts.document) == ("q: ", "d: ")


@pytest.mark.parametrize("prompts", [None, [], {}, {"query": 3}, "q"])
def test_no_prompts(prompts, tmp_path):
    assert card_of(tmp_path, config_sentence_transformers={"prompts": prompts}).prompts.query == ""


def test_matryoshka_dims_where_a_config_says_so(tmp_path):
    assert card_of(tmp_path, config={"matryoshka_dimensions": [4, 2, 8, 64]}).dims == (2, 4, 8)


@pytest.mark.parametrize("dims", [[], "8", [0, 8], [True], None])
def test_strange_matryoshka_dims_are_ignored(dims, tmp_path):
    assert card_of(tmp_path, config={"matryoshka_dimensions": dims}).dims == (8,)


def test_an_onnx_file_alone_leaves_the_dimension_to_the_backend(tmp_path):
    found = card(write_files(tmp_path / "m", {"model.onnx": b"o", "tokenizer.json": b"{}"}))
    assert found.full_dim == UNKNOWN_DIM


def test_a_romaine_json_says_it_all(tmp_path):
    folder = write_files(tmp_path / "m", {"model.safetensors": safetensors("table"), "tokenizer.json": b"{}"})
    written = ModelCard(id="gem", kind="static", full_dim=8, dims=(2, 8), backends=("static",))
    write_card(written, folder)
    assert card(folder) == written
