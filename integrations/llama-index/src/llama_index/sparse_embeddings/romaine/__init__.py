"""The words of romaine's memory as a LlamaIndex sparse embedding."""

from __future__ import annotations

from llama_index.sparse_embeddings.romaine.base import RomaineSparseEmbedding

__all__ = ["RomaineSparseEmbedding"]
