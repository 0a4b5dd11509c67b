from __future__ import annotations

from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import StorageCorruptError
from romaine.memory import RoleplayMemory, Scope
from tests import postgres
from tests.memory.conftest import CHAT

DAMAGES = {
    "a word": "UPDATE memory SET text = set_byte(text, 1, 255) WHERE no = 1",
    "a date": "UPDATE memory SET created_at = created_at + 1 WHERE no = 1",
    "terms": "UPDATE vector SET terms = terms || 5 WHERE no = 1",
    "a vector": "UPDATE vector SET vector = set_byte(vector, 7, get_byte(vector, 7) # 1) WHERE no = 1",
    "a context": "UPDATE vector SET context = substring(context FOR 40) WHERE no = 1",
    "no vectors": "DELETE FROM vector WHERE no = 1",
}
PROBLEMS = {
    "UPDATE space SET next_position = next_position + 1": "a chat is not what was stored",
    "UPDATE supersession SET new_root = 4": "what a fact replaced is not",
    "UPDATE branch SET at = 0": "a fork is not what was stored",
    "UPDATE hidden SET change = change + 1": "what a fork dropped is not",
    "UPDATE account SET version = 0": "the version of a user is less",
    "SELECT setval('memory_no', 1)": "the number of rows given is less",
    "UPDATE vector SET owner = gen_random_uuid() WHERE no = 1": "of another user than its chat",
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_row_is_found_passed_over_and_mended(
    url: str, path: Path, gem: Embedder, scope: Scope, what: str
) -> None:
    with RoleplayMemory(url, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        first = memory.list(scope)[0]
        assert memory.verify().is_sound
        postgres.execute(path, DAMAGES[what])
    with RoleplayMemory(url, embedder=gem) as memory:
        assert memory.verify().damaged == (first.id,)
        if what == "a word":  # where there is no text, nothing can be answered from it
            with pytest.raises(StorageCorruptError, match="row 1"):
                memory.recall("the harbour master owes gold", scope)
        else:
            found = [hit.memory.id for hit in memory.recall("the harbour master owes gold", scope, k=1)]
            assert found == [memory.list(scope, source_ids=["3"])[0].id]
        assert memory.repair() == 1
        assert memory.verify().is_sound
        assert len(memory.list(scope)) == len(CHAT)
        assert ("\ufffd" in memory.get(scope, first.id).text) == (what == "a word")


@pytest.mark.parametrize("statement", PROBLEMS)
def test_what_the_small_tables_say_is_checked(
    url: str, path: Path, gem: Embedder, scope: Scope, statement: str
) -> None:
    with RoleplayMemory(url, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        old = memory.add_fact(scope, "The key is of silver.").memory
        memory.add_fact(scope, "The key is of gold.", supersedes=old.id)
        fork = memory.branch(scope, at=2, to_chat="fork")
        memory.retract(fork, ["1"])
        assert memory.verify().is_sound
        postgres.execute(path, statement)
        assert any(PROBLEMS[statement] in problem for problem in memory.verify().problems)
