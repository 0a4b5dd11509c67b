"""A character's long memory as a LlamaIndex retriever."""

from __future__ import annotations

from llama_index.retrievers.romaine.base import RomaineMemoryRetriever

__all__ = ["RomaineMemoryRetriever"]
