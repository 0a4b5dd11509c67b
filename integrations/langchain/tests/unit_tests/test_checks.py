from __future__ import annotations

from pathlib import Path

import pytest
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
    remedies = {"top_k": "write k=..."}
    check_keywords({"k": 3, "kk": 3}, remedies)
    with pytest.raises(OptionError, match=r"top_k=\.\.\. is not known here; write k=\.\.\."):
        check_keywords({"k": 3, "top_k": 3}, remedies)
