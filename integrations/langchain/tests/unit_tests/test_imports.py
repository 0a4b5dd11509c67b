"""What is imported when: `langchain_romaine` needs langchain-core alone."""

from __future__ import annotations

import subprocess
import sys

import langchain_romaine
import pytest

WITHOUT_EXTRAS = """
import importlib.abc, sys

EXTRAS = {"langchain", "langgraph", "langchain_classic", "langchain_qdrant", "langchain_milvus"}

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import langchain_romaine
from langchain_romaine import RomaineEmbeddings, RomaineMemoryRetriever, RomaineVectorStore
from langchain_romaine import create_recall_tool
from romaine import RoleplayMemory, Scope, Turn

with RoleplayMemory(":memory:") as memory:
    memory.add_turns(Scope(user="ana"), [Turn("The key is in the well.", speaker="ana", role="user")])
    print(create_recall_tool(memory).invoke({"query": "key"}, {"configurable": {"user": "ana"}}))
    RomaineVectorStore(memory, user="ana").add_texts(["The key is gone."])
    print(len(RomaineMemoryRetriever(memory=memory, user="ana").invoke("key")))
for name, use in langchain_romaine._WITH_EXTRA.items():
    try:
        getattr(langchain_romaine, name)
    except ImportError as error:
        print(error)
try:
    RomaineEmbeddings().cached(None)
except ImportError as error:
    print(error)
"""


def test_langchain_core_alone_is_enough_for_all_but_the_extras() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "- ana: The key is in the well.",
        "2",
        "RomaineMemoryMiddleware needs: pip install 'langchain-romaine[agents]'",
        "RomaineMilvusSparse needs: pip install 'langchain-romaine[milvus]'",
        "RomaineQdrantSparse needs: pip install 'langchain-romaine[qdrant]'",
        "RomaineStore needs: pip install 'langchain-romaine[agents]'",
        "a cache needs: pip install 'langchain-romaine[cache]'",
    ]


@pytest.mark.parametrize("name", langchain_romaine.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(langchain_romaine, name) is not None
    assert name in dir(langchain_romaine)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'RomaineMemory'"):
        _ = langchain_romaine.RomaineMemory
