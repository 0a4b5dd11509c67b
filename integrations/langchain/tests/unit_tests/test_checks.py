from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_romaine import (
    RomaineChatMessageHistory,
    RomaineMemoryMiddleware,
    RomaineStore,
    RomaineVectorStore,
    create_recall_tool,
    create_remember_tool,
)
from langchain_romaine.checks import check_keywords, check_memory

from romaine import RoleplayMemory
from romaine.errors import OptionError


def test_a_path_is_answered_with_what_to_write(memory: RoleplayMemory) -> None:
    assert check_memory(memory) is memory
    for path in ("memories.db", Path("memories.db")):
        with pytest.raises(OptionError, match=r"memory=RoleplayMemory\('memories\.db'\)"):
            check_memory(path)
    with pytest.raises(OptionError, match=r"must be a romaine\.RoleplayMemory"):
        check_memory(None)


def test_names_of_other_classes_get_ours() -> None:
    def search(*, k: int = 4) -> None: ...

    check_keywords(search, {"k": 3})
    check_keywords(search, "no mapping")
    with pytest.raises(OptionError, match=r"search has no option top_k=\. Did you mean k="):
        check_keywords(search, {"k": 3, "top_k": 3})
    with pytest.raises(OptionError, match=r"sort=\.\.\. is not known here; leave it out"):
        check_keywords(search, {"sort": 3}, {"sort": "leave it out"})


@pytest.mark.parametrize(
    "make",
    [
        RomaineChatMessageHistory,
        RomaineMemoryMiddleware,
        RomaineStore,
        RomaineVectorStore,
        create_recall_tool,
        create_remember_tool,
    ],
)
def test_every_constructor_tells_which_name_is_meant(make: Any, memory: RoleplayMemory) -> None:
    whose = {"session_id": "1"} if make is RomaineChatMessageHistory else {}
    with pytest.raises(OptionError, match=r"has no option user_id=\. Did you mean .*scope= or user="):
        make(memory=memory, user_id="ana", **whose)
