"""A LlamaIndex vector store in the file of a memory."""

from __future__ import annotations

from llama_index.vector_stores.romaine.base import RomaineVectorStore

__all__ = ["RomaineVectorStore"]
