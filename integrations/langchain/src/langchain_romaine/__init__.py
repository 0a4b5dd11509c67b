"""romaine for LangChain: local embeddings, a character's long memory, and agents that have one.

from langchain.agents import create_agent
from langchain_romaine import RomaineMemoryMiddleware
from romaine import RoleplayMemory

memory = RoleplayMemory("memories.db")
agent = create_agent(model, middleware=[RomaineMemoryMiddleware(memory, character="Cassian")])
agent.invoke({"messages": "Where is the key?"}, context={"user": "ana"})
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from langchain_romaine.chat_history import RomaineChatMessageHistory
from langchain_romaine.embeddings import RomaineEmbeddings
from langchain_romaine.reranker import RomaineReranker
from langchain_romaine.retrievers import RomaineMemoryRetriever
from langchain_romaine.scopes import SCOPE_FIELDS
from langchain_romaine.tools import create_recall_tool, create_remember_tool
from langchain_romaine.vectorstores import RomaineVectorStore

if TYPE_CHECKING:
    from langchain_romaine.middleware import RomaineMemoryMiddleware
    from langchain_romaine.milvus_sparse import RomaineMilvusSparse
    from langchain_romaine.qdrant_sparse import RomaineQdrantSparse
    from langchain_romaine.store import RomaineStore

__version__ = "0.1.0"

__all__ = [
    "SCOPE_FIELDS",
    "RomaineChatMessageHistory",
    "RomaineEmbeddings",
    "RomaineMemoryMiddleware",
    "RomaineMemoryRetriever",
    "RomaineMilvusSparse",
    "RomaineQdrantSparse",
    "RomaineReranker",
    "RomaineStore",
    "RomaineVectorStore",
    "__version__",
    "create_recall_tool",
    "create_remember_tool",
]

_WITH_EXTRA = {
    "RomaineMemoryMiddleware": ("middleware", "agents"),
    "RomaineMilvusSparse": ("milvus_sparse", "milvus"),
    "RomaineQdrantSparse": ("qdrant_sparse", "qdrant"),
    "RomaineStore": ("store", "agents"),
}
"""Classes that need more than langchain-core: their module and the extra that brings what they need."""


def __getattr__(name: str) -> Any:
    """Imports what needs an extra when it is asked for."""
    if name not in _WITH_EXTRA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _WITH_EXTRA[name]
    try:
        return getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{name} needs: pip install 'langchain-romaine[{extra}]'") from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
