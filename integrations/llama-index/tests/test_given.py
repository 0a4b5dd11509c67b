"""Beginners' mistakes: the error says what is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.memory.romaine import RomaineMemoryBlock
from llama_index.retrievers.romaine import RomaineMemoryRetriever
from llama_index.storage.chat_store.romaine import RomaineChatStore
from llama_index.tools.romaine import RomaineMemoryToolSpec
from llama_index.vector_stores.romaine import RomaineVectorStore

from romaine import RoleplayMemory, Scope

OVER_A_MEMORY = [RomaineMemoryRetriever, RomaineMemoryToolSpec, RomaineMemoryBlock, RomaineVectorStore]


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("model", "model_name"),
        ("truncate_dim", "dim"),
        ("dimensions", "dim"),
        ("batch_size", "embed_batch_size"),
        ("query_prompt", "query_instruction"),
        ("model_kwargs", "device"),
    ],
)
def test_a_setting_of_another_embedder_is_told_by_its_name_here(name: str, here: str) -> None:
    with pytest.raises(ValueError, match=rf"RomaineEmbedding has no option {name}=\. Did you mean {here}="):
        RomaineEmbedding(**{name: 1})


@pytest.mark.parametrize("make", OVER_A_MEMORY[:3])
@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("top_k", "similarity_top_k"),
        ("k", "similarity_top_k"),
        ("user_id", "(scope= or )?user"),
        ("filters", "where"),
        ("similarity_cutoff", "min_score"),
        ("charakter", "character"),
    ],
)
def test_an_option_of_another_search_is_told_by_its_name_here(
    memory: RoleplayMemory, make: Any, name: str, here: str
) -> None:
    with pytest.raises(ValueError, match=rf"{make.__name__} has no option {name}=\. Did you mean {here}="):
        make(memory=memory, user="ana", **{name: 1})
    with pytest.raises(ValueError, match=r"has no option zzz=\. It takes .*similarity_top_k"):
        make(memory=memory, user="ana", zzz=1)


@pytest.mark.parametrize("make", OVER_A_MEMORY)
@pytest.mark.parametrize("path", ["x.db", Path("x.db")])
def test_of_a_path_it_says_how_to_open_it(make: Any, path: Any) -> None:
    with pytest.raises(ValueError, match=r"memory='x\.db' is a path: .*RoleplayMemory\('x\.db'\)"):
        make(memory=path, user="ana")


@pytest.mark.parametrize("make", OVER_A_MEMORY)
def test_of_anything_else_it_says_what_is_needed(make: Any) -> None:
    for wrong in (None, RomaineEmbedding(), 7):
        with pytest.raises(ValueError, match=r"must be a romaine\.RoleplayMemory"):
            make(memory=wrong, user="ana")


@pytest.mark.parametrize("make", OVER_A_MEMORY)
def test_there_is_always_a_user_named_in_one_way(memory: RoleplayMemory, make: Any) -> None:
    with pytest.raises(ValueError, match="no user"):
        make(memory=memory)
    with pytest.raises(ValueError, match=r"scope=\.\.\. and user=\.\.\. both"):
        make(memory=memory, scope=Scope(user="ana"), user="ana")
    with pytest.raises(ValueError, match="scope"):
        make(memory=memory, scope="ana")


def test_a_chat_store_is_over_a_block(memory: RoleplayMemory) -> None:
    with pytest.raises(ValueError, match="must be a RomaineMemoryBlock"):
        RomaineChatStore(memory)  # type: ignore[arg-type]


def test_a_dimension_that_a_known_model_cannot_give_is_told_when_the_component_is_made() -> None:
    with pytest.raises(ValueError, match=r"little-gem was not trained for dim=100; it was for 32, 64"):
        RomaineEmbedding(dim=100)
    with pytest.raises(ValueError, match=r"dim=2048 is not possible.*choose 1 to 768"):
        RomaineEmbedding(model_name="nomic-ai/modernbert-embed-base", dim=2048)
    assert RomaineEmbedding(dim=100, allow_untrained_dim=True).embedder.dim == 100


@pytest.mark.parametrize("backend", ["auto", "onnx"])
def test_a_device_that_is_not_there_is_told_when_the_component_is_made(backend: str) -> None:
    with pytest.raises(ValueError, match=r"device='dml'.*is not available"):
        RomaineEmbedding(device="dml", backend=backend)
    assert RomaineEmbedding(device="cpu").device == "cpu"
