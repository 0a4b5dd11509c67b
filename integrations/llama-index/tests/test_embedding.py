from __future__ import annotations

import copy
import inspect
import logging
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core import Settings
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.embeddings.romaine import GuardedCache, RomaineEmbedding
from pydantic import ValidationError

from romaine import Embedder, UnfamiliarTextWarning
from romaine.errors import DimensionError, MissingExtraError, ModelNotFoundError

TEXTS = ["I left the silver key under the third step.", "", "The soup is leek again.", "a\ud800b\x00c"]
RENAMED = {  # what HuggingFaceEmbedding calls them
    "model": "model_name",
    "batch_size": "embed_batch_size",
    "query_prompt": "query_instruction",
    "document_prompt": "text_instruction",
    "show_progress": "show_progress_bar",
}


@pytest.fixture(scope="module")
def embedding() -> RomaineEmbedding:
    return RomaineEmbedding(dim=64)


def test_it_is_a_base_embedding() -> None:
    assert [cls.__name__ for cls in RomaineEmbedding.__mro__][:2] == ["RomaineEmbedding", "BaseEmbedding"]
    assert RomaineEmbedding.class_name() == "RomaineEmbedding"


def test_public_methods_are_the_frameworks() -> None:
    public = [name for name in vars(BaseEmbedding) if name.startswith(("get_", "aget_"))]
    assert len(public) >= 8
    assert not set(public) & set(vars(RomaineEmbedding))


def test_vectors_are_the_embedders(embedding: RomaineEmbedding) -> None:
    embedder = Embedder(dim=64)
    documents = embedder.embed_documents(TEXTS).tolist()
    assert embedding.get_text_embedding_batch(TEXTS) == documents
    assert [embedding.get_text_embedding(text) for text in TEXTS] == documents
    assert embedding.get_query_embedding(TEXTS[0]) == embedder.embed_query(TEXTS[0]).tolist()
    assert embedding.get_text_embedding_batch([]) == []
    assert {type(x) for x in embedding.get_text_embedding(TEXTS[0])} == {float}


def test_queries_and_documents_have_their_own_instructions() -> None:
    prompted = RomaineEmbedding(query_instruction="query: ", text_instruction="passage: ")
    plain = RomaineEmbedding()
    assert prompted.get_query_embedding("key") == plain.get_query_embedding("query: key")
    assert prompted.get_text_embedding("key") == plain.get_text_embedding("passage: key")


def test_a_transformer_runs_as_well(transformer_folder: Path) -> None:
    embedding = RomaineEmbedding(model_name=transformer_folder, threads=1, embed_batch_size=2)
    assert embedding.model_name == str(transformer_folder)
    assert embedding.embedder.backend == "onnx"
    found, other = embedding.get_text_embedding_batch(["The cat sat down.", "Stocks fell today."])
    query = embedding.get_query_embedding("A kitten is sitting.")
    assert embedding.similarity(query, found) > embedding.similarity(query, other) + 0.3


# --- settings -----------------------------------------------------------------------------------------------


def test_every_option_of_the_embedder_is_a_field() -> None:
    options = inspect.signature(Embedder.__init__).parameters.keys() - {"self"}
    own = set(RomaineEmbedding.model_fields) - set(BaseEmbedding.model_fields)
    shared = {"model_name", "embed_batch_size"}
    assert {RENAMED.get(option, option) for option in options} == own | shared


def test_every_field_reaches_the_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {
        "model_name": "some/model",
        "embed_batch_size": 7,
        "query_instruction": "q: ",
        "text_instruction": "d: ",
        "show_progress_bar": True,
        "backend": "onnx",
        "dim": 32,
        "precision": "int8",
        "truncate": "pool",
        "batch_tokens": 99,
        "threads": 2,
        "device": "cuda:1",
        "providers": ("CPUExecutionProvider",),
        "dtype": "float16",
        "variant": "int8",
        "cache_folder": "models",
        "local_files_only": True,
        "revision": "main",
        "token": "secret",
        "allow_untrained_dim": True,
        "allow_rejected": True,
        "require_verified": True,
        "allow_pickle": True,
        "trust_remote_code": True,
    }
    received: dict[str, Any] = {}

    class Listening(Embedder):
        def __init__(self, **options: Any) -> None:
            received.update(options)
            super().__init__(**options)

    monkeypatch.setattr("llama_index.embeddings.romaine.base.Embedder", Listening)
    RomaineEmbedding(**given)
    assert {RENAMED.get(option, option): value for option, value in received.items()} == given
    defaults = {
        name: parameter.default for name, parameter in inspect.signature(Embedder.__init__).parameters.items()
    }
    assert all(value != defaults[option] for option, value in received.items())


def test_defaults_are_the_embedders() -> None:
    parameters = inspect.signature(Embedder.__init__).parameters
    for option, parameter in parameters.items():
        if option not in {"self", "batch_size"}:  # BaseEmbedding always has a batch size
            field = RomaineEmbedding.model_fields[RENAMED.get(option, option)]
            assert field.default == parameter.default, option


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimension": 64}, "no option dimension=. Did you mean dim="),
        ({"query_prompt": "q"}, "no option query_prompt=. Did you mean query_instruction="),
        ({"dim": 0}, "dim=0 is not allowed: it must be an int of at least 1"),
        ({"dim": True}, "dim"),
        ({"dim": "64"}, "dim"),
        ({"truncate": "middle"}, "unknown truncate 'middle'.*'end', 'error', 'pool'"),
        ({"backend": "onyx"}, "unknown backend 'onyx'.*Did you mean 'onnx'"),
        ({"batch_tokens": 0}, "batch_tokens=0"),
        ({"threads": -1}, "threads=-1"),
        ({"embed_batch_size": 0}, "embed_batch_size"),
        ({"embed_batch_size": 4096}, "embed_batch_size"),
        ({"providers": "CPUExecutionProvider"}, "providers"),
        ({"embeddings_cache": {}}, "BaseKVStore"),
    ],
)
def test_what_is_not_allowed_is_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){message}"):
        RomaineEmbedding(**settings)


def test_settings_stay_what_the_model_was_loaded_with(embedding: RomaineEmbedding) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        embedding.dim = 32
    with pytest.raises(ValidationError, match="dimension"):
        embedding.dimension = 32  # type: ignore[attr-defined]


def test_it_can_be_the_global_model(embedding: RomaineEmbedding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_embed_model", None)
    Settings.embed_model = embedding
    assert Settings.embed_model is embedding


# --- loading ------------------------------------------------------------------------------------------------


def test_nothing_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    embedding = RomaineEmbedding(model_name=tmp_path / "nothing")
    with pytest.raises(ModelNotFoundError):
        embedding.get_query_embedding("key")
    with pytest.raises(ModelNotFoundError):
        embedding.warm_up()


def test_a_dimension_the_model_does_not_have_is_refused(transformer_folder: Path) -> None:
    """Of a model that is not known by name, when it is loaded."""
    embed_model = RomaineEmbedding(model_name=transformer_folder, backend="onnx", dim=65)
    with pytest.raises(DimensionError, match="65"):
        embed_model.warm_up()


def test_a_missing_extra_says_what_to_install(
    transformer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(transformer_folder, tmp_path / "model", ignore=shutil.ignore_patterns("onnx"))
    (folder / "model.safetensors").touch()  # torch would read it, and is asked for first
    monkeypatch.setitem(sys.modules, "torch", None)
    embedding = RomaineEmbedding(model_name=folder, backend="torch")
    for embed in (
        lambda: embedding.get_query_embedding("key"),
        lambda: embedding.get_text_embedding_batch(["key"]),
        embedding.warm_up,
    ):
        with pytest.raises(MissingExtraError, match=r"pip install 'romaine\[torch\]'"):
            embed()


# --- copies -------------------------------------------------------------------------------------------------


def test_dict_and_json_round_trips(transformer_folder: Path) -> None:
    embedding = RomaineEmbedding(
        model_name=transformer_folder, dim=384, providers=["CPUExecutionProvider"], num_workers=2
    )
    for twin in (
        RomaineEmbedding.from_dict(embedding.to_dict()),
        RomaineEmbedding.from_json(embedding.to_json()),
    ):
        assert twin.to_dict() == embedding.to_dict()
        assert twin.num_workers == 2


def test_a_pickle_has_the_settings_and_not_the_model(
    embedding: RomaineEmbedding, caplog: pytest.LogCaptureFixture
) -> None:
    embedding.warm_up()
    with caplog.at_level(logging.WARNING):
        data = pickle.dumps(embedding)
    assert not caplog.records  # BaseComponent logs what it has to leave out
    assert len(data) < 4096
    twin = pickle.loads(data)
    assert twin.to_dict() == embedding.to_dict()
    assert twin.get_text_embedding(TEXTS[0]) == embedding.get_text_embedding(TEXTS[0])


def test_copies_share_the_model(embedding: RomaineEmbedding) -> None:
    assert copy.deepcopy(embedding).embedder is embedding.embedder
    assert copy.copy(embedding).embedder is embedding.embedder


def test_a_copy_with_other_settings_uses_and_checks_them(embedding: RomaineEmbedding) -> None:
    assert embedding.model_copy().embedder is embedding.embedder
    other = embedding.model_copy(update={"dim": 32, "embeddings_cache": SimpleKVStore()})
    assert (other.dim, len(other.get_text_embedding("key"))) == (32, 32)
    assert isinstance(other.embeddings_cache, GuardedCache)
    with pytest.raises(ValidationError, match="dim=0"):
        embedding.model_copy(update={"dim": 0})


def test_the_pipelines_hash_depends_on_settings_alone() -> None:
    nodes = [TextNode(text="key")]

    def hashed(**settings: Any) -> str:
        return get_transformation_hash(nodes, RomaineEmbedding(**settings))

    assert hashed(dim=64) == hashed(dim=64, token="secret")
    assert hashed(dim=64) != hashed(dim=128)
    assert hashed(text_instruction="d: ") != hashed()
    warm = RomaineEmbedding(dim=64).warm_up()
    assert get_transformation_hash(nodes, warm) == hashed(dim=64)
    assert get_transformation_hash(nodes, pickle.loads(pickle.dumps(warm))) == hashed(dim=64)


def test_a_token_is_shown_nowhere_and_reaches_worker_processes() -> None:
    embedding = RomaineEmbedding(token="hf_secret")
    shown = [
        repr(embedding),
        str(embedding),
        str(embedding.to_dict()),
        embedding.to_json(),
        str(embedding.to_payload()) if hasattr(embedding, "to_payload") else "",  # newer cores have it
        repr(embedding.embedder),
    ]
    with pytest.raises(ValidationError) as error:
        RomaineEmbedding(token="hf_secret", dim=0)
    assert not any("hf_secret" in text for text in [*shown, str(error.value)])
    twin = pickle.loads(pickle.dumps(embedding))
    assert twin.token is not None
    assert twin.token.get_secret_value() == "hf_secret"


def test_texts_in_a_script_that_the_model_does_not_know_are_told_of_once() -> None:
    embedding = RomaineEmbedding(dim=64)
    texts = ["열쇠를 세 번째 계단 밑에 숨겼어.", "그 얘기는 아무에게도 하지 마."]
    with pytest.warns(UnfamiliarTextWarning, match=r"romaine\[multilingual\]"):
        embedding.get_text_embedding_batch(texts)
    embedding.get_text_embedding_batch(texts)  # warnings are errors


def test_slices_are_unit_vectors() -> None:
    full = RomaineEmbedding().get_text_embedding(TEXTS[0])
    for dim in (32, 64, 256):
        vector = np.array(RomaineEmbedding(dim=dim).get_text_embedding(TEXTS[0]))
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(vector, full[:dim] / np.linalg.norm(full[:dim]), atol=1e-6)
