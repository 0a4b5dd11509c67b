# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from haystack.utils import ComponentDevice
from romaine import RoleplayMemory
from romaine.errors import OptionError

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.common.romaine.names import OF_EMBEDDERS, OF_FILES, OF_MEMORIES, OF_SPARSE
from haystack_integrations.components.embedders.romaine import (
    RomaineDocumentEmbedder,
    RomaineSparseDocumentEmbedder,
    RomaineSparseTextEmbedder,
    RomaineTextEmbedder,
)
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore

EMBEDDERS = [RomaineTextEmbedder, RomaineDocumentEmbedder]
MEMORIES = [RomaineMemoryRetriever, RomaineMemoryWriter, RomaineMemoryStore]


@pytest.mark.parametrize("kind", EMBEDDERS)
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"model_name": "little-gem"}, "say model="),
        ({"truncate_dim": 64}, "say dim="),
        ({"model_kwargs": {"dtype": "float16"}}, "say what is in it with dtype="),
        ({"normalize_embeddings": True}, "leave it out: embeddings have unit length"),
        ({"dimm": 64}, "did you mean dim="),
        ({"zzz": 64}, "it has model, "),
    ],
)
def test_an_embedder_says_which_name_is_meant(kind: type, given: dict[str, Any], meant: str) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__} has no {next(iter(given))}=...; {meant}"):
        kind(**given)


@pytest.mark.parametrize("kind", MEMORIES)
@pytest.mark.parametrize("name", ["memory", "path", "document_store"])
def test_a_memory_says_how_it_is_opened(kind: type, name: str) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__} has no {name}=...; say memory_file=...: .* path"):
        kind(**{name: "memories.db"}, user="ana")


def test_a_retriever_says_which_name_is_meant() -> None:
    for name, meant in {"k": "top_k", "user_id": "user", "session_id": "chat"}.items():
        with pytest.raises(TypeError, match=rf"has no {name}=\.\.\.; say {meant}="):
            RomaineMemoryRetriever("memories.db", **{name: "x"})
    with pytest.raises(OptionError, match=r"scope='ana' is not a Scope; make one with Scope\(user="):
        RomaineMemoryRetriever("memories.db", scope="ana")  # type: ignore[arg-type]


def test_another_component_is_no_file(memory_file: RomaineMemoryFile) -> None:
    store = RomaineMemoryStore(memory_file, user="ana")
    with pytest.raises(OptionError, match="got RomaineMemoryStore; give its memory_file"):
        RomaineMemoryRetriever(store)  # type: ignore[arg-type]


def test_a_made_embedder_goes_into_the_memory() -> None:
    with pytest.raises(TypeError, match=r"RoleplayMemory\(path, embedder=...\)"):
        RomaineMemoryFile("memories.db", embedder=RomaineTextEmbedder())  # type: ignore[call-arg]
    assert "embedder" in inspect.signature(RoleplayMemory.__init__).parameters


def test_sparse_embedders_have_no_model() -> None:
    for kind in (RomaineSparseTextEmbedder, RomaineSparseDocumentEmbedder):
        with pytest.raises(TypeError, match=r"has no model=\.\.\.; leave it out"):
            kind(model="bm25")


def test_no_name_that_is_there_is_called_another() -> None:
    for meant, kinds in (
        (OF_EMBEDDERS, EMBEDDERS),
        (OF_FILES, [RomaineMemoryFile]),
        (OF_MEMORIES, MEMORIES),
        (OF_SPARSE, [RomaineSparseTextEmbedder, RomaineSparseDocumentEmbedder]),
    ):
        for kind in kinds:
            assert not meant.keys() & inspect.signature(kind.__init__).parameters.keys()


@pytest.mark.parametrize("kind", [*EMBEDDERS, RomaineMemoryFile])
@pytest.mark.parametrize(
    ("options", "told"),
    [({"dim": 100}, "100"), ({"device": ComponentDevice.from_str("cuda:0")}, "cuda")],
)
def test_what_only_the_model_can_tell_comes_when_it_is_loaded(
    kind: Any, options: dict[str, Any], told: str, tmp_path: Path, transformer_folder: Path
) -> None:
    """Haystack makes components light: what needs the model or the machine is told by `warm_up`."""
    given = options | {"model": transformer_folder}
    if kind is RomaineMemoryFile:
        component: Any = RomaineMemoryRetriever(RomaineMemoryFile(tmp_path / "m.db", **given), user="ana")
    else:
        component = kind(**given)
    with pytest.raises(ValueError, match=told):
        component.warm_up()
