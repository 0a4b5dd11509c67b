"""romaine for LangChain: local embeddings and a character's long memory.

from langchain_romaine import RomaineEmbeddings, RomaineMemoryRetriever
from romaine import RoleplayMemory

embeddings = RomaineEmbeddings(dim=64)
memory = RoleplayMemory("memories.db", embedder=embeddings.embedder)
retriever = RomaineMemoryRetriever(memory=memory, user="ana", character="Cassian")
documents = retriever.invoke("Where is the key?")
"""

from __future__ import annotations

from langchain_romaine.chat_history import RomaineChatMessageHistory
from langchain_romaine.embeddings import RomaineEmbeddings
from langchain_romaine.retrievers import RomaineMemoryRetriever
from langchain_romaine.scopes import SCOPE_FIELDS

__version__ = "0.1.0"

__all__ = [
    "SCOPE_FIELDS",
    "RomaineChatMessageHistory",
    "RomaineEmbeddings",
    "RomaineMemoryRetriever",
    "__version__",
]
