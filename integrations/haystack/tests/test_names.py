# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haystack.utils import ComponentDevice
from romaine import RoleplayMemory
from romaine.errors import OptionError

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.embedders.romaine import (
    RomaineDocumentEmbedder,
    RomaineTextEmbedder,
)
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore

EMBEDDERS = [RomaineTextEmbedder, RomaineDocumentEmbedder]
MEMORIES = [RomaineMemoryRetriever, RomaineMemoryWriter, RomaineMemoryStore]


@pytest.mark.parametrize("kind", [*EMBEDDERS, RomaineMemoryFile])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("model_name", "model"),
        ("truncate_dim", "dim"),
        ("model_kwargs", "device"),
        ("cache_dir", "cache_folder"),
    ],
)
def test_an_embedder_says_which_name_is_meant(kind: type, name: str, meant: str) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__} has no option {name}=\. Did you mean {meant}=\?"):
        kind("x", **{name: "x"})


@pytest.mark.parametrize("kind", MEMORIES)
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("memory", "memory_file"),
        ("path", "memory_file"),
        ("document_store", "memory_file"),
        ("user_id", "scope= or user"),
        ("thread_id", "scope= or chat"),
    ],
)
def test_a_memory_says_which_name_is_meant(kind: type, name: str, meant: str) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__} has no option {name}=\. Did you mean {meant}=\?"):
        kind("memories.db", **{name: "x"})


def test_a_retriever_says_which_name_is_meant() -> None:
    with pytest.raises(TypeError, match=r"no option k=\. Did you mean top_k=\?"):
        RomaineMemoryRetriever("memories.db", k=3)  # type: ignore[call-arg]
    with pytest.raises(OptionError, match=r"scope='ana' is not a Scope; make one with Scope\(user="):
        RomaineMemoryRetriever("memories.db", scope="ana")  # type: ignore[arg-type]


def test_another_component_is_no_file(memory_file: RomaineMemoryFile) -> None:
    store = RomaineMemoryStore(memory_file, user="ana")
    with pytest.raises(OptionError, match="got RomaineMemoryStore; give its memory_file"):
        RomaineMemoryRetriever(store)  # type: ignore[arg-type]


def test_a_component_is_no_embedder_of_a_memory() -> None:
    with pytest.raises(OptionError, match=r"RomaineTextEmbedder, which has no .*romaine\.Embedder"):
        RoleplayMemory(":memory:", embedder=RomaineTextEmbedder())  # type: ignore[arg-type]


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
